import { createRollouts } from '#src/app/rollouts.ts';
import type { Rollouts } from '#src/controllers/rollout/rollouts.ts';
import { openInClusterConnection } from '#src/kube/config.ts';
import { openKubeconfigConnection } from '#src/kube/kubeconfig.ts';
import { HttpKubeClient } from '#src/kube/transport.ts';
import type { ObjectReference } from '#src/ports.ts';
import { EventRecorder } from '#src/runtime/events.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock as clock } from '#src/runtime/system-clock.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { RecordedLog, RecordedMetrics } from './recorded.ts';

/** Short, so that a test waits for a restart and not for the window. */
const WINDOW = { quietMs: 200, mostMs: 2_000 };

/** Restarts of workloads as the operator wires them, on a real API server, with real events. */
export class RunningRollouts implements AsyncDisposable {
  readonly log = new RecordedLog();
  readonly metrics = new RecordedMetrics();
  readonly #client: HttpKubeClient;
  readonly #rollouts: Rollouts;
  readonly #stop = new AbortController();
  readonly #stopEvents = new AbortController();
  readonly #running: Promise<void>;
  readonly #sending: Promise<void>;

  private constructor(client: HttpKubeClient) {
    this.#client = client;
    const parts = { client, clock, random: Math.random, logger: this.log, metrics: this.metrics };
    const events = new EventRecorder({ ...parts, reportingInstance: 'test' });
    this.#rollouts = createRollouts(parts, events, WINDOW);
    this.#running = this.#rollouts.run(this.#stop.signal);
    this.#sending = events.run(this.#stopEvents.signal);
  }

  /** With the rights of an administrator, or of a ServiceAccount. */
  static async start(
    cluster: Cluster,
    account?: { readonly namespace: string; readonly name: string },
  ): Promise<RunningRollouts> {
    const connection =
      account === undefined
        ? await openKubeconfigConnection({ path: cluster.kubeconfigPath, clock })
        : await openInClusterConnection({
            host: new URL(cluster.apiserverUrl).hostname,
            port: new URL(cluster.apiserverUrl).port,
            serviceAccountDirectory: await cluster.serviceAccountDirectory(account.namespace, account.name),
            clock,
          });
    const metrics = new RecordedMetrics();
    const transport = { connection, mandate: ALWAYS_HELD, clock, random: Math.random, metrics };
    return new RunningRollouts(new HttpKubeClient({ ...transport, version: 'test' }));
  }

  /** As the engine says it, for a migration `follow` of the namespace. */
  changed(namespace: string, name: string, revision: string): void {
    const migration: ObjectReference = {
      apiVersion: 'keyferry.io/v1alpha1',
      kind: 'SecretMigration',
      namespace,
      name: 'follow',
      uid: `${namespace}-follow`,
    };
    this.#rollouts.secretChanged({ namespace, name, revision, migration });
  }

  /** In the order of the operator: what was collected restarts, then its events leave. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#stopEvents.abort();
    await this.#sending;
    await this.#client[Symbol.asyncDispose]();
  }
}
