import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import { objectKey, type ReadonlyStore } from '#src/runtime/store.ts';
import type { Following } from './following.ts';

/**
 * The keys of the migrations whose first pass in this process has not ended and that may have this Secret as a document: with
 * that pass its change is carried, so it does not wait for those that nobody waits for. It may name one too many.
 */
export function* awaitingPass(
  migrations: Pick<ReadonlyStore<SecretMigration>, 'byIndex'>,
  following: Pick<Following, 'of'>,
  secret: { readonly namespace: string; readonly name: string },
): Generator<string> {
  for (const migration of migrations.byIndex('namespace', secret.namespace)) {
    const key = objectKey(migration.metadata);
    if (isKeptInStep(migration) && following.of(key) === undefined && maySelect(migration, secret.name))
      yield key;
  }
}

/** Labels, and the shapes of documents, are for the pass. */
function maySelect({ spec: { mapping, select } }: SecretMigration, name: string): boolean {
  if (mapping.split !== undefined || mapping.join !== undefined) return true;
  if (select.names !== undefined) return select.names.includes(name);
  return select.prefix === undefined || name.startsWith(select.prefix);
}
