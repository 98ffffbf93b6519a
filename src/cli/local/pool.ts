import { resolve } from 'node:path';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { credentialsIn, registryOf } from '#src/app/backends.ts';
import { recordedCredentials } from '#src/backends/recorded-credentials.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import type { BackendRegistry } from '#src/backends/registry.ts';
import { DriverPool } from '#src/controllers/backend/pool.ts';
import { ConnectRules } from '#src/io/connect-rules.ts';
import { NO_TRACES } from '#src/io/no-traces.ts';
import type { KubeClient } from '#src/kube/client.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import type { Invocation } from '../invocation.ts';
import { NO_METRICS } from '../no-metrics.ts';
import { Problem } from '../problem.ts';
import {
  findCredentials,
  localCredentialsFor,
  needsServiceAccount,
  type LocalCredentialsOptions,
  type Places,
} from './credentials.ts';
import { NO_LOG } from './no-log.ts';

export interface PoolOptions {
  readonly backends: readonly Backend[];
  /** That of the kubeconfig; undefined if no end needs one. */
  readonly client: KubeClient | undefined;
  readonly namespace: string;
  readonly credentials: Places;
  readonly allowInsecureHttp: boolean;
  readonly directoryRoot: string | undefined;
}

/** True if one of these backends has Secrets of a cluster, or logs in with a token that only a cluster issues. */
export function needCluster(backends: readonly Backend[]): boolean {
  return backends.some((backend) => backend.spec.type === 'kubernetes' || needsServiceAccount(backend));
}

/** The backends of one migration in this process. Throws `Problem` for missing credentials and for plain http. */
export async function openPool(invocation: Invocation, options: PoolOptions): Promise<DriverPool> {
  const { env } = invocation;
  const { allowInsecureHttp, backends, client, credentials, namespace } = options;
  for (const { metadata, spec } of backends)
    if (spec.openbao?.address.startsWith('http:') === true && !allowInsecureHttp)
      throw new Problem(
        `The backend ${metadata.name} has a plain http address: values and its token would be sent unencrypted. Use https, or add --allow-insecure-http for a test server.`,
      );
  const found = await findCredentials(backends, credentials, env);
  const cluster =
    client && credentialsIn(client, { audiencePrefix: AUDIENCES, allowApiServerAudience: false });
  const registry = openRegistry(invocation, options, { found, env, cluster });
  return new DriverPool({
    registry,
    clusterResourceNamespace: namespace,
    closedNamespaces: [],
    kinds: BACKEND_KINDS,
  });
}

/** As the operator without flags: a token for another audience could be used against the API server. */
const AUDIENCES = 'keyferry.io/';

function openRegistry(
  { clock, version }: Invocation,
  { allowInsecureHttp, client, directoryRoot = '.' }: PoolOptions,
  credentials: LocalCredentialsOptions,
): BackendRegistry {
  return registryOf({
    client,
    credentials: (use) => {
      const source = localCredentialsFor(use, credentials);
      return recordedCredentials(source, { clock, accessLog: undefined })(use);
    },
    // The rules protect a cluster from its tenants. A person may go wherever the own machine goes.
    connectRules: new ConnectRules({ allowed: ['0.0.0.0/0', '::/0'], apiServers: [] }),
    allowInsecureHttp,
    directories: { root: resolve(directoryRoot), isPersonal: true },
    accessLog: undefined,
    mandate: ALWAYS_HELD,
    random: Math.random,
    clock,
    version,
    logger: NO_LOG,
    metrics: NO_METRICS,
    tracer: NO_TRACES,
  });
}
