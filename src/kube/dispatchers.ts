import { Agent, type Dispatcher } from '#src/io/undici.ts';
import { closed } from '#src/errors/closed.ts';
import type { TlsSettings } from './config.ts';

export type PoolName = 'default' | 'watch' | 'lease';

/**
 * The three connection pools to one API server. They are separate because slow users of a pool starve the others (measured:
 * 20 watches use up 16 connections), and a late lease renewal loses the lease.
 * Deliberately HTTP/1.1: an aborted request then also closes its socket, so that a dead connection never stays in the pool.
 */
export class Dispatchers {
  readonly #connections: number;
  #tls: TlsSettings | undefined;
  #pools = new Map<PoolName, Agent>();
  #destroyed = false;

  constructor(connections: number) {
    this.#connections = connections;
  }

  /** The pool for these TLS settings; changed settings replace all pools. Throws `BACKEND_NOT_READY` after `destroy`. */
  pool(name: PoolName, tls: TlsSettings): Dispatcher {
    if (this.#destroyed) throw closed({ op: 'kube.request' });
    if (this.#tls !== undefined && !sameTls(this.#tls, tls)) this.rebuild();
    this.#tls = tls;
    const existing = this.#pools.get(name);
    if (existing !== undefined) return existing;
    const created = this.#create(name, tls);
    this.#pools.set(name, created);
    return created;
  }

  /** New requests get new connections; requests in flight finish on the old ones, or reach their own deadlines. */
  rebuild(): void {
    for (const agent of this.#pools.values()) agent.close().catch(() => undefined);
    this.#pools = new Map();
  }

  /** Closes all connections, including those of requests in flight, and opens none again. */
  async destroy(): Promise<void> {
    this.#destroyed = true;
    const agents = [...this.#pools.values()];
    this.#pools = new Map();
    await Promise.all(agents.map(async (agent) => await agent.destroy()));
  }

  #create(name: PoolName, tls: TlsSettings): Agent {
    return new Agent({
      allowH2: false,
      connections: { default: this.#connections, watch: null, lease: 1 }[name],
      keepAliveTimeout: 60_000,
      // The transport has its own deadlines; undici's would fire later and with less detail.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: 10_000,
        rejectUnauthorized: true,
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls.key === undefined ? {} : { key: tls.key }),
        ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      },
    });
  }
}

function sameTls(left: TlsSettings, right: TlsSettings): boolean {
  return (
    left.ca === right.ca &&
    left.cert === right.cert &&
    left.key === right.key &&
    left.serverName === right.serverName
  );
}
