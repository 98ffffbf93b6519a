import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { readBounded } from './bounded-body.ts';

const write = { op: 'test.write', target: 'a', writes: true };
const body = (...chunks: string[]): AsyncIterable<Uint8Array> =>
  Readable.from(chunks.map((chunk) => Buffer.from(chunk)));

it('reads up to the limit and no byte more', async () => {
  expect((await readBounded(body(), 4, write)).toString()).toBe('');
  expect((await readBounded(body('ab', 'cd'), 4, write)).toString()).toBe('abcd');
  const refused = { code: 'REPLY_INVALID', op: 'test.write', target: 'a', indeterminate: true };
  await expect(readBounded(body('ab', 'cde'), 4, write)).rejects.toMatchObject(refused);
});

it('closes a body that it refuses, and a refused read is not indeterminate', async () => {
  const stream = Readable.from([Buffer.from('abcde'), Buffer.from('f')]);
  const read = { ...write, writes: false };
  await expect(readBounded(stream, 4, read)).rejects.toMatchObject({ indeterminate: false });
  expect(stream.destroyed).toBe(true);
});
