import { dirname, resolve } from 'node:path';
import type { Cluster, Context, KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '#src/ports.ts';
import { configInvalid, parseServer, type KubeConnection } from './config.ts';
import { readKubeconfigFiles, type KubeconfigFile } from './kubeconfig-files.ts';
import { AgingMaterial } from './kubeconfig-login.ts';

export interface KubeconfigOptions {
  /** One file, or a list as KUBECONFIG has it, which is merged as kubectl merges it. */
  readonly path: string;
  /** Default: the current-context of the first file that sets one. */
  readonly context?: string | undefined;
  readonly clock: Clock;
}

/**
 * The connection of one context of kubeconfig files, with any authentication that client-node supports (token, token file,
 * client certificate, exec plugin). client-node is loaded only here: it costs 550 ms and 90 MB, which a pod never needs.
 * It has no namespace: that of the context, `userNamespace`, is where its user works, not where the operator has its Lease
 * and credentials.
 * Throws `CONFIG_INVALID` for missing files, contexts, clusters and users and for plain http, skipped verification, a CA
 * that is not a certificate, proxies and impersonation.
 */
export async function openKubeconfigConnection(options: KubeconfigOptions): Promise<KubeConnection> {
  const files = await readKubeconfigFiles(options.path);
  const origin = files.map(({ path }) => path).join(', ');
  const config = await mergedConfig(files);
  if (options.context !== undefined) config.setCurrentContext(options.context);
  const context = requireContext(config, origin);
  const cluster = requireCluster(config, context, origin);
  requireUser(config, context, origin);
  const server = parseServer(cluster.server, `The cluster ${cluster.name} of ${origin}`);
  const material = new AgingMaterial(config, options.clock);
  await material.read();
  return {
    server,
    namespace: undefined,
    userNamespace: context.namespace || undefined,
    tls: async () => (await material.read()).tls,
    authorization: async () => (await material.read()).authorization,
    forgetAuthorization: () => material.forget(),
  };
}

/**
 * Of each name the whole entry of the first file that has it, and the current-context of the first file that sets one, as
 * kubectl (client-go, `ClientConfigLoadingRules.Load`). KubeConfig.loadFromDefault of client-node 2.0.1 does not: it throws
 * at a name that two files have and at a missing file, and takes the current-context of the last file.
 */
async function mergedConfig(files: readonly KubeconfigFile[]): Promise<KubeConfig> {
  const { KubeConfig: Loader } = await import('@kubernetes/client-node');
  const configs = files.map(({ path, json }) => {
    const config = new Loader();
    try {
      config.loadFromString(json);
      config.makePathsAbsolute(dirname(resolve(path)));
    } catch {
      // The message can have what the file has.
      throw configInvalid(`The kubeconfig file ${path} is not a valid kubeconfig.`);
    }
    return config;
  });
  const merged = new Loader();
  merged.loadFromOptions({
    clusters: firstByName(configs.flatMap((config) => config.getClusters())),
    users: firstByName(configs.flatMap((config) => config.getUsers())),
    contexts: firstByName(configs.flatMap((config) => config.getContexts())),
    currentContext: configs.map((config) => config.getCurrentContext()).find(Boolean) ?? '',
  });
  return merged;
}

function firstByName<Entry extends { readonly name: string }>(entries: readonly Entry[]): Entry[] {
  const byName = new Map<string, Entry>();
  for (const entry of entries) if (!byName.has(entry.name)) byName.set(entry.name, entry);
  return [...byName.values()];
}

function requireContext(config: KubeConfig, origin: string): Context {
  const name = config.getCurrentContext();
  const context = config.getContextObject(name);
  if (context !== null) return context;
  const names = config.getContexts().map((each) => each.name);
  const choice =
    names.length === 0 ? 'There is none in it.' : `Set --context to one of: ${names.join(', ')}.`;
  throw configInvalid(
    name === ''
      ? `The kubeconfig ${origin} has no current-context. ${choice}`
      : `The kubeconfig ${origin} has no context "${name}". ${choice}`,
  );
}

function requireCluster(config: KubeConfig, context: Context, origin: string): Cluster {
  const cluster = config.getCluster(context.cluster);
  if (cluster === null) {
    throw configInvalid(
      `The context "${context.name}" of ${origin} names the cluster "${context.cluster}", which is not in it.`,
    );
  }
  if (cluster.skipTLSVerify) {
    throw configInvalid(`The cluster ${cluster.name} of ${origin} skips TLS verification, which is refused.`);
  }
  // client-node takes an empty text for none, i.e. for all CAs of the system.
  if (cluster.caFile === '' || cluster.caData === '') {
    throw configInvalid(`The cluster ${cluster.name} of ${origin} has an empty certificate-authority.`);
  }
  if (cluster.proxyUrl !== undefined) {
    throw configInvalid(`The cluster ${cluster.name} of ${origin} uses a proxy-url, which is not supported.`);
  }
  return cluster;
}

/** A user that is not in the files would connect anonymously, and one that impersonates with more rights than it asks for. */
function requireUser(config: KubeConfig, context: Context, origin: string): void {
  const user = config.getUser(context.user);
  if (user === null && context.user) {
    throw configInvalid(
      `The context "${context.name}" of ${origin} names the user "${context.user}", which is not in it.`,
    );
  }
  if (user?.impersonateUser) {
    throw configInvalid(`The user "${user.name}" of ${origin} impersonates, which is not supported.`);
  }
}
