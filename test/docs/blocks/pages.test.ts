import { describe, expect, it } from 'vitest';
import { NOT_EXECUTED_YET, PAGE_FILES, readPage } from '../pages.ts';
import { problemOf } from './page.ts';

describe('the documentation', () => {
  const executed = PAGE_FILES.filter((file) => !NOT_EXECUTED_YET.includes(file));

  it.each(executed)('has no block in %s that is neither executed nor announced', (file) => {
    expect(readPage(file).file).toBe(file);
  });

  it('says of each block that is not executed why, and which test covers it', () => {
    const exceptions = executed.flatMap((file) => readPage(file).notRun.map((block) => ({ file, ...block })));
    expect(exceptions.filter((block) => problemOf(block) !== undefined)).toEqual([]);
    expect(exceptions.map(({ file, reason }) => `${file}: ${reason}`)).toEqual([]);
  });

  it('has every page that is not executed yet, and such a page is not one that could be', () => {
    expect(NOT_EXECUTED_YET.filter((file) => !PAGE_FILES.includes(file))).toEqual([]);
  });
});
