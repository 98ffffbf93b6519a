import { DirectoryFactory, type DirectoryFactoryOptions } from '#src/backends/directory/factory.ts';
import type { CredentialSource, CredentialsFor } from '#src/backends/credentials.ts';
import type { BackendFactory } from '#src/backends/factory.ts';
import { KubernetesCredentials } from '#src/backends/kubernetes/credentials.ts';
import { KubernetesFactory } from '#src/backends/kubernetes/factory.ts';
import { TokenRules } from '#src/backends/kubernetes/token-rules.ts';
import { OpenBaoFactory } from '#src/backends/openbao/factory.ts';
import { recordedCredentials } from '#src/backends/recorded-credentials.ts';
import { BackendRegistry } from '#src/backends/registry.ts';
import type { Config } from '#src/config/schema.ts';
import { ConnectRules } from '#src/io/connect-rules.ts';
import type { SlotsByServer } from '#src/io/slots-by-server.ts';
import type { KubeClient } from '#src/kube/client.ts';
import type { AccessLog } from '#src/ports.ts';
import type { Base } from './base.ts';

/** What the factories of all kinds need. */
export interface RegistryParts extends Pick<
  Base,
  'clock' | 'logger' | 'mandate' | 'metrics' | 'random' | 'tracer' | 'version'
> {
  /** Undefined: no backend has Secrets of a cluster. */
  readonly client: KubeClient | undefined;
  readonly credentials: CredentialsFor;
  readonly connectRules: ConnectRules;
  readonly allowInsecureHttp: boolean;
  /** The requests under way at each server. Default: nobody else sees them. */
  readonly slots?: SlotsByServer;
  /** How old a probe may be that a run takes for granted. Default: of any age. */
  readonly probeKnownForMs?: number;
  readonly directories: Pick<DirectoryFactoryOptions, 'root' | 'isPersonal'>;
  /** Undefined: no access is recorded. */
  readonly accessLog: AccessLog | undefined;
}

/** One factory for each kind of backend that ships, as the operator is configured. */
export function createRegistry(
  base: Base,
  accessLog: AccessLog | undefined,
  slots: SlotsByServer,
): BackendRegistry {
  const { apiServerHost, client, clock, config } = base;
  const { allowConnectTo, allowInsecureHttp, directoryRoot: root, kubernetesServiceHost } = config;
  return registryOf({
    ...base,
    credentials: recordedCredentials(credentialsIn(client, config), { clock, accessLog }),
    connectRules: new ConnectRules({
      allowed: allowConnectTo,
      // The same server from within the cluster, also if a kubeconfig names another address of it.
      apiServers: [apiServerHost, ...(kubernetesServiceHost === undefined ? [] : [kubernetesServiceHost])],
    }),
    allowInsecureHttp,
    slots,
    // Those in use are probed more often than this.
    probeKnownForMs: 2 * config.probeIntervalSeconds * 1000,
    directories: { root, isPersonal: false },
    accessLog,
  });
}

/** The credentials of backends in a cluster: Secrets, and tokens of ServiceAccounts as the rules allow. */
export function credentialsIn(
  client: KubeClient,
  rules: Pick<Config, 'allowApiServerAudience' | 'audiencePrefix'>,
): CredentialSource {
  return new KubernetesCredentials(client, new TokenRules({ client, ...rules }));
}

/** One factory for each kind of backend that ships. */
export function registryOf(parts: RegistryParts): BackendRegistry {
  const { accessLog, client, clock, credentials, directories, logger, metrics, random, tracer, version } =
    parts;
  const { allowInsecureHttp, connectRules, mandate } = parts;
  const factories: readonly BackendFactory[] = [
    ...(client === undefined ? [] : [new KubernetesFactory(client)]),
    new OpenBaoFactory({
      credentialsFor: credentials,
      connectRules,
      mandate,
      clock,
      random,
      tracer,
      userAgent: `keyferry/${version}`,
      allowInsecureHttp,
      ...(parts.slots === undefined ? {} : { slots: parts.slots }),
    }),
    new DirectoryFactory({ ...directories, clock, random }),
  ];
  const layers = { guard: { clock, random, metrics, logger, tracer }, accessLog };
  return new BackendRegistry(factories, layers, { knownForMs: parts.probeKnownForMs });
}
