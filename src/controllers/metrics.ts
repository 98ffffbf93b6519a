import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Condition } from '#src/schema/meta.ts';
import type { Labels, Sample } from '#src/ports.ts';
import { namespaceOf } from './backend/names.ts';

const KEY_STATES = ['pending', 'copied', 'verified', 'removed', 'conflict', 'failed', 'skipped'] as const;
const CONDITION_STATUSES = ['True', 'False', 'Unknown'] as const;

/** The gauges that `samplesOf` yields. */
export const CACHE_GAUGES = [
  'secretmigration_keys',
  'secretmigration_condition',
  'secretmigration_fallback_hits',
  'secretmigration_last_success_timestamp_seconds',
  'secretmigration_backend_condition',
] as const;

/** All objects of a kind, as the cache has them. */
export interface CachedObjects {
  readonly migrations: Iterable<SecretMigration>;
  readonly backends: Iterable<Backend>;
}

/** What the status of each migration and backend says, at the time of the call. */
export function* samplesOf({ migrations, backends }: CachedObjects): Generator<Sample> {
  for (const migration of migrations) yield* ofMigration(migration);
  for (const backend of backends) {
    const { kind, metadata } = backend;
    const labels = { kind, namespace: namespaceOf(backend) ?? '', name: metadata.name };
    for (const type of ['Ready', 'Stalled'])
      yield* ofCondition('secretmigration_backend_condition', labels, { object: backend, type });
  }
}

function* ofMigration(migration: SecretMigration): Generator<Sample> {
  const { metadata, status } = migration;
  const labels = { namespace: metadata.namespace, name: metadata.name };
  const { summary, fallback } = status;
  if (summary !== undefined) {
    for (const state of KEY_STATES)
      yield { name: 'secretmigration_keys', labels: { ...labels, state }, value: summary[state] };
  }
  for (const type of ['Ready', 'Succeeded', 'Stalled'])
    yield* ofCondition('secretmigration_condition', labels, { object: migration, type });
  if (fallback !== undefined) yield { name: 'secretmigration_fallback_hits', labels, value: fallback.hits };
  const succeeded = conditionOf(migration, 'Succeeded');
  if (succeeded?.status !== 'True') return;
  const value = Date.parse(succeeded.lastTransitionTime) / 1000;
  yield { name: 'secretmigration_last_success_timestamp_seconds', labels, value };
}

function* ofCondition(
  name: string,
  labels: Labels,
  { object, type }: { readonly object: SecretMigration | Backend; readonly type: string },
): Generator<Sample> {
  const current = currentStatusOf(object, type);
  for (const status of CONDITION_STATUSES)
    yield { name, labels: { ...labels, type, status }, value: status === current ? 1 : 0 };
}

/**
 * Unknown while the condition is about an earlier spec, or does not exist yet. Stalled exists only while it is true, so it
 * is False beside any other condition of this spec.
 */
function currentStatusOf(object: SecretMigration | Backend, type: string): Condition['status'] {
  const isCurrent = (condition: Condition | undefined): condition is Condition =>
    condition?.observedGeneration === object.metadata.generation;
  const condition = conditionOf(object, type);
  if (isCurrent(condition)) return condition.status;
  return type === 'Stalled' && isCurrent(conditionOf(object, 'Ready')) ? 'False' : 'Unknown';
}

function conditionOf({ status }: SecretMigration | Backend, type: string): Condition | undefined {
  return status.conditions?.find((condition) => condition.type === type);
}
