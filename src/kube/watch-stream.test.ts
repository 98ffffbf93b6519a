import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode } from '#src/errors.ts';
import type { WatchEvent } from './client.ts';
import { readWatchEvents } from './watch-stream.ts';

const options = { op: 'kube.watch', target: 'ConfigMap', maxLineBytes: 4096 };

async function* chunked(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let start = 0;
  for (const end of ends) {
    yield bytes.subarray(start, end);
    start = end;
  }
}

async function readAll(bytes: Uint8Array, cuts: readonly number[] = []): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  for await (const event of readWatchEvents(chunked(bytes, cuts), options)) events.push(event);
  return events;
}

function line(event: object): string {
  return `${JSON.stringify(event)}\n`;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'none',
    (error: { code: string }) => error.code,
  );
}

describe('readWatchEvents', () => {
  test('yields the same events however the bytes are split, even inside a character', async () => {
    const event = fc.record({
      type: fc.constantFrom('ADDED' as const, 'MODIFIED' as const, 'DELETED' as const, 'BOOKMARK' as const),
      object: fc.record({
        name: fc.string({ unit: 'grapheme' }),
        data: fc.constantFrom('ä', '💥\n', '€\u2028'),
      }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event), fc.array(fc.nat()), async (events, cuts) => {
        const bytes = Buffer.from(events.map(line).join(''), 'utf8');
        expect(await readAll(bytes, cuts)).toEqual(events);
      }),
    );
  });

  test('a line that is not JSON is an error and not a silently lost event', async () => {
    const bytes = Buffer.from(`${line({ type: 'ADDED', object: {} })}{"type":"ADDED","obj\n`);
    await expect(readAll(bytes)).rejects.toSatisfy((error) => hasCode(error, 'REPLY_INVALID'));
  });

  test.each([
    '[]\n',
    '"x"\n',
    '{"type":"NEW","object":{}}\n',
    '{"type":"ADDED"}\n',
    '{"type":"ADDED","object":{}}',
  ])('refuses %j', async (text) => {
    expect(await codeOf(readAll(Buffer.from(text)))).toBe('REPLY_INVALID');
  });

  test('refuses bytes that are not UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"type":"ADDED","object":{"a":"'),
      Buffer.from([0xff]),
      Buffer.from('"}}\n'),
    ]);
    expect(await codeOf(readAll(bytes))).toBe('REPLY_INVALID');
  });

  test('refuses an event above the limit, complete or not', async () => {
    const long = line({ type: 'ADDED', object: { a: 'x'.repeat(5000) } });
    expect(await codeOf(readAll(Buffer.from(long)))).toBe('REPLY_INVALID');
    expect(await codeOf(readAll(Buffer.from('x'.repeat(5000)), [1000, 2000, 3000]))).toBe('REPLY_INVALID');
  });

  test('throws an ERROR event as its typed problem', async () => {
    const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
    expect(await codeOf(readAll(Buffer.from(line({ type: 'ERROR', object: gone }))))).toBe('WATCH_EXPIRED');
    const failed = { kind: 'Status', code: 500, reason: 'InternalError' };
    expect(await codeOf(readAll(Buffer.from(line({ type: 'ERROR', object: failed }))))).toBe('SERVER_ERROR');
  });
});
