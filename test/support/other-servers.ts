import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { freePorts } from '#test/cluster/ports.ts';

/** Ports of this machine that are not OpenBao: what a tenant would like to tell from a closed port. */
export class OtherServers implements AsyncDisposable {
  /** By what is there. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly #servers: readonly Server[];
  readonly #sockets: Set<Socket>;

  private constructor(
    addresses: Readonly<Record<string, string>>,
    servers: readonly Server[],
    sockets: Set<Socket>,
  ) {
    this.addresses = addresses;
    this.#servers = servers;
    this.#sockets = sockets;
  }

  static async start(): Promise<OtherServers> {
    const sockets = new Set<Socket>();
    const greet = (socket: Socket): unknown =>
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'));
    const behaviors: Readonly<Record<string, (socket: Socket) => unknown>> = {
      'plain-text': greet,
      silent: () => undefined,
      resets: (socket) => socket.resetAndDestroy(),
      closes: (socket) => socket.end(),
    };
    const servers: Server[] = [];
    const addresses: Record<string, string> = {};
    for (const [name, behave] of Object.entries(behaviors)) {
      const server = createServer((socket) => {
        sockets.add(socket.on('error', () => undefined));
        behave(socket);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      servers.push(server);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server on a port has one
      addresses[name] = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }
    const [closed = 0] = await freePorts(1);
    return new OtherServers({ ...addresses, closed: `https://127.0.0.1:${closed}` }, servers, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map(async (server) => once(server.close(), 'close')));
  }
}
