import { once } from 'node:events';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { issueCertificate, type CertificateRequest, type PemPair } from '#test/cluster/pki.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { RuleBook, type Action, type RequestMatch, type Rule } from './proxy-rules.ts';
import { RequestHistory, type RecordedRequest } from './request-history.ts';

export interface ProxyOptions {
  /** Origin of the real server. */
  readonly target: string;
  /** Authority of the real server, with key: verifies the server and issues the certificate of the proxy. */
  readonly authority: PemPair;
  /** Share one between proxies to order all their requests. Default: a new one. */
  readonly history?: RequestHistory;
  /** Keep the bytes of requests in the history. Default false. */
  readonly keepBodies?: boolean;
}

/** A proxy in front of the cluster's apiserver or KV server. */
export async function startProxy(
  cluster: Cluster,
  server: 'apiserver' | 'bao',
  options: Pick<ProxyOptions, 'history' | 'keepBodies'> = {},
): Promise<RecordingProxy> {
  const target = server === 'apiserver' ? cluster.apiserverUrl : cluster.baoUrl;
  const authority = cluster.authority(server === 'apiserver' ? 'kubernetes' : 'bao');
  return await RecordingProxy.start({ target, authority, ...options });
}

const SERVER: CertificateRequest = {
  commonName: 'recording-proxy',
  dnsNames: ['localhost'],
  ipAddresses: ['127.0.0.1'],
  usages: ['server'],
};

/**
 * HTTPS on loopback in front of one real server. It passes everything through at once, including watches, records each
 * request, and makes chosen requests fail as a bad network or server would. Clients authenticate by token: a client
 * certificate ends at the proxy.
 */
export class RecordingProxy implements AsyncDisposable {
  readonly history: RequestHistory;
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #rules = new RuleBook();
  /** Requests of this proxy; a shared history contains those of other proxies too. */
  readonly #own: RecordedRequest[] = [];

  private constructor(options: ProxyOptions, certificate: PemPair) {
    this.#options = options;
    this.history = options.history ?? new RequestHistory();
    this.#agent = new Agent({ keepAlive: true, ca: options.authority.certificate });
    this.#server = createServer(
      { cert: certificate.certificate, key: certificate.key },
      (request, response) => {
        // A failure here is a broken connection for the client, as without a proxy.
        this.#handle(request, response).catch(() => response.destroy());
      },
    );
    this.#server.requestTimeout = 0; // Held requests and watches must not time out.
  }

  static async start(options: ProxyOptions): Promise<RecordingProxy> {
    const certificate = await issueCertificate(options.authority, SERVER);
    const proxy = new RecordingProxy(options, certificate);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** From now on its certificate comes from another authority, as after a rotation. Ends all connections. */
  async certifyBy(authority: PemPair): Promise<void> {
    const { certificate, key } = await issueCertificate(authority, SERVER);
    this.#server.setSecureContext({ cert: certificate, key });
    this.#server.closeAllConnections();
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `https://127.0.0.1:${address.port}`;
  }

  /** Requests through this proxy, in order of arrival. */
  get requests(): readonly RecordedRequest[] {
    return this.#own;
  }

  /** How many requests through this proxy match. */
  count(match: RequestMatch): number {
    return this.#own.filter((request) => this.#rules.matches(match, request)).length;
  }

  /** Adds a rule: applies `action` to at most `times` matching requests. The oldest matching rule wins. */
  onRequest(match: RequestMatch, action: Action, times = Number.POSITIVE_INFINITY): Rule {
    return this.#rules.add(match, action, times);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record = this.history.arrived(request);
    this.#own.push(record);
    response.once('close', () => this.history.ended(record));
    const action = this.#rules.actionFor(record);
    if (action?.kind === 'drop-before') request.socket.destroy();
    else if (action?.kind === 'status') answer(request, response, record, action);
    else if (action?.kind === 'deliver-late') await this.#deliverLate(request, record, action.until);
    else await this.#pass(request, response, record, action);
  }

  async #pass(
    request: IncomingMessage,
    response: ServerResponse,
    record: RecordedRequest,
    action: Action | undefined,
  ): Promise<void> {
    if (action?.kind === 'hold') await action.until;
    if (response.destroyed) return; // The client gave up while it was held.
    const reply = await this.#forward(request, response, record);
    await deliver(reply, response, record, action);
  }

  async #deliverLate(
    request: IncomingMessage,
    record: RecordedRequest,
    until: Promise<unknown>,
  ): Promise<void> {
    const body = await buffer(request);
    request.socket.destroy();
    await until;
    const upstream = this.#open(request);
    upstream.end(body);
    const [reply]: IncomingMessage[] = await once(upstream, 'response');
    record.status = reply?.statusCode;
    reply?.resume();
  }

  #open(request: IncomingMessage): ClientRequest {
    return httpsRequest(new URL(request.url ?? '/', this.#options.target), {
      agent: this.#agent,
      method: request.method ?? 'GET',
      headers: forwardedHeaders(request),
      // The URL parser would clean up paths such as `a/../b`, but the server must get what the client sent.
      path: request.url,
    });
  }

  /** Passes the request on and resolves with the head of the reply. */
  async #forward(
    request: IncomingMessage,
    response: ServerResponse,
    record: RecordedRequest,
  ): Promise<IncomingMessage> {
    const upstream = this.#open(request);
    if (this.#options.keepBodies === true) {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => (record.body = Buffer.concat(chunks)));
    }
    const head = once(upstream, 'response');
    response.once('close', () => upstream.destroy());
    request.pipe(upstream);
    const [reply]: IncomingMessage[] = await head;
    if (reply === undefined) throw new Error('no reply');
    return reply;
  }
}

/** Replies in place of the server. */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  record: RecordedRequest,
  action: Extract<Action, { kind: 'status' }>,
): void {
  request.resume();
  record.status = action.code;
  const body = action.body === undefined ? '' : JSON.stringify(action.body);
  response.writeHead(action.code, { 'content-type': 'application/json', ...action.headers }).end(body);
}

/** Passes the reply to the client, or changes or drops it, as the action says. */
async function deliver(
  reply: IncomingMessage,
  response: ServerResponse,
  record: RecordedRequest,
  action: Action | undefined,
): Promise<void> {
  record.status = reply.statusCode;
  const status = reply.statusCode ?? 502;
  if (action?.kind === 'answer-late') await action.until;
  if (action?.kind === 'drop-after') {
    await buffer(reply);
    response.destroy();
    return;
  }
  if (action?.kind === 'mutate') {
    const body: unknown = JSON.parse((await buffer(reply)).toString('utf8'));
    const changed = Buffer.from(JSON.stringify(action.change(body)));
    response.writeHead(status, { ...reply.headers, 'content-length': changed.length }).end(changed);
    return;
  }
  const redated = action?.kind === 'redate' ? { date: movedBy(reply.headers.date, action.byMs) } : {};
  response.writeHead(status, { ...endToEnd(reply.headers), ...redated });
  // A watch may send nothing for minutes: its head must not wait for the first event.
  response.flushHeaders();
  reply.once('error', () => response.destroy());
  reply.pipe(response);
}

function movedBy(date: string | undefined, ms: number): string {
  return new Date(Date.parse(date ?? '') + ms).toUTCString();
}

function forwardedHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  const headers = endToEnd(request.headers);
  // Compressed replies could not be changed by rules.
  delete headers['accept-encoding'];
  delete headers['host'];
  return headers;
}

/** The headers except those of a single connection. */
function endToEnd(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const result = { ...headers };
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade']) delete result[name];
  return result;
}
