import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Needs, Page } from './blocks/page.ts';
import { PAGE_FILES, readPage } from './pages.ts';
import { Rig } from './rig.ts';

/** How long one page may take. */
export const PAGE_DEADLINE_MS = 180_000;

/** The pages with steps that need such a cluster, by file. */
export function pagesWith(needs: Needs): readonly (readonly [file: string, page: Page])[] {
  return PAGE_FILES.map(readPage)
    .filter((page) => page.needs === needs && page.steps.length > 0)
    .map((page) => [page.file, page] as const);
}

/** Every fourth page, from this one on, so that the runs of four clusters share the time evenly. */
export function quarterOf(needs: Needs, first: 1 | 2 | 3 | 4): ReturnType<typeof pagesWith> {
  return pagesWith(needs).filter((_page, index) => index % 4 === first - 1);
}

/** Executes the commands of these pages, one page after the other on one cluster, and compares what they print with what they show. */
export function describePages(needs: Needs, pages: ReturnType<typeof pagesWith>): void {
  describe(`on a cluster for pages with needs=${needs}`, () => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await Rig.start(needs);
    });
    afterAll(async () => rig[Symbol.asyncDispose]());
    it.each(pages)('%s does what it shows', async (_file, page) => rig.run(page), PAGE_DEADLINE_MS);
  });
}
