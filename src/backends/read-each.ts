import type { Address, ReadResult } from '#src/core/document.ts';
import { isBackendWide } from '#src/errors.ts';
import { distinctIn, type Addresses } from './addresses.ts';
import type { ReadOutcome } from './driver.ts';
import { mapConcurrently, type Width } from '#src/io/map-concurrently.ts';

export interface ReadEachOptions {
  readonly width: Width;
  readonly read: (address: Address) => Promise<ReadResult>;
  readonly signal: AbortSignal;
}

/** Reads each address once, `width` at a time: for stores without a request for many addresses. */
export async function* readEach(
  addresses: Addresses,
  { width, read, signal }: ReadEachOptions,
): AsyncGenerator<ReadOutcome> {
  yield* mapConcurrently(distinctIn(addresses), width, async (address): Promise<ReadOutcome> => {
    try {
      return { address, result: await read(address) };
    } catch (error) {
      if (signal.aborted || isBackendWide(error)) throw error;
      return { address, error };
    }
  });
}
