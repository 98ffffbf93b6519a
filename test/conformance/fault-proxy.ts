import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Pool } from 'undici';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
}

/** What to do with one request: pass it on, reply here, or lose the reply after the server has applied it. */
export type Fault =
  | 'pass'
  | 'lose-reply'
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> };

export type FaultPlan = (request: SeenRequest) => Fault;

export interface FaultProxyOptions {
  /** Origin of the real server. */
  readonly target: string;
  /** PEM of its authority. */
  readonly ca: string;
}

/** A proxy with plain HTTP on loopback in front of a real TLS server: records requests and injects faults by a plan. */
export class FaultProxy implements AsyncDisposable {
  /** Every request since the start, in order of arrival. */
  readonly seen: SeenRequest[] = [];
  plan: FaultPlan = () => 'pass';
  /** Awaited before a request is passed on: what another client does in between. */
  meanwhile: (request: SeenRequest) => Promise<void> = async () => Promise.resolve();
  readonly #server: Server;
  readonly #pool: Pool;

  private constructor(options: FaultProxyOptions) {
    this.#pool = new Pool(options.target, { connections: 32, connect: { ca: options.ca } });
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const method = request.method ?? 'GET';
    const body = await buffer(request);
    this.seen.push({ method, path });
    const fault = this.plan({ method, path });
    if (typeof fault === 'object') {
      response.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    }
    await this.meanwhile({ method, path });
    const { host: _host, connection: _connection, ...headers } = request.headers;
    const reply = await this.#pool.request({ method, path, headers, body: body.length === 0 ? null : body });
    const answer = await reply.body.bytes();
    if (fault === 'lose-reply') {
      response.destroy();
      return;
    }
    response.writeHead(reply.statusCode, { 'content-type': 'application/json' }).end(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#pool.destroy();
  }
}
