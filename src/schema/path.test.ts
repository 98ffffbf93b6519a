import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NamespacePathSchema, namespaceOf } from './path.ts';

const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,8}$/);

describe('the path of an OpenBao namespace', () => {
  it('is the same however its ends are written', () => {
    const check = (segments: readonly string[], start: string, end: string): void => {
      const path = segments.join('/');
      const written = `${start}${path}${end}`;
      expect(NamespacePathSchema.safeParse(written).success).toBe(true);
      expect(namespaceOf(written)).toBe(path);
    };
    const slash = fc.constantFrom('', '/');
    fc.assert(fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), slash, slash, check));
  });

  it.each(['/', '//', 'a//', '//a', 'a//b', 'a/../b', './a', 'a b', 'a\n', 'naïve', ''])(
    'cannot be %j',
    (path) => {
      expect(NamespacePathSchema.safeParse(path).success).toBe(false);
    },
  );
});
