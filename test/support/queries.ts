import type { EventsV1Event } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import type { ConditionType } from '#src/api/v1alpha1/conditions.ts';
import type { Condition } from '#src/schema/meta.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { uniqueName } from '#test/cluster/cluster.ts';
import { ReplyError } from '#test/cluster/json-client.ts';
import { eventually } from './eventually.ts';
import type { Tenant } from './tenant.ts';

/** Metadata of one path from the KV server itself. */
export interface KvMetadata {
  readonly current_version: number;
  readonly delete_version_after: string;
  readonly custom_metadata: Readonly<Record<string, string>> | null;
  readonly versions: Readonly<
    Record<
      string,
      { readonly created_time: string; readonly deletion_time: string; readonly destroyed: boolean }
    >
  >;
}

/** Asks the KV server without a proxy; undefined if nothing exists there. */
async function kvGet<T>(tenant: Tenant, path: string): Promise<T | undefined> {
  try {
    return (await tenant.cluster.bao<{ data: T }>('GET', `${tenant.mount}/${path}`)).data;
  } catch (error) {
    if (error instanceof ReplyError && error.status === 404) return undefined;
    throw error;
  }
}

/** Default path of a Secret of this name at the destination. */
export function pathOf(tenant: Tenant, name: string): string {
  return `${tenant.namespace}/${name}`;
}

/** Requests that read or write the document of this name at the destination, as a proxy sees their path. */
export function dataPathOf(tenant: Tenant, name: string): RegExp {
  return new RegExp(`^/v1/${tenant.mount}/data/${pathOf(tenant, name)}$`);
}

/** Undefined when the path was never written. */
export async function kvMetadata(tenant: Tenant, path: string): Promise<KvMetadata | undefined> {
  return await kvGet<KvMetadata>(tenant, `metadata/${path}`);
}

/** Number of the current version of a document at the destination. */
export async function versionOf(tenant: Tenant, name: string): Promise<number | undefined> {
  return (await kvMetadata(tenant, pathOf(tenant, name)))?.current_version;
}

export async function kvData(
  tenant: Tenant,
  path: string,
  version?: number,
): Promise<Readonly<Record<string, string>>> {
  const query = version === undefined ? '' : `?version=${version}`;
  const reply = await tenant.cluster.bao<{ data: { data: Record<string, string> } }>(
    'GET',
    `${tenant.mount}/data/${path}${query}`,
  );
  return reply.data.data;
}

/** Writes another version, as another client does. */
export async function kvPut(
  tenant: Tenant,
  path: string,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  await tenant.cluster.bao('POST', `${tenant.mount}/data/${path}`, { data });
}

/** Names directly below a folder; none if the folder does not exist. */
export async function kvNames(tenant: Tenant, folder: string): Promise<readonly string[]> {
  const found = await kvGet<{ readonly keys: readonly string[] }>(tenant, `metadata/${folder}?list=true`);
  return found?.keys ?? [];
}

/** Hides the current version, as `bao kv delete` does. */
export async function softDelete(tenant: Tenant, name: string): Promise<void> {
  await tenant.cluster.bao('DELETE', `${tenant.mount}/data/${pathOf(tenant, name)}`);
}

/** The first row of each document, by its name. */
export async function rowsByName(
  tenant: Tenant,
  migration: string,
): Promise<Readonly<Record<string, KeyRow>>> {
  const rows = await tenant.rows(migration);
  return Object.fromEntries(rows.toReversed().map((row) => [row.name, row]));
}

/** State and reason of each document: `Verified`, `Failed TooLarge`. */
export async function statesOf(tenant: Tenant, migration: string): Promise<Readonly<Record<string, string>>> {
  const rows = Object.entries(await rowsByName(tenant, migration));
  return Object.fromEntries(
    rows.map(([name, { state, reason }]) => [name, reason === undefined ? state : `${state} ${reason}`]),
  );
}

/** Requests a run, as a user does with `kubectl annotate`, and waits for its result. */
export async function requestRun(tenant: Tenant, migration: string): Promise<SecretMigration> {
  const token = uniqueName('run');
  await tenant.mergePatch('SecretMigration', migration, {
    metadata: { annotations: { [RECONCILE_REQUESTED_ANNOTATION]: token } },
  });
  return await eventually(`the run ${token} of ${migration} is done`, async () => {
    const current = await tenant.migration(migration);
    return current.status.lastHandledReconcileAt === token && current;
  });
}

/** `Completed`, `PartiallyFailed`, …: the reason of Ready. */
export function reasonOf(migration: SecretMigration): string | undefined {
  return migration.status.conditions?.find((condition) => condition.type === 'Ready')?.reason;
}

/** The condition of this type; undefined if the status does not have it. */
export function conditionOf(migration: SecretMigration, type: ConditionType): Condition | undefined {
  return migration.status.conditions?.find((condition) => condition.type === type);
}

/** The line of `kubectl get secretmigrations` by column, without AGE. */
export async function columnsOf(
  tenant: Tenant,
  migration: string,
): Promise<Readonly<Record<string, string>>> {
  const args = ['get', 'secretmigrations', migration, '-n', tenant.namespace];
  const { stdout } = await tenant.cluster.kubectl(args);
  const [head = [], row = []] = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  const columns = head.map((name, index) => [name, row[index] ?? ''] as const);
  return Object.fromEntries(columns.filter(([name]) => name !== 'AGE'));
}

export type EventLine = Stored<EventsV1Event>;

/** Waits for the event of this reason: an event is sent after the status that it reports. */
export async function eventOf(tenant: Tenant, reason: string): Promise<EventLine> {
  return await eventually(`the event ${reason} is there`, async () => {
    const list = await tenant.cluster.kube<StoredList<EventsV1Event>>(
      'GET',
      `/apis/events.k8s.io/v1/namespaces/${tenant.namespace}/events`,
    );
    return list.items.find((event) => event.reason === reason);
  });
}
