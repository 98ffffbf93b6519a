import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import type { Content } from './content.ts';
import { toContent, toFields } from './newline.ts';

const NEWLINE = 0x0a;

/** Bytes among which newlines are common, at the end above all. */
const bytes = fc
  .tuple(fc.uint8Array({ maxLength: 40 }), fc.array(fc.constantFrom(0x0a, 0x0d, 0x20), { maxLength: 3 }))
  .map(([begin, end]) => Buffer.from([...begin, ...end]));
const contents = fc
  .dictionary(fc.stringMatching(/^[a-z]{1,5}$/), bytes, { maxKeys: 4, noNullPrototype: true })
  .map((files): Content => ({ shape: 'folder', files: new Map(Object.entries(files)) }));
const policy = fc.constantFrom('Keep' as const, 'Strip' as const);

const hexOf = (bytes: Buffer): string => bytes.toString('hex');
const plain = (content: Content): Record<string, string> =>
  Object.fromEntries([...content.files].map(([name, file]) => [name, hexOf(file)]));

describe('trailingNewline', () => {
  it('gives back every value that was written, under either policy', () => {
    fc.assert(
      fc.property(contents, policy, ({ files }, trailingNewline) => {
        const fields = new Map([...files].map(([name, file]) => [name, SecretValue.fromBytes(file)]));
        const read = toFields(toContent({ fields }, trailingNewline), trailingNewline);
        expect([...read.keys()].toSorted()).toEqual([...fields.keys()].toSorted());
        for (const [name, value] of read) expect(hexOf(value.reveal())).toBe(hexOf(files.get(name)!));
      }),
    );
  });

  it('Keep gives back every file that was read, byte for byte', () => {
    fc.assert(
      fc.property(contents, (content) => {
        expect(plain(toContent({ fields: toFields(content, 'Keep') }, 'Keep'))).toEqual(plain(content));
      }),
    );
  });

  it('Strip gives back every file that was read and ends in a newline, and adds one to any other', () => {
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

  it('leaves the bytes that it was given as they are', () => {
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
  ] as const)('is a %s for the fields %j', (shape, names) => {
    const fields = new Map(names.map((name) => [name, SecretValue.fromUtf8('v')]));
    expect(toContent({ fields }, 'Keep').shape).toBe(shape);
  });
});
