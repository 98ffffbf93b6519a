import { DirectoryFactory } from '#src/backends/directory/factory.ts';
import type { BackendFactory } from '#src/backends/factory.ts';
import { KubernetesCredentials } from '#src/backends/kubernetes/credentials.ts';
import { KubernetesFactory } from '#src/backends/kubernetes/factory.ts';
import { TokenRules } from '#src/backends/kubernetes/token-rules.ts';
import { OpenBaoFactory } from '#src/backends/openbao/factory.ts';
import { recordedCredentials } from '#src/backends/recorded-credentials.ts';
import { BackendRegistry } from '#src/backends/registry.ts';
import { ConnectRules } from '#src/io/connect-rules.ts';
import type { AccessLog } from '#src/ports.ts';
import type { Base } from './base.ts';

/** One factory for each kind of backend that ships. `accessLog` undefined: no access is recorded. */
export function createRegistry(base: Base, accessLog: AccessLog | undefined): BackendRegistry {
  const { apiServerHost, client, clock, config, logger, mandate, metrics, random, tracer, version } = base;
  const { allowApiServerAudience, allowInsecureHttp, audiencePrefix } = config;
  const rules = new TokenRules({ client, audiencePrefix, allowApiServerAudience });
  const factories: readonly BackendFactory[] = [
    new KubernetesFactory(client),
    new OpenBaoFactory({
      credentialsFor: recordedCredentials(new KubernetesCredentials(client, rules), { clock, accessLog }),
      connectRules: new ConnectRules({
        allowed: config.allowConnectTo,
        // The same server from within the cluster, also if a kubeconfig names another address of it.
        apiServers: [
          apiServerHost,
          ...(config.kubernetesServiceHost === undefined ? [] : [config.kubernetesServiceHost]),
        ],
      }),
      mandate,
      clock,
      random,
      tracer,
      userAgent: `keyferry/${version}`,
      allowInsecureHttp,
    }),
    new DirectoryFactory({ root: config.directoryRoot, clock, random }),
  ];
  return new BackendRegistry(factories, { guard: { clock, random, metrics, logger, tracer }, accessLog });
}
