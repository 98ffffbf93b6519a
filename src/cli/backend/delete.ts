import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { Problem } from '../problem.ts';
import { isSet, type TypedFlags } from '../typed-flags.ts';
import { findBackend, kubectlName, type FoundBackend } from './stored.ts';
import { inWords, usageOf, type Usage } from './usage.ts';
import { resourceOf } from '#src/app/clients.ts';
import { describeTarget, objectPath } from '#src/kube/resource.ts';

/** `backend delete NAME`: refuses while migrations use it, unless `--force`. No value is deleted in any store. */
export async function deleteBackend(
  invocation: Invocation,
  name: string,
  flags: TypedFlags,
): Promise<number> {
  await using cluster = await UserCluster.open(invocation);
  const found = await findBackend(cluster, name, isSet(flags, 'cluster'));
  refuseUnasked(found, name, flags);
  const { output } = invocation;
  const title = kubectlName(found.kind, found.object.metadata.name);
  const usage = await usageIn(cluster, found);
  if (!isSet(flags, 'force')) refuseUsed(title, usage);
  else if (usage.uses.length > 0) output.note(`These migrations stop: ${inWords(usage.uses)}.`);
  await remove(cluster, found);
  output.line(`${title} deleted`);
  return 0;
}

/** A shared backend is that of many: it is not enough that there is none of this name in the namespace. */
function refuseUnasked({ kind }: FoundBackend, typed: string, flags: TypedFlags): void {
  if (kind === 'SecretBackend' || isSet(flags, 'cluster') || typed.includes('/')) return;
  throw new Problem(
    `${typed} is a ClusterSecretBackend, which other namespaces can use. To delete it, add --cluster.`,
  );
}

async function usageIn(cluster: UserCluster, { backend }: FoundBackend): Promise<Usage> {
  return backend === undefined ? { uses: [], isComplete: false } : usageOf(cluster, backend);
}

function refuseUsed(title: string, { uses, isComplete }: Usage): void {
  if (uses.length > 0)
    throw new Problem(
      `${title} is used by ${inWords(uses)}. Delete these migrations first, or add --force: they stop, and nothing is deleted in a store.`,
    );
  if (!isComplete)
    throw new Problem(
      `You may not list all migrations that can use ${title}. Ask an administrator to delete it, or add --force if you are sure.`,
    );
}

/** Exactly this object: a new one of the same name stays. */
async function remove({ client, signal }: UserCluster, { kind, object }: FoundBackend): Promise<void> {
  const { name, namespace, uid } = object.metadata;
  const resource = resourceOf(kind);
  await client.request({
    method: 'DELETE',
    path: objectPath(resource, { name, namespace }),
    body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } },
    op: 'backend.delete',
    target: describeTarget(resource, { name, namespace }),
    holdsNoValue: true,
    signal,
  });
}
