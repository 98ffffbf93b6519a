import { describe, expect, it } from 'vitest';
import { PAGE_FILES, readPage } from '../pages.ts';
import { problemOf } from './page.ts';

describe('the documentation', () => {
  it.each(PAGE_FILES)('has no block in %s that is neither executed nor announced', (file) => {
    expect(readPage(file).file).toBe(file);
  });
});

const exceptions = PAGE_FILES.flatMap((file) => readPage(file).notRun.map((block) => ({ file, block }))).map(
  ({ file, block }) => [`${file}:${block.line}`, block.reason, block.coveredBy, block] as const,
);

describe('a block that is not executed has a test that covers it:', () => {
  it.each(exceptions)('%s, because %s, is covered by %s', (_place, _reason, _coveredBy, block) => {
    expect(problemOf(block)).toBeUndefined();
  });
});
