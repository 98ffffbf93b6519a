import type { Address, ReadResult } from '#src/core/document.ts';
import { errorOf } from '#src/errors.ts';
import type { ErrorCode } from '#src/errors.ts';
import type { ReadOutcome } from './driver.ts';
import { sideBySide } from './side-by-side.ts';

/** Failures that say nothing about one address: every other read would fail the same way. */
const WHOLE_BACKEND: ReadonlySet<ErrorCode> = new Set([
  'BACKEND_UNREACHABLE',
  'BACKEND_SEALED',
  'TLS_FAILED',
  'CREDENTIALS_MISSING',
  'MOUNT_MISSING',
  'FOLDER_MISSING',
  'FOLDER_EXPOSED',
]);

export interface ReadEachOptions {
  readonly width: number;
  readonly read: (address: Address) => Promise<ReadResult>;
  readonly signal: AbortSignal;
}

/** Reads each address once, several at a time: for stores that have no request for many. */
export async function* readEach(
  addresses: readonly Address[],
  { width, read, signal }: ReadEachOptions,
): AsyncGenerator<ReadOutcome> {
  yield* sideBySide(new Set(addresses), width, async (address): Promise<ReadOutcome> => {
    try {
      return { address, result: await read(address) };
    } catch (error) {
      if (signal.aborted || WHOLE_BACKEND.has(errorOf(error).code)) throw error;
      return { address, error };
    }
  });
}
