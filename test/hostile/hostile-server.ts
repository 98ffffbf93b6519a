import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { Cluster } from '#test/cluster/cluster.ts';
import { issueCertificate, type PemPair } from '#test/cluster/pki.ts';
import { eventually } from '#test/support/eventually.ts';

/** What a driver asks a KV server, by what the reply is read for. */
export const ENDPOINTS = [
  'health',
  'login',
  'lookup',
  'mounts',
  'capabilities',
  'config',
  'list',
  'metadata',
  'read',
  'write',
] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

/** A request as the hostile server got it. */
export interface Received {
  readonly endpoint: Endpoint;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface RealReply {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** One request and the means to answer it in the worst way. */
export interface Exchange {
  readonly received: Received;
  readonly response: ServerResponse;
  /** What the real server says to the same request. */
  readonly ask: () => Promise<RealReply>;
}

/** How a hostile server answers; returns without an answer to keep the client waiting. */
export type Misbehavior = (exchange: Exchange) => void | Promise<void>;

/**
 * A KV server over TLS that a tenant has chosen: it passes everything on to the real one, except for what it was told
 * to misbehave on. Its certificate comes from the authority of the real one, so that any backend trusts it.
 */
export class HostileServer implements AsyncDisposable {
  /** All requests, in order of arrival. */
  readonly received: Received[] = [];
  readonly #target: string;
  readonly #agent: Agent;
  readonly #server: Server;
  readonly #behaviors = new Map<Endpoint, Misbehavior>();
  #hits = 0;

  private constructor(cluster: Cluster, authority: PemPair, certificate: PemPair) {
    this.#target = cluster.baoUrl;
    this.#agent = new Agent({ keepAlive: true, ca: authority.certificate });
    this.#server = createServer(
      { cert: certificate.certificate, key: certificate.key },
      (request, response) => {
        this.#handle(request, response).catch(() => response.destroy());
      },
    );
    this.#server.requestTimeout = 0;
  }

  static async start(cluster: Cluster): Promise<HostileServer> {
    const authority = cluster.authority('bao');
    const certificate = await issueCertificate(authority, {
      commonName: 'hostile',
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
      usages: ['server'],
    });
    const hostile = new HostileServer(cluster, authority, certificate);
    hostile.#server.listen(0, '127.0.0.1');
    await once(hostile.#server, 'listening');
    return hostile;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return address.port;
  }

  /** How many requests were answered by a misbehavior. */
  get hits(): number {
    return this.#hits;
  }

  on(endpoints: Endpoint | readonly Endpoint[], misbehavior: Misbehavior): this {
    for (const endpoint of typeof endpoints === 'string' ? [endpoints] : endpoints) {
      this.#behaviors.set(endpoint, misbehavior);
    }
    return this;
  }

  /** Resolves when it has misbehaved at least so often: then the attack is under way. */
  async untilHit(times = 1): Promise<void> {
    const endpoints = [...this.#behaviors.keys()].join(', ');
    await eventually(`the operator asked the hostile server for ${endpoints}`, () => this.#hits >= times);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { method = 'GET', url = '/', headers } = request;
    const received = { endpoint: endpointOf(method, url), method, url, headers, body };
    this.received.push(received);
    const ask = async (): Promise<RealReply> => this.#ask(received);
    const misbehavior = this.#behaviors.get(received.endpoint);
    if (misbehavior === undefined) {
      const reply = await ask();
      response.writeHead(reply.status, reply.headers).end(reply.body);
      return;
    }
    this.#hits += 1;
    await misbehavior({ received, response, ask });
  }

  async #ask({ method, url, headers, body }: Received): Promise<RealReply> {
    const { host: _host, connection: _connection, ...passed } = headers;
    const upstream = httpsRequest(new URL(url, this.#target), {
      agent: this.#agent,
      method,
      headers: passed,
      path: url,
    });
    upstream.end(body);
    const [reply]: IncomingMessage[] = await once(upstream, 'response');
    if (reply === undefined) throw new Error('no reply');
    const bytes = await buffer(reply);
    const { connection: _own, 'transfer-encoding': _encoding, ...kept } = reply.headers;
    const size = { 'content-length': bytes.length };
    return { status: reply.statusCode ?? 502, headers: { ...kept, ...size }, body: bytes };
  }
}

/** The first whose path matches; what none matches is a document. */
const PATHS: readonly (readonly [RegExp, Endpoint])[] = [
  [/^\/v1\/sys\/health$/, 'health'],
  [/^\/v1\/auth\/token\//, 'lookup'],
  [/^\/v1\/auth\//, 'login'],
  [/^\/v1\/sys\/internal\/ui\/mounts\//, 'mounts'],
  [/^\/v1\/sys\/capabilities-self$/, 'capabilities'],
  [/^\/v1\/[^/]+\/config$/, 'config'],
];

function endpointOf(method: string, url: string): Endpoint {
  const [path = '', query = ''] = url.split('?', 2);
  const known = PATHS.find(([pattern]) => pattern.test(path));
  if (known !== undefined) return known[1];
  if (query.includes('list=true')) return 'list';
  if (method !== 'GET') return 'write';
  return path.split('/')[3] === 'metadata' ? 'metadata' : 'read';
}
