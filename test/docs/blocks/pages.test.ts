import { describe, expect, it } from 'vitest';
import { NOT_EXECUTED_YET, PAGE_FILES, readPage } from '../pages.ts';
import { problemOf } from './page.ts';

const executed = PAGE_FILES.filter((file) => !NOT_EXECUTED_YET.includes(file));

describe('the documentation', () => {
  it.each(executed)('has no block in %s that is neither executed nor announced', (file) => {
    expect(readPage(file).file).toBe(file);
  });

  it('has every page that is not executed yet', () => {
    expect(NOT_EXECUTED_YET.filter((file) => !PAGE_FILES.includes(file))).toEqual([]);
  });
});

const exceptions = executed
  .flatMap((file) => readPage(file).notRun.map((block) => ({ file, block })))
  .map(({ file, block }) => [`${file}:${block.line}`, block.reason, block.coveredBy, block] as const);

describe('a block that is not executed has a test that covers it:', () => {
  it.each(exceptions)('%s, because %s, is covered by %s', (_place, _reason, _coveredBy, block) => {
    expect(problemOf(block)).toBeUndefined();
  });
});
