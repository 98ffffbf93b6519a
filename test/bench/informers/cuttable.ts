import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';

/** A TCP proxy on loopback whose connections can be reset, or fall silent without an end. */
export class Cuttable {
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #server = createServer();
  #accepted = 0;

  static async to(port: number): Promise<Cuttable> {
    const proxy = new Cuttable();
    proxy.#server.on('connection', (near) => proxy.#pair(near, connect(port, '127.0.0.1')));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on TCP.
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Resets all connections. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  /** From now on no byte of the open connections arrives; new ones work. */
  silence(): void {
    for (const [near, far] of this.#pairs) {
      near.unpipe(far).resume();
      far.unpipe(near).resume();
    }
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #pair(near: Socket, far: Socket): void {
    this.#accepted += 1;
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    near.pipe(far).pipe(near);
    for (const [one, other] of [pair, pair.toReversed()]) {
      one
        ?.on('error', () => undefined)
        .on('close', () => {
          this.#pairs.delete(pair);
          other?.destroy();
        });
    }
  }
}
