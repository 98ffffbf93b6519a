import { DEFAULT_BACKEND_ANNOTATION } from '#src/api/group.ts';
import { hasCode } from '#src/errors.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { Problem } from '../problem.ts';
import { annotate } from './annotate.ts';
import { kubectlName, listObjects, type Lister } from './stored.ts';
import { inWords, startedWithOther } from './usage.ts';

const KIND = 'ClusterSecretBackend';
/** Others can change backends meanwhile: so often all are read again. */
const ROUNDS = 5;

/**
 * `backend set-default NAME`: exactly this ClusterSecretBackend asks to be the default afterwards. It asks first and the
 * others end asking then, so that there is a default at every instant: the oldest that asks (ADR 0022).
 */
export async function setDefaultBackend(invocation: Invocation, name: string): Promise<number> {
  await using cluster = await UserCluster.open(invocation);
  const { output } = invocation;
  const hasChanged = await makeDefault(cluster, name);
  output.line(`${kubectlName(KIND, name)} is the default${hasChanged ? '' : ' already'}`);
  const stopped = hasChanged ? await startedWithOther(cluster, name) : [];
  if (stopped.length > 0)
    output.note(
      `Migrations that started with another default do not switch (DefaultChanged): ${inWords(stopped)}. Name the backends in new ones.`,
    );
  return 0;
}

/** Resolves with false if nothing had to change. Throws `Problem` if others keep changing it. */
export async function makeDefault(cluster: Lister, name: string): Promise<boolean> {
  for (let round = 1; round <= ROUNDS; round += 1) {
    if ((await settle(cluster, name)) === 'none') return round > 1;
  }
  throw new Problem(
    'Others change the default at the same time. Look at it: keyferry backend list; then try again.',
  );
}

/** One round: what differs from exactly one default is changed, each in the version that was read. */
async function settle(cluster: Lister, name: string): Promise<'none' | 'some' | 'conflict'> {
  const all = await listObjects(cluster, KIND, undefined);
  const target = targetIn(all, name);
  const others = (all ?? []).filter((each) => each !== target && asks(each));
  if (asks(target) && others.length === 0) return 'none';
  try {
    if (!asks(target))
      await annotate(cluster, KIND, target.metadata, { [DEFAULT_BACKEND_ANNOTATION]: 'true' });
    for (const { metadata } of others)
      await annotate(cluster, KIND, metadata, { [DEFAULT_BACKEND_ANNOTATION]: null });
    return 'some';
  } catch (thrown) {
    if (hasCode(thrown, 'VERSION_CONFLICT') || hasCode(thrown, 'NOT_FOUND')) return 'conflict';
    throw thrown;
  }
}

function targetIn(all: readonly KubeObject[] | undefined, name: string): KubeObject {
  if (all === undefined)
    throw new Problem('You may not list ClusterSecretBackends. Only an administrator chooses the default.');
  const target = all.find(({ metadata }) => metadata.name === name);
  if (target !== undefined) return target;
  const names = all.map(({ metadata }) => metadata.name);
  const choice = names.length === 0 ? 'There is none.' : `There are: ${names.join(', ')}.`;
  throw new Problem(
    `There is no ClusterSecretBackend ${name}, and only such a backend can be the default. ${choice}`,
  );
}

function asks({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[DEFAULT_BACKEND_ANNOTATION] === 'true';
}
