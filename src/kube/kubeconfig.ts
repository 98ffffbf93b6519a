import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import type { Cluster, KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '#src/ports.ts';
import {
  configInvalid,
  parseServer,
  requireAuthorities,
  type KubeConnection,
  type TlsSettings,
} from './config.ts';

export interface KubeconfigOptions {
  readonly path: string;
  /** Default: the file's current-context. */
  readonly context?: string | undefined;
  readonly clock: Clock;
}

interface Material {
  readonly tls: TlsSettings;
  readonly authorization: string | undefined;
}

/** Short, because the token of an exec plugin may expire at any time and client-node uses it to the last second. */
const MATERIAL_MAX_AGE_MS = 30_000;

/**
 * The connection of one context of a kubeconfig file, with any authentication that client-node supports (token,
 * client certificate, exec plugin). client-node is loaded only here: it costs 550 ms and 90 MB, which a pod never needs.
 * Throws `CONFIG_INVALID` for a missing file or context and for plain http, skipped verification, a CA that is not a certificate, and proxies.
 */
export async function openKubeconfigConnection(options: KubeconfigOptions): Promise<KubeConnection> {
  const config = await loadKubeconfig(options);
  const cluster = requireCluster(config, options.path);
  const server = parseServer(cluster.server, `The cluster ${cluster.name} of ${options.path}`);
  const material = new AgingMaterial(config, options.clock);
  await material.read();
  return {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    tls: async () => (await material.read()).tls,
    authorization: async () => (await material.read()).authorization,
    forgetAuthorization: () => material.forget(),
  };
}

async function loadKubeconfig(options: KubeconfigOptions): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const text = await readFile(options.path, 'utf8').catch(() => undefined);
  if (text === undefined) throw configInvalid(`The kubeconfig file ${options.path} cannot be read.`);
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
    config.makePathsAbsolute(options.path.replace(/[^/]*$/, ''));
  } catch {
    // The YAML parser quotes the line at which it fails, which may contain a token.
    throw configInvalid(`The kubeconfig file ${options.path} is not a valid kubeconfig.`);
  }
  if (options.context !== undefined) config.setCurrentContext(options.context);
  return config;
}

function requireCluster(config: KubeConfig, path: string): Cluster {
  const context = config.getCurrentContext();
  const cluster = config.getCurrentCluster();
  if (config.getContextObject(context) === null || cluster === null) {
    throw configInvalid(`The kubeconfig file ${path} has no context "${context}" with a cluster.`);
  }
  if (cluster.skipTLSVerify) {
    throw configInvalid(`The cluster ${cluster.name} of ${path} skips TLS verification, which is refused.`);
  }
  // client-node takes an empty text for none, i.e. for all CAs of the system.
  if (cluster.caFile === '' || cluster.caData === '') {
    throw configInvalid(`The cluster ${cluster.name} of ${path} has an empty certificate-authority.`);
  }
  if (cluster.proxyUrl !== undefined) {
    throw configInvalid(`The cluster ${cluster.name} of ${path} uses a proxy-url, which is not supported.`);
  }
  return cluster;
}

/** Runs client-node's authenticators at most once per maximum age, one at a time (an exec plugin is a process). */
class AgingMaterial {
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  #material: Material | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<Material> | undefined;

  constructor(config: KubeConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  async read(): Promise<Material> {
    if (this.#material !== undefined && this.#clock.monotonic() - this.#readAt < MATERIAL_MAX_AGE_MS) {
      return this.#material;
    }
    this.#reading ??= this.#load().finally(() => (this.#reading = undefined));
    return await this.#reading;
  }

  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  async #load(): Promise<Material> {
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch {
      // The error would contain the output of an exec plugin or the content of a key file.
      throw configInvalid('The credentials of the kubeconfig user cannot be loaded.');
    }
    const material = toMaterial(options);
    const { ca } = material.tls;
    if (ca !== undefined)
      requireAuthorities(ca, 'The certificate authority of the cluster in the kubeconfig');
    this.#material = material;
    this.#readAt = this.#clock.monotonic();
    return this.#material;
  }
}

function toMaterial(options: RequestOptions): Material {
  const { ca, cert, key, servername, auth } = options;
  return {
    tls: {
      ...pem('ca', ca),
      ...pem('cert', cert),
      ...pem('key', key),
      ...(servername === undefined ? {} : { serverName: servername }),
    },
    authorization:
      typeof auth === 'string' ? `Basic ${Buffer.from(auth).toString('base64')}` : bearerOf(options),
  };
}

function pem(name: 'ca' | 'cert' | 'key', value: unknown): Partial<TlsSettings> {
  if (typeof value === 'string') return { [name]: value };
  return Buffer.isBuffer(value) ? { [name]: value.toString('utf8') } : {};
}

function bearerOf({ headers }: RequestOptions): string | undefined {
  const value = headers !== undefined && 'Authorization' in headers ? headers['Authorization'] : undefined;
  return typeof value === 'string' ? value : undefined;
}
