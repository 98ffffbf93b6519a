import { once } from 'node:events';
import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { PemPair } from '#test/cluster/pki.ts';

/** A server over HTTP that counts its connections and holds back the replies to the path /held. */
export class CountingServer implements AsyncDisposable {
  /** All connections so far. */
  opened = 0;
  /** Connections over which a request came, and how many came over each. */
  readonly requestsBy = new Map<Socket, number>();
  /** Requests for /held that are not answered. */
  held = 0;
  readonly #scheme: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new Set<() => void>();

  private constructor(certificate: PemPair | undefined, headers: Readonly<Record<string, string>>) {
    const listener: RequestListener = (request, response) => {
      this.requestsBy.set(request.socket, (this.requestsBy.get(request.socket) ?? 0) + 1);
      const answer = (): void => void response.writeHead(200, { ...headers }).end('{}');
      if (request.url !== '/held') return answer();
      this.held += 1;
      this.#answers.add(answer);
      response.on('close', () => {
        this.held -= 1;
        this.#answers.delete(answer);
      });
    };
    this.#scheme = certificate === undefined ? 'http' : 'https';
    this.#server =
      certificate === undefined
        ? createPlainServer(listener)
        : createServer({ cert: certificate.certificate, key: certificate.key }, listener);
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket: Socket) => {
      this.opened += 1;
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(
    options: { readonly certificate?: PemPair; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<CountingServer> {
    const server = new CountingServer(options.certificate, options.headers ?? {});
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get origin(): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server on a port has one
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#scheme}://127.0.0.1:${port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Answers what was held back. */
  release(): void {
    for (const answer of this.#answers) answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
