import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from './errors/codes.ts';

const DOCUMENT = join(import.meta.dirname, '..', 'docs', 'errors.md');

describe('the table of error codes', () => {
  it('equals the table of docs/errors.md', () => {
    const documented = readFileSync(DOCUMENT, 'utf8').match(/^\| `[A-Z_]+` .*$/gm) ?? [];
    const expected = Object.entries(ERROR_CODES).map(
      ([code, { disposition, summary, hint }]) => `| \`${code}\` | ${disposition} | ${summary} | ${hint} |`,
    );
    expect(documented.toSorted()).toEqual(expected.toSorted());
  });

  it.each(Object.entries(ERROR_CODES))('explains %s in whole sentences, with what to do', (_code, info) => {
    expect(info.summary).toMatch(/^[A-Z].*\.$/);
    expect(info.hint).toMatch(/^[A-Z].*\.$/);
  });
});
