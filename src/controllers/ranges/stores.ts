import type { Reader } from '#src/backends/driver.ts';
import { OperatorError } from '#src/errors.ts';

/**
 * In one store, the new place of a document can be that of another one, which a process sees that knows all names. Pods know theirs only.
 * Throws `CAPABILITY_MISSING`.
 */
export function requireTwoStores(
  source: Pick<Reader, 'locationOf'>,
  destination: Pick<Reader, 'locationOf'>,
): void {
  if (source.locationOf('').store !== destination.locationOf('').store) return;
  const detail =
    'spec.parallelism needs two stores, and source and destination are in one. Migrate without parallelism.';
  throw new OperatorError('CAPABILITY_MISSING', { op: 'ranges.stores', detail });
}
