import type { SecretMigration, SecretMigrationStatus } from '#src/api/v1alpha1/secret-migration.ts';
import type { Metrics } from '#src/ports.ts';
import type { Verdict } from './verdict.ts';

type Shown = Pick<SecretMigrationStatus, 'summary' | 'fallback'>;
type MigrationName = Pick<SecretMigration['metadata'], 'namespace' | 'name'>;

const KEY_STATES = ['pending', 'copied', 'verified', 'removed', 'conflict', 'failed', 'skipped'] as const;
const CONDITION_STATUSES = ['True', 'False', 'Unknown'] as const;

/** Sets the gauges of one migration to what its status shows after a verdict. `nowMs` is the time of the verdict. */
export function measureMigration(
  metrics: Metrics,
  { namespace, name }: MigrationName,
  { shown, verdict, nowMs }: { readonly shown: Shown; readonly verdict: Verdict; readonly nowMs: number },
): void {
  const { summary, fallback } = shown;
  if (summary !== undefined) {
    for (const state of KEY_STATES)
      metrics.gauge('secretmigration_keys', { namespace, name, state }, summary[state]);
  }
  for (const status of CONDITION_STATUSES) {
    const labels = { namespace, name, type: 'Ready', status };
    metrics.gauge('secretmigration_condition', labels, verdict.ready === status ? 1 : 0);
  }
  if (fallback !== undefined)
    metrics.gauge('secretmigration_fallback_hits', { namespace, name }, fallback.hits);
  if (verdict.succeeded !== 'True') return;
  metrics.gauge('secretmigration_last_success_timestamp_seconds', { namespace, name }, nowMs / 1000);
}

/** Drops the gauges of a migration that no longer exists. */
export function forgetMigration(metrics: Metrics, { namespace, name }: MigrationName): void {
  for (const state of KEY_STATES) metrics.forget('secretmigration_keys', { namespace, name, state });
  for (const status of CONDITION_STATUSES) {
    metrics.forget('secretmigration_condition', { namespace, name, type: 'Ready', status });
  }
  metrics.forget('secretmigration_fallback_hits', { namespace, name });
  metrics.forget('secretmigration_last_success_timestamp_seconds', { namespace, name });
}
