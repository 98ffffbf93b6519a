import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Page } from './blocks/page.ts';
import { NOT_EXECUTED_YET, PAGE_FILES, readPage } from './pages.ts';
import { Rig } from './rig.ts';

/* Executes the commands of the documentation, one page after the other, and compares what they print with what it shows. */

const PAGE_DEADLINE_MS = 180_000;

const pages = PAGE_FILES.filter((file) => !NOT_EXECUTED_YET.includes(file)).map(readPage);

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

describe.each(['cluster', 'operator'] as const)('on a cluster for pages with needs=%s', (needs) => {
  const found = pagesWith(needs);
  if (found.length === 0) {
    it('has no page to run', () => undefined);
    return;
  }
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.start(needs);
  });
  afterAll(async () => rig[Symbol.asyncDispose]());
  it.each(found)('%s does what it shows', async (_file, page) => rig.run(page), PAGE_DEADLINE_MS);
});
