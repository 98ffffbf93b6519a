import { once } from 'node:events';
import { randomInt } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** The KV server, as pages and samples address it. */
export const DOCUMENTED_HOST = 'openbao.openbao.svc';
const DOCUMENTED_PORT = 8200;

/** The documented address of the KV server: connections to it go to the real one, and the operator finds it by its name. */
export class Gateway implements AsyncDisposable {
  readonly #server: Server;
  readonly #host: string;

  private constructor(server: Server, host: string) {
    this.#server = server;
    this.#host = host;
  }

  static async start(target: string): Promise<Gateway> {
    const { hostname, port } = new URL(target);
    const server = createServer((socket) => {
      const upstream = connect(Number(port), hostname);
      for (const [from, to] of [
        [socket, upstream],
        [upstream, socket],
      ] as const) {
        from.pipe(to);
        from.on('error', () => to.destroy());
      }
    });
    // On Linux all of 127.0.0.0/8 is this machine: one address a run, so that port 8200 is free.
    const host =
      process.platform === 'linux'
        ? `127.${randomInt(1, 255)}.${randomInt(255)}.${randomInt(1, 255)}`
        : '127.0.0.1';
    server.listen(DOCUMENTED_PORT, host);
    await once(server, 'listening');
    return new Gateway(server, host);
  }

  /** Variables for a Node process that then resolves the name, as the DNS of a cluster does. */
  get environment(): Readonly<Record<string, string>> {
    return {
      NODE_OPTIONS: `--import=${join(import.meta.dirname, 'names.ts')}`,
      KEYFERRY_TEST_NAMES: `${DOCUMENTED_HOST}=${this.#host}`,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}
