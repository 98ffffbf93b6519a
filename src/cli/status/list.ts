import type { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { listObjects, type Choice } from '../list-objects.ts';
import { structured } from '../structured.ts';
import { tableOf } from '../table.ts';
import { cellsOf, headOf } from './columns.ts';
import type { StatusFlags } from './flags.ts';
import { listedOf } from './listed.ts';
import { titled } from '../secret-migrations.ts';
import { withAllRows } from './objects.ts';

/** Which migrations these flags choose. */
export function choiceOf(
  { inAllNamespaces, labelSelector }: StatusFlags,
  { namespace }: Pick<UserCluster, 'namespace'>,
): Choice {
  return {
    kind: 'SecretMigration',
    namespace: inAllNamespaces ? undefined : namespace,
    labelSelector,
  };
}

/** Prints the migrations. Resolves with the exit code: none is not a failure, as in kubectl get. */
export async function listMigrations(
  { clock, output, signal }: Invocation,
  cluster: UserCluster,
  flags: StatusFlags,
): Promise<number> {
  const { format } = flags;
  const { objects } = await listObjects(cluster.client, choiceOf(flags, cluster), signal);
  if (format === 'json' || format === 'yaml') {
    const items: object[] = [];
    for (const object of objects) items.push(await withAllRows(object, { cluster, output, signal }));
    output.line(
      structured({ apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items }, format),
    );
  } else if (objects.length === 0) output.note(noneIn(flags, cluster));
  else if (format === 'name') for (const object of objects) output.line(titled(object.metadata.name));
  else {
    const columns = { inAllNamespaces: flags.inAllNamespaces, isWide: format === 'wide' };
    const nowMs = clock.now();
    const rows = objects.map((object) => cellsOf(listedOf(object), columns, { nowMs, output }));
    output.line(tableOf(headOf(columns), rows));
  }
  return 0;
}

export function noneIn({ inAllNamespaces, labelSelector }: StatusFlags, cluster: UserCluster): string {
  const which = labelSelector === undefined ? 'SecretMigrations' : `SecretMigrations with these labels`;
  return `No ${which} found${inAllNamespaces ? '' : ` in the namespace ${cluster.namespace}`}.`;
}
