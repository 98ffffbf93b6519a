import type { Outcome } from '#src/core/outcome.ts';
import type { PlanInputs } from './inputs.ts';
import type { Documents } from './documents.ts';

/**
 * Keeps the credentials of backends out of a selection that does not name them: a token in another store can be read by all
 * who can read that store, and nobody asked for that. No I/O.
 */
export function leaveCredentials(
  { copyGate, intent: { selection } }: Pick<PlanInputs, 'copyGate' | 'intent'>,
  documents: Documents,
): readonly Outcome[] {
  const kept: Outcome[] = [];
  if (selection.scope.by === 'names') return kept;
  for (const item of documents.with()) {
    const name = documents.nameAt(item);
    const held = copyGate({ name });
    if (held === undefined) continue;
    kept.push({ name, keys: [], state: 'Skipped', ...held });
    documents.drop(item);
  }
  return kept;
}
