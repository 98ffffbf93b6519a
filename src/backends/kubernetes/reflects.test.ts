import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Reflected } from '#src/core/document.ts';
import { decodeReflected, encodeReflected } from './reflects.ts';

const part = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
const reflected: fc.Arbitrary<Reflected> = fc.record(
  { version: fc.record({ identity: part, revision: part }, { noNullPrototype: true }), replaced: part },
  { requiredKeys: ['version'], noNullPrototype: true },
);

describe('what a Secret reflects', () => {
  it('is readable in a version of KV', () => {
    const version = { identity: '2026-11-27T16:52:13.123456789Z', revision: '7' };
    expect(encodeReflected({ version })).toBe('7 2026-11-27T16:52:13.123456789Z');
    expect(encodeReflected({ version, replaced: '4711' })).toBe('7 2026-11-27T16:52:13.123456789Z 4711');
  });

  it('is read back as it was written, for any version', () => {
    fc.assert(
      fc.property(reflected, (each) => {
        const text = encodeReflected(each);
        if (text === undefined) return;
        expect(text).toMatch(/^[\x21-\x7e]+( [\x21-\x7e]+){1,2}$/);
        expect(decodeReflected(text)).toEqual(each);
      }),
    );
  });

  it('is nothing for any text that is not what would be written', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[%0-9A-F ]+$/)),
        (text) => {
          const decoded = decodeReflected(text);
          if (decoded !== undefined) expect(encodeReflected(decoded)).toBe(text);
        },
      ),
    );
  });

  it.each([
    '',
    ' ',
    '7',
    '7 ',
    ' a',
    '7  a',
    '7 a ',
    '7 a b c',
    '7 a\n',
    '7 %',
    '7 %61',
    '7 %e4',
    '7 %ED%A0%80',
    '7 ä',
    `7 ${'a'.repeat(2000)}`,
  ])('is nothing for %j', (text) => {
    expect(decodeReflected(text)).toBeUndefined();
  });

  it('has no text for a version that has no meaning in another process, or that is not Unicode', () => {
    const version = { identity: 'a', revision: '1' };
    expect(encodeReflected({ version: { ...version, isEphemeral: true } })).toBeUndefined();
    expect(encodeReflected({ version: { ...version, identity: '\uD800' } })).toBeUndefined();
    expect(encodeReflected({ version: { ...version, revision: '' } })).toBeUndefined();
    expect(encodeReflected({ version: { ...version, identity: 'ä'.repeat(500) } })).toBeUndefined();
    expect(decodeReflected(undefined)).toBeUndefined();
  });
});
