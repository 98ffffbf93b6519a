import type { KubeObject } from '#src/kube/client.ts';
import { isJsonObject } from '#src/kube/json.ts';
import type { UserCluster } from '../cluster.ts';
import type { Output } from '../output.ts';
import { readTable } from '../rows.ts';
import { migrationOf } from '../secret-migrations.ts';

export interface Reading {
  readonly cluster: UserCluster;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * The object as the server has it, with all rows in `status.keys`, also those of reports: then it has neither
 * `keysTruncated` nor `exceptions`, unless rows are missing. Without managedFields, as kubectl prints objects.
 */
export async function withAllRows(
  object: KubeObject,
  { cluster, output, signal }: Reading,
): Promise<Readonly<Record<string, unknown>>> {
  const { managedFields: _managed, ...metadata }: Readonly<Record<string, unknown>> = { ...object.metadata };
  const shown: Readonly<Record<string, unknown>> = { ...object, metadata };
  const status = shown['status'];
  if (!isJsonObject(status) || status['reports'] === undefined) return shown;
  const table = await readTable(cluster, migrationOf(object), signal);
  if (!table.isComplete) {
    output.note(`${object.metadata.name}: rows are missing. ${table.missing ?? ''}`);
    return { ...shown, status: { ...status, keys: table.stored } };
  }
  const { exceptions: _exceptions, keysTruncated: _truncated, ...rest } = status;
  return { ...shown, status: { ...rest, keys: table.stored } };
}
