import { OperatorError } from '#src/errors.ts';
import { JsonShape, type JsonLimits } from './json-shape.ts';
import type { FailedOperation } from './network-failure.ts';

/** What a reply of one kind can be at most. */
export interface ReplyLimits extends JsonLimits {
  readonly maxBytes: number;
}

/**
 * Up to this size a reply needs no reservation: nearly all are smaller, and there are never more of them at once than
 * connections. So a server with large replies delays no small one.
 */
export const UNRESERVED_BYTES = 64 * 1024;

/** The body of a reply, in pieces. That of undici can also collect them itself, which takes less than to iterate over them. */
export interface ReplyBody extends AsyncIterable<Uint8Array> {
  readonly bytes?: () => Promise<Uint8Array>;
}

export interface ReadReplyOptions {
  readonly limits: ReplyLimits;
  /** `Content-Length`: undici passes on neither more nor fewer bytes. */
  readonly declared?: string | string[] | undefined;
  readonly operation: FailedOperation;
  /** Resolves when this number of bytes may be in memory; disposed of after the reply was parsed. */
  readonly reserve: (bytes: number) => Promise<Disposable>;
}

/**
 * Reads the whole body of a reply and parses it. Throws `REPLY_TOO_LARGE` if it exceeds a limit, which is indeterminate for
 * a write: the server replied, but the reply was not read. The rest of such a body is not read, and no parser sees it.
 */
export async function readReply<T>(
  body: ReplyBody,
  options: ReadReplyOptions,
  parse: (bytes: Buffer) => T,
): Promise<T> {
  const { limits, operation, reserve } = options;
  const shape = new JsonShape(limits);
  const requireShape = (bytes: Uint8Array): void => {
    if (shape.exceeds(bytes)) throw tooLarge(operation, partsOf(limits));
  };
  if (body.bytes !== undefined && isSmall(options)) {
    const bytes = await body.bytes();
    requireShape(bytes);
    return parse(bufferOf(bytes));
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  let reservation: Disposable | undefined;
  try {
    for await (const chunk of body) {
      size += chunk.byteLength;
      if (size > limits.maxBytes) throw tooLarge(operation, `It is larger than ${limits.maxBytes} bytes.`);
      // The server waits meanwhile: nothing reads from its connection.
      if (size > UNRESERVED_BYTES) reservation ??= await reserve(limits.maxBytes);
      // While the server sends the rest.
      requireShape(chunk);
      chunks.push(chunk);
    }
    return parse(Buffer.concat(chunks, size));
  } finally {
    reservation?.[Symbol.dispose]();
  }
}

/** True if the reply declares a length that no limit of bytes forbids. */
function isSmall({ declared, limits: { maxBytes } }: ReadReplyOptions): boolean {
  const isLength = typeof declared === 'string' && /^\d+$/.test(declared);
  return isLength && Number(declared) <= Math.min(maxBytes, UNRESERVED_BYTES);
}

function bufferOf({ buffer, byteLength, byteOffset }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function partsOf({ maxTokens, maxDepth }: JsonLimits): string {
  return `It is JSON of more than ${maxTokens} parts, or more than ${maxDepth} levels deep.`;
}

function tooLarge({ op, target, writes, unansweredAt }: FailedOperation, detail: string): OperatorError {
  return new OperatorError('REPLY_TOO_LARGE', { op, target, detail, indeterminate: writes, unansweredAt });
}
