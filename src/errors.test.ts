import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from './errors/codes.ts';

describe('the table of error codes', () => {
  it.each(Object.entries(ERROR_CODES))('explains %s in whole sentences, with what to do', (_code, info) => {
    expect(info.summary).toMatch(/^[A-Z].*\.$/);
    expect(info.hint).toMatch(/^[A-Z].*\.$/);
  });
});
