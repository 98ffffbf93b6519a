import { homedir } from 'node:os';
import { join } from 'node:path';
import { resourceOf } from '#src/app/clients.ts';
import { KINDS, type Kind } from '#src/api/group.ts';
import { ServerClock } from '#src/io/server-clock.ts';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { openKubeconfigConnection } from '#src/kube/kubeconfig.ts';
import { HttpKubeClient } from '#src/kube/transport.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import type { Invocation } from './invocation.ts';
import { NO_METRICS } from './no-metrics.ts';
import { Problem } from './problem.ts';

/** The cluster of the kubeconfig, with the rights of its user. */
export class UserCluster implements AsyncDisposable {
  readonly client: KubeClient;
  /** The time of the API server, as its replies tell it. */
  readonly serverTime: ServerClock;
  /** Of `-n`, else of the context, else `default`: as kubectl. */
  readonly namespace: string;
  readonly signal: AbortSignal;

  private constructor(
    { client, serverTime }: Pick<UserCluster, 'client' | 'serverTime'>,
    namespace: string,
    signal: AbortSignal,
  ) {
    this.client = client;
    this.serverTime = serverTime;
    this.namespace = namespace;
    this.signal = signal;
  }

  /** Reads the kubeconfig as kubectl does: `--kubeconfig`, KUBECONFIG, `~/.kube/config`. Throws `CONFIG_INVALID`. */
  static async open({ clock, env, flags, signal, version }: Invocation): Promise<UserCluster> {
    const path = flags.kubeconfig ?? (env['KUBECONFIG'] || join(homedir(), '.kube', 'config'));
    const connection = await openKubeconfigConnection({ path, context: flags.context, clock });
    const serverTime = new ServerClock(clock);
    const client = new HttpKubeClient({
      connection,
      serverClock: serverTime,
      mandate: ALWAYS_HELD,
      clock,
      random: Math.random,
      metrics: NO_METRICS,
      version,
    });
    return new UserCluster(
      { client, serverTime },
      flags.namespace ?? connection.userNamespace ?? 'default',
      signal,
    );
  }

  objects(kind: Kind): ObjectClient {
    return new ObjectClient(this.client, resourceOf(kind));
  }

  /** The object as the server has it. Throws `Problem` if there is none of this name. */
  async get(kind: Kind, name: string): Promise<KubeObject> {
    const namespace = KINDS[kind].namespaced ? this.namespace : undefined;
    const found = await this.objects(kind).get({ namespace, name }, this.signal);
    if (found !== undefined) return found;
    const where = namespace === undefined ? '' : ` in the namespace ${namespace}`;
    const list = `kubectl get ${KINDS[kind].plural}${namespace === undefined ? '' : ` -n ${namespace}`}`;
    throw new Problem(`There is no ${kind} ${name}${where}. Look for its name: ${list}.`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}
