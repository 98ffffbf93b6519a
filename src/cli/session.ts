import type { Clock, Random } from '#src/ports.ts';
import { UserCluster } from './cluster.ts';
import type { Invocation } from './invocation.ts';
import type { Output, Streams } from './output.ts';
import { OwnObjects } from './own-objects.ts';

/** What a command that changes something works with. Tests give a scripted client. */
export interface Session {
  readonly objects: OwnObjects;
  /** Of `-n`, else of the context. */
  readonly namespace: string;
  readonly output: Output;
  readonly streams: Pick<Streams, 'stdin' | 'stderr'>;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when the person presses Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Does the work of one command in the cluster of the kubeconfig. Throws as `UserCluster.open` and as `work`. */
export async function withSession(
  invocation: Invocation,
  work: (session: Session) => Promise<number>,
): Promise<number> {
  await using cluster = await UserCluster.open(invocation);
  const { clock, output, signal, streams } = invocation;
  const objects = new OwnObjects(cluster.client, signal);
  const { namespace } = cluster;
  return await work({ objects, namespace, output, streams, clock, random: Math.random, signal });
}
