import type { KubeClient, KubeRequest, WatchEvent, WatchRequest } from '#src/kube/client.ts';
import { openKubeconfigConnection } from '#src/kube/kubeconfig.ts';
import { openInClusterConnection, type KubeConnection } from '#src/kube/config.ts';
import { HttpKubeClient } from '#src/kube/transport.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { RecordedMetrics } from '#test/support/recorded.ts';

/** A transport over this connection, with real time. */
export function clientOf(
  connection: KubeConnection,
  options: Partial<ConstructorParameters<typeof HttpKubeClient>[0]> = {},
): HttpKubeClient {
  const metrics = new RecordedMetrics();
  return new HttpKubeClient({
    connection,
    mandate: ALWAYS_HELD,
    clock: systemClock,
    random: Math.random,
    metrics,
    version: 'test',
    ...options,
  });
}

/** A client with the rights of an administrator, through a kubeconfig file. */
export async function openAdminClient(
  cluster: Cluster,
  options: Parameters<typeof clientOf>[1] = {},
): Promise<HttpKubeClient> {
  return clientOf(
    await openKubeconfigConnection({ path: cluster.kubeconfigPath, clock: systemClock }),
    options,
  );
}

/** A client as a pod has it, with the rights of this service account. */
export async function openPodClient(
  cluster: Cluster,
  namespace: string,
  account: string,
): Promise<HttpKubeClient> {
  const server = new URL(cluster.apiserverUrl);
  const connection = await openInClusterConnection({
    host: server.hostname,
    port: server.port,
    serviceAccountDirectory: await cluster.serviceAccountDirectory(namespace, account),
    clock: systemClock,
  });
  return clientOf(connection);
}

/** Passes everything on to a real client, may change watches on their way, and keeps what was asked. */
export class ObservedKubeClient implements KubeClient {
  readonly requests: KubeRequest[] = [];
  readonly watches: WatchRequest[] = [];
  readonly #inner: KubeClient;
  readonly #changeWatch: (request: WatchRequest, nth: number) => WatchRequest;

  constructor(
    inner: KubeClient,
    changeWatch: (request: WatchRequest, nth: number) => WatchRequest = (same) => same,
  ) {
    this.#inner = inner;
    this.#changeWatch = changeWatch;
  }

  async request(request: KubeRequest): Promise<unknown> {
    this.requests.push(request);
    return await this.#inner.request(request);
  }

  watch(request: WatchRequest): AsyncIterable<WatchEvent> {
    this.watches.push(request);
    return this.#inner.watch(this.#changeWatch(request, this.watches.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
