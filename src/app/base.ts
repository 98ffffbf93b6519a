import type { Config } from '#src/config/schema.ts';
import type { KubeClient } from '#src/kube/client.ts';
import type { ServerClock } from '#src/io/server-clock.ts';
import type { Clock, Logger, Mandate, Metrics, Random, Tracer } from '#src/ports.ts';

/** What every part of the operator is built from. */
export interface Base {
  readonly config: Config;
  readonly version: string;
  /** The namespace that the operator runs in. */
  readonly namespace: string;
  /** Where the Secrets and ServiceAccounts are that ClusterSecretBackends refer to. */
  readonly clusterResourceNamespace: string;
  readonly client: KubeClient;
  /** Name or address of the API server, as this process reaches it. */
  readonly apiServerHost: string;
  /** What every change outside of the process asks. */
  readonly mandate: Mandate;
  readonly clock: Clock;
  /** What the replies of the API server tell about its clock. */
  readonly serverClock: ServerClock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
}
