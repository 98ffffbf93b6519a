import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { asksToBeDefault } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { namespaceOf } from '#src/controllers/backend/names.ts';
import { mayUse } from '#src/controllers/backend/lookup.ts';
import { readyOf } from '#src/controllers/conditions.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { UserCluster } from '../cluster.ts';
import { ageOf } from '../age.ts';
import type { Invocation } from '../invocation.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';
import { tableOf } from '../table.ts';
import { isSet, textOf, type TypedFlags } from '../typed-flags.ts';
import { printObject } from './print.ts';
import { kubectlName, listObjects, toBackend } from './stored.ts';

interface Listed {
  readonly object: KubeObject;
  readonly backend: Backend | undefined;
}

/** `backend list`: the SecretBackends of the namespace, and the ClusterSecretBackends that it may use. */
export async function listBackends(invocation: Invocation, flags: TypedFlags): Promise<number> {
  await using cluster = await UserCluster.open(invocation);
  const namespace = isSet(flags, 'allNamespaces') ? undefined : cluster.namespace;
  const listed = await readAll(invocation, cluster, namespace);
  const { output } = invocation;
  const format = textOf(flags, 'output');
  if (format === 'yaml' || format === 'json') {
    const items = listed.map(({ object }) => object);
    await printObject(output, { apiVersion: 'v1', kind: 'List', items }, format);
  } else if (format === 'name') {
    for (const { object } of listed) output.line(nameOf(object));
  } else if (listed.length === 0) {
    const where = namespace === undefined ? 'in any namespace' : `that the namespace ${namespace} may use`;
    output.note(`There is no backend ${where}. Create one: keyferry backend create --help.`);
  } else {
    output.line(
      tableOfBackends(listed, { nowMs: invocation.clock.now(), isWide: format === 'wide', namespace }),
    );
  }
  return 0;
}

async function readAll(
  { output }: Invocation,
  cluster: UserCluster,
  namespace: string | undefined,
): Promise<readonly Listed[]> {
  const [own, shared] = await Promise.all([
    listObjects(cluster, 'SecretBackend', namespace),
    listObjects(cluster, 'ClusterSecretBackend', undefined),
  ]);
  if (own === undefined) {
    const where = namespace === undefined ? 'of all namespaces' : `in the namespace ${namespace}`;
    throw new Problem(
      `You may not list the SecretBackends ${where}. Ask for the role view there, or name another namespace with -n.`,
    );
  }
  if (shared === undefined)
    output.note('You may not list ClusterSecretBackends, so only SecretBackends are shown.');
  const listed = [...own, ...(shared ?? [])].map((object) => ({ object, backend: toBackend(object) }));
  return namespace === undefined ? listed : listed.filter(({ backend }) => isUsable(backend, namespace));
}

/** One that this version cannot read is shown: it can be why something does not work. */
function isUsable(backend: Backend | undefined, namespace: string): boolean {
  return backend === undefined || mayUse(backend, namespace);
}

/** As `kubectl get secretbackends,clustersecretbackends`, in one table. */
export function tableOfBackends(
  listed: readonly Listed[],
  {
    nowMs,
    isWide,
    namespace,
  }: { readonly nowMs: number; readonly isWide: boolean; readonly namespace: string | undefined },
): string {
  const head = ['NAME', 'READY', 'STATUS', 'TYPE', 'DEFAULT', 'AGE'];
  const wide = isWide ? ['ADDRESS', 'SERVER', 'MESSAGE'] : [];
  const rows = listed.map(({ object, backend }) => [
    ...(namespace === undefined ? [object.metadata.namespace ?? ''] : []),
    nameOf(object),
    ...cellsOf(backend),
    ageOf(object.metadata.creationTimestamp, nowMs),
    ...(isWide ? wideCellsOf(backend) : []),
  ]);
  return tableOf([...(namespace === undefined ? ['NAMESPACE'] : []), ...head, ...wide], rows);
}

function cellsOf(backend: Backend | undefined): readonly string[] {
  if (backend === undefined) return ['Unknown', 'Unreadable', '', ''];
  const ready = readyOf(backend.status);
  const isDefault = namespaceOf(backend) === undefined && asksToBeDefault(backend);
  return [
    ready?.status ?? 'Unknown',
    printable(ready?.reason ?? 'NotProbed'),
    backend.spec.type,
    isDefault ? 'true' : '',
  ];
}

function wideCellsOf(backend: Backend | undefined): readonly string[] {
  if (backend === undefined) return ['', '', ''];
  const { spec, status } = backend;
  const cells = [spec.openbao?.address, status.server?.version, readyOf(status)?.message];
  return cells.map((text) => printable(text ?? ''));
}

function nameOf({ kind, metadata }: KubeObject): string {
  return kubectlName(kind === 'ClusterSecretBackend' ? kind : 'SecretBackend', metadata.name);
}
