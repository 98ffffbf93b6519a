import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { aMigration } from '#test/builders/objects.ts';

/** A row of the table as a status or report has it, an hour old at the time of a ManualClock. */
export function aStoredRow(name: string, keys: string[], more: Partial<StatusRow> = {}): StatusRow {
  const { key: _key, ...row } = aRow(name, '');
  return { ...row, keys, ...more };
}

/** What the table says of one key, an hour old at the time of a ManualClock. */
export function aRow(name: string, key: string, more: Partial<KeyRow> = {}): KeyRow {
  return {
    name,
    key,
    state: 'Verified',
    destination: { path: `shop/${name}`, version: '1' },
    lastTransitionTime: '2025-12-31T23:00:00Z',
    ...more,
  };
}

/** A SecretMigration as the API server returns it. */
export function aStoredMigration({
  name = 'payments',
  spec = {},
  status = {},
}: { readonly name?: string; readonly spec?: object; readonly status?: object } = {}) {
  const metadata = {
    name,
    namespace: 'shop',
    uid: 'uid-payments',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2025-12-31T22:00:00Z',
  };
  const migration = aMigration(name);
  return { ...migration, metadata, spec: { ...migration.spec, ...spec }, status };
}

/** The same, parsed. */
export function aParsedMigration(parts: Parameters<typeof aStoredMigration>[0] = {}): SecretMigration {
  const parsed = parseSecretMigration(aStoredMigration(parts));
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

/** The condition Ready. */
export function ready(status: 'True' | 'False' | 'Unknown', reason: string, message = 'It is so.') {
  return {
    type: 'Ready',
    status,
    reason,
    message,
    observedGeneration: 1,
    lastTransitionTime: '2025-12-31T23:30:00Z',
  };
}
