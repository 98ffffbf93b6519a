import type { Outcome } from '#src/core/outcome.ts';
import type { PlanInputs } from './inputs.ts';
import type { NamedDocument } from './reserved-names.ts';

export interface Traveling {
  /** What the migration may copy. */
  readonly documents: readonly NamedDocument[];
  /** The rows of what stays. */
  readonly kept: readonly Outcome[];
}

/**
 * Keeps the credentials of backends out of a selection that does not name them: a token in another store can be read by all
 * who can read that store, and nobody asked for that. No I/O.
 */
export function withoutCredentials(
  { copyGate, intent: { selection } }: Pick<PlanInputs, 'copyGate' | 'intent'>,
  documents: readonly NamedDocument[],
): Traveling {
  if (selection.scope.by === 'names') return { documents, kept: [] };
  const kept: Outcome[] = [];
  const traveling = documents.filter((document) => {
    const held = copyGate(document);
    if (held !== undefined) kept.push({ name: document.name, keys: [], state: 'Skipped', ...held });
    return held === undefined;
  });
  return { documents: traveling, kept };
}
