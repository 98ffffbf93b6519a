import type { Need, Refusal } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import type { Intent } from './intent.ts';
import type { PlanInputs } from './inputs.ts';
import type { Occupancy } from './names.ts';
import type { Mapped } from './targets.ts';

/** Checks in both backends the rights that the steps of these documents need. By name: why a document is denied. */
export async function askRights(
  { intent, source, destination, signal }: Pick<PlanInputs, 'intent' | 'source' | 'destination' | 'signal'>,
  documents: readonly Mapped[],
  occupancy: (address: Address) => Occupancy,
): Promise<ReadonlyMap<string, Refusal>> {
  const denied = new Map<string, Refusal>();
  if (intent.dryRun && documents.length === 0) return denied;
  const writes = await destination.denied(
    documents.map((document) => ({
      address: document.destination,
      verbs: copyVerbs(intent, document.name, occupancy(document.destination) === 'taken'),
    })),
    signal,
  );
  const needs = documents.map(({ name, source: address }) => ({
    address,
    verbs: removalVerbs(intent, name, source.claims !== undefined),
  }));
  const removals = await source.denied(
    needs.filter(({ verbs }) => verbs.length > 0),
    signal,
  );
  for (const document of documents) {
    const refusal = writes.get(document.destination) ?? removals.get(document.source);
    if (refusal !== undefined) denied.set(document.name, refusal);
  }
  return denied;
}

function copyVerbs(intent: Intent, name: string, isTaken: boolean): Need['verbs'] {
  if (!isTaken) return ['create', 'read'];
  return intent.policyOf(name).conflictPolicy === 'Overwrite' ? ['update', 'read'] : ['read'];
}

/** The verbs that the source policy of this document needs. */
function removalVerbs(intent: Intent, name: string, isFenced: boolean): Need['verbs'] {
  const { sourcePolicy } = intent.policyOf(name);
  if (sourcePolicy === 'Keep') return [];
  if (sourcePolicy === 'Project') return ['read', 'update'];
  const fence = isFenced ? (['update'] as const) : [];
  return sourcePolicy === 'Backup' ? ['read', 'create', ...fence, 'delete'] : ['read', ...fence, 'delete'];
}
