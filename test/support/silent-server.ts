import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';

/** A server that accepts connections and never answers. Every address 127.x.x.x leads to it. */
export class SilentServer implements AsyncDisposable {
  readonly #server = createServer((socket) => this.#hold(socket));
  readonly #sockets = new Set<Socket>();

  static async open(): Promise<SilentServer> {
    const silent = new SilentServer();
    silent.#server.listen(0, '0.0.0.0');
    await once(silent.#server, 'listening');
    return silent;
  }

  /** The `index`-th of its addresses, each a server of its own for its clients. */
  address(index: number): string {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the server does not listen');
    return `https://127.9.${Math.floor(index / 250)}.${(index % 250) + 1}:${bound.port}`;
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
    this.#server.close();
    await once(this.#server, 'close');
  }
}
