import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readReply, UNRESERVED_BYTES, type ReadReplyOptions } from './bounded-reply.ts';

const write = { op: 'test.write', target: 'a', writes: true };
const body = (...chunks: string[]): Readable => Readable.from(chunks.map((chunk) => Buffer.from(chunk)));

const nothingHeld: ReadReplyOptions = {
  limits: { maxBytes: 4, maxTokens: 100, maxDepth: 10 },
  operation: write,
  reserve: async () => Promise.reject(new Error('a small reply needs no reservation')),
};
const text = (bytes: Buffer): string => bytes.toString();

describe('readReply', () => {
  it('reads up to the limit and no byte more', async () => {
    expect(await readReply(body(), nothingHeld, text)).toBe('');
    expect(await readReply(body('ab', 'cd'), nothingHeld, text)).toBe('abcd');
    const refused = { code: 'REPLY_TOO_LARGE', op: 'test.write', target: 'a', indeterminate: true };
    await expect(readReply(body('ab', 'cde'), nothingHeld, text)).rejects.toMatchObject(refused);
  });

  it('lets a body that declares a small length collect itself, and reads any other one piece by piece', async () => {
    const collected = async (
      declared: string | undefined,
      limits = { ...nothingHeld.limits, maxBytes: 100_000 },
    ) => {
      const asked: string[] = [];
      const iterated = body('piece');
      const collecting = {
        [Symbol.asyncIterator]: () => iterated[Symbol.asyncIterator](),
        bytes: async () => {
          asked.push('bytes');
          return Promise.resolve(Buffer.from('whole'));
        },
      };
      const read = await readReply(collecting, { ...nothingHeld, limits, declared }, text);
      return [read, ...asked];
    };
    expect(await collected('5')).toEqual(['whole', 'bytes']);
    expect(await collected(String(UNRESERVED_BYTES + 1))).toEqual(['piece']);
    expect(await collected('99', { ...nothingHeld.limits, maxBytes: 98 })).toEqual(['piece']);
    for (const declared of [undefined, '', '-5', '1e2', 'many'])
      expect(await collected(declared)).toEqual(['piece']);
  });

  it('closes a body that it refuses, and a refused read is not indeterminate', async () => {
    const stream = body('abcde', 'f');
    const read = { ...nothingHeld, operation: { ...write, writes: false } };
    await expect(readReply(stream, read, text)).rejects.toMatchObject({ indeterminate: false });
    expect(stream.destroyed).toBe(true);
  });

  it('refuses too many parts and too much depth before a parser sees them, without their content', async () => {
    const limits = { maxBytes: 1_000, maxTokens: 3, maxDepth: 2 };
    const parse = (): never => {
      throw new Error('parsed');
    };
    for (const reply of ['["planted",2,3,4]', '[[["planted"]]]']) {
      const failure: unknown = await readReply(body(reply), { ...nothingHeld, limits }, parse).catch(
        (thrown: unknown) => thrown,
      );
      expect(failure).toMatchObject({ code: 'REPLY_TOO_LARGE' });
      expect(String(failure)).not.toContain('planted');
    }
  });

  it('reserves what a large reply can take, reads on only then, and gives it back after the parser', async () => {
    const events: string[] = [];
    const allowed = Promise.withResolvers<void>();
    const limits = { maxBytes: 1_000_000, maxTokens: 0, maxDepth: 0 };
    const reserve = async (bytes: number): Promise<Disposable> => {
      events.push(`reserve ${bytes}`);
      await allowed.promise;
      return { [Symbol.dispose]: () => void events.push('released') };
    };
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(UNRESERVED_BYTES, 'a');
      yield Buffer.from('b');
      events.push('read on');
      yield Buffer.from('c');
    }
    const reading = readReply(chunks(), { ...nothingHeld, limits, reserve }, () => events.push('parsed'));
    await new Promise(setImmediate);
    expect(events).toEqual(['reserve 1000000']);
    allowed.resolve();
    await reading;
    expect(events).toEqual(['reserve 1000000', 'read on', 'parsed', 'released']);
    await expect(
      readReply(
        chunks(),
        { ...nothingHeld, limits: { ...limits, maxBytes: UNRESERVED_BYTES + 1 }, reserve },
        text,
      ),
    ).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
    expect(events.at(-1)).toBe('released');
  });
});
