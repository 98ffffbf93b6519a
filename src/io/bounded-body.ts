import { OperatorError } from '#src/errors.ts';
import type { FailedOperation } from './network-failure.ts';

/**
 * The whole body of a reply, at most `maxBytes`. A larger one throws `REPLY_INVALID`, which is indeterminate for a write:
 * the server replied, but the reply was not read.
 */
export async function readBounded(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  operation: FailedOperation,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new OperatorError('REPLY_INVALID', {
        op: operation.op,
        target: operation.target,
        detail: `The reply is larger than ${maxBytes} bytes.`,
        indeterminate: operation.writes,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
