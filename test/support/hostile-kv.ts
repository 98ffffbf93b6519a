import { createServer, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import type { BackendDefinition } from '#src/backends/factory.ts';
import { OpenBaoFactory } from '#src/backends/openbao/factory.ts';
import { OpenBaoSpecSchema } from '#src/backends/openbao/spec.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { OWN_MACHINE } from './own-machine.ts';

/** A body, or what is done with the response instead. Undefined: what an honest server replies. */
export type Answer = string | ((response: ServerResponse) => void) | undefined;

const LOOKUP = JSON.stringify({ data: { ttl: 0, expire_time: null, renewable: false } });

/** A KV server of a tenant that replies whatever a test wants, and the factory of a process that has backends there. */
export class HostileKv implements AsyncDisposable {
  /** Paths and queries that were requested, in order. */
  readonly seen: string[] = [];
  /** Connections so far. */
  opened = 0;
  reply: (url: URL) => Answer = () => undefined;
  readonly factory = new OpenBaoFactory({
    credentialsFor: () => ({
      readSecretKey: async () => Promise.resolve(SecretValue.fromUtf8('token')),
      requestToken: async () => Promise.reject(new Error('not asked for')),
      login: async (_path, next) => next(),
    }),
    connectRules: OWN_MACHINE,
    mandate: ALWAYS_HELD,
    clock: systemClock,
    random: Math.random,
    userAgent: 'keyferry/test',
    allowInsecureHttp: true,
  });
  readonly #server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://server');
    this.seen.push(`${url.pathname}${url.search}`);
    response.on('error', () => undefined); // The client closes what it does not want to read.
    this.#answer(url, response);
  });

  static async start(): Promise<HostileKv> {
    const started = new HostileKv();
    started.#server.on('connection', () => (started.opened += 1));
    await new Promise<void>((resolve) => started.#server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  /** Forgets what was requested, and is honest again. */
  reset(): void {
    this.seen.length = 0;
    this.reply = () => undefined;
  }

  /** A SecretBackend of this namespace at mount `kv`. */
  backendOf(namespace: string): BackendDefinition {
    const address = this.#server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const openbao = OpenBaoSpecSchema.parse({
      address: `http://127.0.0.1:${port}`,
      mount: 'kv',
      auth: { token: { secretRef: { name: 'token', key: 'token' } } },
      maxInFlight: 128,
    });
    return {
      title: `SecretBackend ${namespace}/bao`,
      backend: { kind: 'SecretBackend', namespace, name: 'bao' },
      spec: { type: 'openbao', openbao },
      credentialsNamespace: namespace,
      tenant: namespace,
    };
  }

  #answer(url: URL, response: ServerResponse): void {
    const answer = this.reply(url) ?? (url.pathname.endsWith('/lookup-self') ? LOOKUP : undefined);
    if (typeof answer === 'function') return answer(response);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(answer ?? '{"errors":[]}');
  }

  /** Connections that are open now. */
  async open(): Promise<number> {
    return promisify(this.#server.getConnections.bind(this.#server))();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
