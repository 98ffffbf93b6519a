import { OperatorError } from '#src/errors.ts';
import type { WatchEvent } from './client.ts';
import { isJsonObject, jsonOfReply } from './json.ts';
import { problemOf } from './problem.ts';

export interface WatchStreamOptions {
  readonly op: string;
  readonly target: string;
  /** Maximum bytes of an event; a larger one is refused. */
  readonly maxLineBytes: number;
}

const NEWLINE = 0x0a;

/**
 * The events of a watch body: one JSON object per line. Throws `REPLY_INVALID` at a line that is not an event or that is cut
 * off by the end of the stream, because a dropped line is a lost event; the reader then resumes at the last resourceVersion.
 * An ERROR event is thrown as its typed problem (410 → `WATCH_EXPIRED`).
 */
export async function* readWatchEvents(
  chunks: AsyncIterable<Uint8Array>,
  options: WatchStreamOptions,
): AsyncGenerator<WatchEvent, void, void> {
  for await (const line of splitLines(chunks, options)) {
    if (line.length > 0) yield parseWatchEvent(line, options);
  }
}

/** Splits at newline bytes, which never occur in a multi-byte UTF-8 sequence. */
async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  options: WatchStreamOptions,
): AsyncGenerator<Uint8Array, void, void> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const tail = chunk.subarray(start, end);
      requireBounded(pendingBytes + tail.length, options);
      yield pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      requireBounded(pendingBytes, options);
    }
  }
  if (pendingBytes > 0) throw brokenStream(options, 'The stream ended inside an event.');
}

function requireBounded(lineBytes: number, options: WatchStreamOptions): void {
  if (lineBytes <= options.maxLineBytes) return;
  throw brokenStream(options, `An event is larger than ${options.maxLineBytes} bytes.`);
}

function parseWatchEvent(line: Uint8Array, options: WatchStreamOptions): WatchEvent {
  const event = jsonOfReply(line, { op: options.op, target: options.target });
  if (!isJsonObject(event)) throw brokenStream(options, 'An event is not an object.');
  const { type, object } = event;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      if (!isJsonObject(object)) throw brokenStream(options, 'An event holds no object.');
      return { type, object };
    case 'ERROR':
      throw watchProblem(object, options);
    default:
      throw brokenStream(options, 'An event has an unknown type.');
  }
}

function watchProblem(object: unknown, options: WatchStreamOptions): OperatorError {
  const code = isJsonObject(object) ? object['code'] : undefined;
  return problemOf(
    { httpStatus: typeof code === 'number' ? code : 0, body: object },
    { op: options.op, target: options.target, writes: false },
  );
}

function brokenStream(options: WatchStreamOptions, detail: string): OperatorError {
  return new OperatorError('REPLY_INVALID', { op: options.op, target: options.target, detail });
}
