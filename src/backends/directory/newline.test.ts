import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import type { Content } from './content.ts';
import { toContent, toFields } from './newline.ts';

const NEWLINE = 0x0a;

/** Bytes with many newlines, most of them at the end. */
const bytes = fc
  .tuple(fc.uint8Array({ maxLength: 40 }), fc.array(fc.constantFrom(0x0a, 0x0d, 0x20), { maxLength: 3 }))
  .map(([start, end]) => Buffer.from([...start, ...end]));
const contents = fc
  .dictionary(fc.stringMatching(/^[a-z]{1,5}$/), bytes, { maxKeys: 4, noNullPrototype: true })
  .map((files): Content => ({ shape: 'folder', files: new Map(Object.entries(files)) }));
const policy = fc.constantFrom('Keep' as const, 'Strip' as const);

const hexOf = (bytes: Buffer): string => bytes.toString('hex');
const plain = (content: Content): Record<string, string> =>
  Object.fromEntries([...content.files].map(([name, file]) => [name, hexOf(file)]));

describe('trailingNewline', () => {
  it('returns every value that was written, with both policies', () => {
    fc.assert(
      fc.property(contents, policy, ({ files }, trailingNewline) => {
        const fields = new Map([...files].map(([name, file]) => [name, SecretValue.fromBytes(file)]));
        const read = toFields(toContent({ fields }, trailingNewline), trailingNewline);
        expect([...read.keys()].toSorted()).toEqual([...fields.keys()].toSorted());
        for (const [name, value] of read) expect(hexOf(value.reveal())).toBe(hexOf(files.get(name)!));
      }),
    );
  });

  it('Keep writes every file as it was read, byte for byte', () => {
    fc.assert(
      fc.property(contents, (content) => {
        expect(plain(toContent({ fields: toFields(content, 'Keep') }, 'Keep'))).toEqual(plain(content));
      }),
    );
  });

  it('Strip writes a file that ends in a newline as it was read, and adds a newline to any other', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const back = toContent({ fields: toFields(content, 'Strip') }, 'Strip');
        const ended = [...content.files].map(([name, file]) => {
          const isEnded = file.at(-1) === NEWLINE;
          return [name, hexOf(isEnded ? file : Buffer.concat([file, Buffer.of(NEWLINE)]))] as const;
        });
        expect(plain(back)).toEqual(Object.fromEntries(ended));
      }),
    );
  });

  it('does not change the bytes of the file', () => {
    const file = Buffer.from('v\n');
    toFields({ shape: 'file', files: new Map([['value', file]]) }, 'Strip');
    expect(file.toString()).toBe('v\n');
  });
});

describe('the form of a document', () => {
  it.each([
    ['file', ['value']],
    ['folder', ['token']],
    ['folder', ['value', 'other']],
    ['folder', []],
  ] as const)('is a %s for the keys %j', (shape, names) => {
    const fields = new Map(names.map((name) => [name, SecretValue.fromUtf8('v')]));
    expect(toContent({ fields }, 'Keep').shape).toBe(shape);
  });
});
