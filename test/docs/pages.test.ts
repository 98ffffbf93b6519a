import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Page } from './blocks/page.ts';
import { NOT_EXECUTED_YET, PAGE_FILES, readPage } from './pages.ts';
import { Rig } from './rig.ts';

/* Executes the commands of the documentation, one page after the other, and compares what they print with what it shows. */

const PAGE_DEADLINE_MS = 180_000;

const pages = PAGE_FILES.filter((file) => !NOT_EXECUTED_YET.includes(file)).map(readPage);

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(async () => rig[Symbol.asyncDispose]());

function withSteps(needs: Page['needs']): readonly Page[] {
  return pages.filter((page) => page.needs === needs && page.steps.length > 0);
}

// In this order: what is installed stays.
describe.each(['installs', 'cluster', 'operator'] as const)(
  'on a cluster for pages with needs=%s',
  (needs) => {
    const found = withSteps(needs);
    if (found.length === 0) {
      it('there is no page', () => undefined);
      return;
    }
    beforeAll(async () => rig.provide(needs));
    it.each(found.map((page) => [page.file, page] as const))(
      '%s does what it shows',
      async (_file, page) => rig.run(page),
      PAGE_DEADLINE_MS,
    );
  },
);
