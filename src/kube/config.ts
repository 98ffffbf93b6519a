import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '#src/errors.ts';
import { authoritiesProblem } from '#src/io/certificates.ts';
import type { Clock } from '#src/ports.ts';

/** TLS settings for the API server. A changed field causes a new dispatcher. */
export interface TlsSettings {
  /** PEM bundle; absent means the certificate authorities of the system. */
  readonly ca?: string;
  /** Client certificate and key, PEM. */
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
}

/** How to connect and authenticate to one API server. */
export interface KubeConnection {
  /** `https://host:port`, with a base path only if the server is behind one. */
  readonly server: URL;
  /** The namespace of the pod; undefined outside of the cluster. */
  readonly namespace: string | undefined;
  /** Where the user of a kubeconfig works: the namespace of the context. */
  readonly userNamespace?: string | undefined;
  /** Current TLS material; read again from its files when they are older than a minute. */
  tls(): Promise<TlsSettings>;
  /** Value of the Authorization header, if we use one. */
  authorization(): Promise<string | undefined>;
  /** Makes the next `authorization()` read its source again, after the server refused its result. */
  forgetAuthorization(): void;
}

export interface InClusterOptions {
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT of the pod. */
  readonly host: string | undefined;
  readonly port: string | undefined;
  /** The mounted service account: files `token`, `ca.crt`, `namespace`. */
  readonly serviceAccountDirectory: string;
  readonly clock: Clock;
}

/** client-go reads the token file again after a minute; the kubelet replaces it long before it expires. */
const FILE_MAX_AGE_MS = 60_000;

/**
 * The connection of a pod. Reads the three files of the service account once, to find mistakes at start.
 * Throws `CONFIG_INVALID` naming the variable or file; there is no fallback to another server.
 */
export async function openInClusterConnection(options: InClusterOptions): Promise<KubeConnection> {
  const server = inClusterServer(options.host, options.port);
  const inDirectory = (name: string, problemOf?: (text: string) => string | undefined): AgingFile =>
    new AgingFile(join(options.serviceAccountDirectory, name), { clock: options.clock, problemOf });
  const token = inDirectory('token');
  const ca = inDirectory('ca.crt', authoritiesProblem);
  const namespace = inDirectory('namespace');
  await token.read();
  await ca.read();
  return {
    server,
    namespace: await namespace.read(),
    tls: async () => ({ ca: await ca.read() }),
    authorization: async () => `Bearer ${await token.read()}`,
    forgetAuthorization: () => token.forget(),
  };
}

function inClusterServer(host: string | undefined, port: string | undefined): URL {
  if (host === undefined || host === '' || port === undefined || port === '') {
    throw configInvalid(
      'There is no cluster to connect to: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so this is not a pod, and there is no kubeconfig. Set --kubeconfig or KUBECONFIG.',
    );
  }
  const authority = host.includes(':') ? `[${host}]` : host;
  return parseServer(`https://${authority}:${port}`, 'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT');
}

/** An https URL without credentials in it; `CONFIG_INVALID` otherwise, naming `source`. */
export function parseServer(text: string, source: string): URL {
  const url = URL.parse(text);
  if (url === null || url.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw configInvalid(`${source} does not give an https address without credentials in it.`);
  }
  return url;
}

/** Throws `CONFIG_INVALID` unless the text is certificates: an empty CA would be taken for all CAs of the system. */
export function requireAuthorities(pem: string, source: string): void {
  const problem = authoritiesProblem(pem);
  if (problem !== undefined)
    throw configInvalid(`${source} ${problem}; it must have CA certificates as PEM.`);
}

export function configInvalid(detail: string): OperatorError {
  return new OperatorError('CONFIG_INVALID', { op: 'kube.config', detail });
}

interface AgingFileOptions {
  readonly clock: Clock;
  /** What is wrong with the content, as the end of a sentence about the file. */
  readonly problemOf?: ((text: string) => string | undefined) | undefined;
}

/** A small text file, trimmed, read again once it is older than a minute. A failing re-read keeps the last good content. */
class AgingFile {
  readonly #path: string;
  readonly #options: AgingFileOptions;
  #content: string | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<string> | undefined;

  constructor(path: string, options: AgingFileOptions) {
    this.#path = path;
    this.#options = options;
  }

  async read(): Promise<string> {
    const { clock } = this.#options;
    if (this.#content !== undefined && clock.monotonic() - this.#readAt < FILE_MAX_AGE_MS) {
      return this.#content;
    }
    this.#reading ??= this.#load().finally(() => (this.#reading = undefined));
    return await this.#reading;
  }

  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  async #load(): Promise<string> {
    const { clock, problemOf } = this.#options;
    const content = await readFile(this.#path, 'utf8').then(
      (text) => text.trim(),
      () => '',
    );
    const problem = content === '' ? 'is missing, unreadable or empty' : problemOf?.(content);
    // During a rotation the file can be absent or half written for a moment; the old content is the best available.
    const usable = problem === undefined ? content : this.#content;
    if (usable === undefined) throw configInvalid(`${this.#path} ${problem ?? 'is not usable'}.`);
    this.#content = usable;
    this.#readAt = clock.monotonic();
    return usable;
  }
}
