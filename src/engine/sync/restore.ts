import type { Refusal } from '#src/backends/refusal.ts';
import type { Address } from '#src/core/document.ts';
import type { RestoreStep } from '#src/core/sync/three-way.ts';
import { OperatorError } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { removing } from '../apply/run-permit.ts';

/** How long a copy of an overwritten document is kept, if the spec does not say: a week. */
const KEPT_MS = 7 * 86_400_000;

/**
 * Keeps a copy of what a restore will overwrite. Resolves with its address. Throws `CAPABILITY_MISSING` where the store can
 * keep none.
 */
export async function keepFirst(
  {
    clock,
    intent,
    permit,
    ...sides
  }: Pick<ApplyInputs, 'clock' | 'intent' | 'permit' | 'source' | 'destination'>,
  { to, expect }: RestoreStep,
  address: Address,
): Promise<Address> {
  const { copies } = sides[to];
  if (copies === undefined)
    throw new OperatorError('CAPABILITY_MISSING', { op: 'engine.sync', target: address });
  const expiresAt = new Date(clock.now() + (intent.backupTtlMs ?? KEPT_MS)).toISOString();
  return copies.keep(address, expect, expiresAt, removing(permit));
}

/** Why the version that a restore overwrites would not stay readable in the history of its store; undefined if it would. */
export async function refusalOfRestore(
  { signal, ...sides }: Pick<ApplyInputs, 'signal' | 'source' | 'destination'>,
  { to }: RestoreStep,
  address: Address,
): Promise<Refusal | undefined> {
  return sides[to].overwriteRefusal?.(address, signal);
}
