import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TreePathSchema } from '#src/schema/path.ts';
import { apiPathOf, joinPath, pathRefusalOf } from './path.ts';

const anyPath = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom('a', '/', '.', '%', '2', 'e', '\\', ' ', '?', '#', '\t', 'ü'),
    maxLength: 20,
  }),
);

describe('a path', () => {
  it('that is accepted is the same path to a URL parser', () => {
    const check = (path: string): void => {
      fc.pre(pathRefusalOf(path) === undefined);
      const encoded = apiPathOf(path, 'test');
      const parsed = new URL(`http://localhost${encoded}`);
      expect(parsed.pathname).toBe(encoded);
      expect(parsed.search + parsed.hash).toBe('');
      expect(parsed.pathname.split('/').slice(2).map(decodeURIComponent).join('/')).toBe(path);
    };
    fc.assert(fc.property(anyPath, check), { numRuns: 2_000 });
  });

  it('that is refused is never encoded', () => {
    const check = (path: string): void => {
      fc.pre(pathRefusalOf(path) !== undefined);
      expect(() => apiPathOf(path, 'test')).toThrow(expect.objectContaining({ code: 'DOCUMENT_REFUSED' }));
    };
    fc.assert(fc.property(anyPath, check), { numRuns: 1_000 });
  });

  it.each([
    'a',
    'a/b',
    'a-b_c.d',
    '.hidden',
    '..x',
    'Grüße/世界',
    'a b',
    "a'b(c)!*~",
    'a+b',
    'a:b@c;d=e&f,g$h',
  ])('can be %j', (path) => {
    expect(pathRefusalOf(path)).toBeUndefined();
  });

  it('is a mount or a prefix in the schema too, unless a segment starts with a period', () => {
    let accepted = 0;
    const check = (path: string): void => {
      const isAllowed = pathRefusalOf(path) === undefined && !/(?:^|\/)\./.test(path);
      expect([path, TreePathSchema.safeParse(path).success]).toEqual([path, isAllowed]);
      accepted += isAllowed ? 1 : 0;
    };
    fc.assert(fc.property(anyPath, check), { numRuns: 3_000 });
    expect(accepted).toBeGreaterThan(50);
  });

  it('does not quote what it refuses', () => {
    expect(pathRefusalOf('hunter2\u0007')?.message).not.toContain('hunter2');
  });

  it('is joined from parts that can be empty', () => {
    expect(joinPath('secret', 'data', '', 'a/b')).toBe('secret/data/a/b');
  });
});
