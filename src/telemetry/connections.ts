import type { Socket } from 'node:net';

/** A connection, as far as the limit needs it. */
type Connection = Pick<Socket, 'remoteAddress' | 'remotePort' | 'destroy' | 'once'>;

interface Open {
  readonly socket: Connection;
  readonly address: string;
}

/**
 * The open connections of one server, at most `limit`. A new connection beyond that pushes out another one instead of being
 * refused, so that the kubelet still gets through: the oldest without a request in progress, of the
 * client address with the most connections. So a client that opens thousands pushes out its own.
 */
export class Connections {
  readonly #limit: number;
  /** Oldest first. A TLS socket and the socket below it have the same key. */
  readonly #open = new Map<string, Open>();
  readonly #serving = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(socket: Connection): void {
    const key = keyOf(socket);
    const open = { socket, address: socket.remoteAddress ?? '' };
    this.#open.set(key, open);
    socket.once('close', () => {
      if (this.#open.get(key) !== open) return;
      this.#forget(key);
    });
    if (this.#open.size > this.#limit) this.#pushOut(key);
  }

  /** A request of this connection begins; the result ends it. */
  serve(socket: Pick<Connection, 'remoteAddress' | 'remotePort'>): () => void {
    const key = keyOf(socket);
    this.#serving.add(key);
    return () => this.#serving.delete(key);
  }

  /** Also those without a request yet, and TLS handshakes, which a server does not count as its own. */
  destroyAll(): void {
    for (const { socket } of this.#open.values()) socket.destroy();
  }

  #pushOut(newest: string): void {
    const address = this.#busiestAddress();
    const candidates = [...this.#open].filter(([key, open]) => key !== newest && open.address === address);
    const [key, open] = candidates.find(([each]) => !this.#serving.has(each)) ?? candidates[0] ?? [];
    if (key === undefined) return;
    this.#forget(key);
    open?.socket.destroy();
  }

  #busiestAddress(): string | undefined {
    const counts = new Map<string, number>();
    for (const { address } of this.#open.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    let busiest: string | undefined;
    for (const [address, count] of counts) if (count > (counts.get(busiest ?? '') ?? 0)) busiest = address;
    return busiest;
  }

  #forget(key: string): void {
    this.#open.delete(key);
    this.#serving.delete(key);
  }
}

function keyOf({
  remoteAddress = '',
  remotePort = 0,
}: Pick<Connection, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}
