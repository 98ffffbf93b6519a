import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** Servers that accept connections and never answer. */
export class SilentServers implements AsyncDisposable {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  static async open(count: number): Promise<SilentServers> {
    const silent = new SilentServers();
    for (let index = 0; index < count; index += 1) {
      const server = createServer((socket) => silent.#hold(socket));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      silent.#servers.push(server);
    }
    return silent;
  }

  get addresses(): readonly string[] {
    return this.#servers.map((server) => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') throw new Error('the server does not listen');
      return `https://127.0.0.1:${bound.port}`;
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) {
      server.close();
      await once(server, 'close');
    }
  }
}
