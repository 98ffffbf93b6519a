import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Page } from './blocks/page.ts';
import { PAGE_FILES, readPage } from './pages.ts';
import { Rig } from './rig.ts';

/* Executes the commands of the documentation, one page after the other, and compares what they print with what it shows. */

const PAGE_DEADLINE_MS = 180_000;

const pages = PAGE_FILES.map(readPage);

function pagesWith(needs: Page['needs']): readonly (readonly [file: string, page: Page])[] {
  return pages
    .filter((page) => page.needs === needs && page.steps.length > 0)
    .map((page) => [page.file, page] as const);
}

describe('on a cluster without Keyferry', () => {
  /*
   * A cluster for each: an API server that has seen the admission policies go does not watch the ConfigMap of their parameters
   * again, and refuses every backend after the next installation.
   */
  it.each(pagesWith('installs'))(
    '%s does what it shows',
    async (_file, page) => {
      await using rig = await Rig.start('installs');
      await rig.run(page);
    },
    PAGE_DEADLINE_MS,
  );
});

const shared = (['cluster', 'operator'] as const)
  .map((needs) => [needs, pagesWith(needs)] as const)
  .filter(([, found]) => found.length > 0);

describe.each(shared)('on a cluster for pages with needs=%s', (needs, found) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.start(needs);
  });
  afterAll(async () => rig[Symbol.asyncDispose]());
  it.each(found)('%s does what it shows', async (_file, page) => rig.run(page), PAGE_DEADLINE_MS);
});
