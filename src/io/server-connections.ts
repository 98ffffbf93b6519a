import { createSecureContext, type SecureContext } from 'node:tls';
import type { buildConnector, Dispatcher } from 'undici';
import { closed } from '#src/errors/closed.ts';
import { checkedConnector } from './checked-connector.ts';
import type { ConnectRules } from './connect-rules.ts';
import { Connection } from './connection.ts';
import { ConnectionShares, limitOf, Used, type ServerShare, type Share } from './connection-shares.ts';
import { EitherSignal } from './deadline.ts';
import { Places } from './places.ts';
import { serverKeyOf, type Server } from './server.ts';

/*
 * Connections belong to a server, and not to those that use it: a hundred backends of one server need no more sockets than
 * one. What is sent through a connection is only as safe as its other end, so it is shared only by those that would accept
 * exactly the same other end, and show it the same certificate.
 */

/**
 * Of all servers together; in use and not, there are at most `limitOf` it. A backend with the largest `maxInFlight` (128) leaves
 * half of them.
 */
const MOST_CONNECTIONS = 256;
/** One backend alone can use half of the connections to its server. */
const TIMES_LARGEST = 2;
const CONNECT_TIMEOUT_MS = 10_000;

/** Who uses connections to a server. */
export interface ConnectionUser {
  readonly tenant: string;
  /** Concurrent requests, at most. */
  readonly maxInFlight: number;
  /** Milliseconds to open a connection in, at most; above 10 s it is 10 s. */
  readonly timeoutMs: number;
}

/** A connection for one request; disposed of after its reply was read. */
export interface TakenConnection extends Disposable {
  readonly dispatcher: Dispatcher;
}

/** All connections to one server. */
interface Pool {
  readonly origin: string;
  readonly connectorFor: (timeoutMs: number) => buildConnector.connector;
  readonly share: ServerShare;
  /** Open and unused; the one that was used last comes last, and is used next, so that the others can end. */
  readonly idle: Connection[];
  readonly leases: Set<ConnectionLease>;
}

/** The connections of the process to the servers of backends. All of them are opened under the same rules. */
export class ServerConnections {
  readonly #rules: ConnectRules;
  readonly #limit: number;
  readonly #shares: ConnectionShares;
  readonly #pools = new Map<string, Pool>();
  /** Unused connections with their pools; the one that is unused for the longest time comes first. */
  readonly #idle = new Map<Connection, Pool>();
  #open = 0;

  constructor(rules: ConnectRules, most: number = MOST_CONNECTIONS) {
    this.#rules = rules;
    this.#limit = limitOf(most);
    this.#shares = new ConnectionShares(most);
  }

  /** Opens nothing. While nobody has a lease of a server, nothing is kept of it. */
  lease(server: Server, user: ConnectionUser): ConnectionLease {
    const key = serverKeyOf(server);
    const pool = this.#pools.get(key) ?? this.#poolOf(server);
    this.#pools.set(key, pool);
    const lease: ConnectionLease = new ConnectionLease(user, {
      share: { server: pool.share, tenant: user.tenant, used: 0 },
      shares: this.#shares,
      connect: () => this.#take(pool, user),
      giveBack: (connection) => this.#giveBack(pool, connection),
      end: () => this.#end(key, pool, lease),
    });
    pool.leases.add(lease);
    this.#resize(pool);
    return lease;
  }

  #poolOf({ origin, serverName, tls }: Server): Pool {
    // By the time to connect in, which is up to ten whole seconds.
    const connectors = new Map<number, buildConnector.connector>();
    // One context for all: each of its own would parse the certificates again, and keep them.
    let context: { readonly secureContext?: SecureContext } = {};
    const connectorFor = (timeout: number): buildConnector.connector => {
      const known = connectors.get(timeout);
      if (known !== undefined) return known;
      if (context.secureContext === undefined && origin.startsWith('https:'))
        context = { secureContext: createSecureContext({ minVersion: 'TLSv1.2', ...tls }) };
      const servername = serverName === undefined ? {} : { servername: serverName };
      const made = checkedConnector(this.#rules, { allowH2: false, timeout, ...servername, ...context });
      connectors.set(timeout, made);
      return made;
    };
    const share = { most: 0, used: new Used() };
    return { origin, connectorFor, share, idle: [], leases: new Set() };
  }

  #resize(pool: Pool): void {
    const largest = Math.max(0, ...[...pool.leases].map(({ maxInFlight }) => maxInFlight));
    pool.share.most = TIMES_LARGEST * largest;
    this.#shares.serve();
  }

  /** Only for what has its share: then there is one to use or to close if no more may be opened. */
  #take(pool: Pool, { timeoutMs }: ConnectionUser): Connection {
    const unused = pool.idle.pop();
    if (unused !== undefined) {
      this.#idle.delete(unused);
      return unused;
    }
    const [longest] = this.#idle;
    if (this.#open >= this.#limit && longest !== undefined) this.#discard(longest[1], longest[0]);
    this.#open += 1;
    const timeout = Math.min(CONNECT_TIMEOUT_MS, timeoutMs);
    // Made as it is needed: what is wrong with the certificates is the failure of the request.
    const connect: buildConnector.connector = (target, callback) =>
      pool.connectorFor(timeout)(target, callback);
    return new Connection(pool.origin, connect, (ended) => {
      if (pool.idle.includes(ended)) this.#discard(pool, ended);
    });
  }

  #giveBack(pool: Pool, connection: Connection): void {
    pool.idle.push(connection);
    this.#idle.set(connection, pool);
    if (!connection.isOpen || pool.leases.size === 0) this.#discard(pool, connection);
  }

  #discard(pool: Pool, connection: Connection): void {
    pool.idle.splice(pool.idle.indexOf(connection), 1);
    this.#idle.delete(connection);
    this.#open -= 1;
    connection.close();
  }

  #end(key: string, pool: Pool, lease: ConnectionLease): void {
    pool.leases.delete(lease);
    this.#resize(pool);
    if (pool.leases.size > 0) return;
    if (this.#pools.get(key) === pool) this.#pools.delete(key);
    while (pool.idle[0] !== undefined) this.#discard(pool, pool.idle[0]);
  }
}

interface LeaseOptions {
  readonly share: Share;
  readonly shares: ConnectionShares;
  readonly connect: () => Connection;
  readonly giveBack: (connection: Connection) => void;
  readonly end: () => void;
}

/** The right of one backend to use connections to its server. Disposing of it ends its requests, and those of no other. */
export class ConnectionLease implements Disposable {
  readonly maxInFlight: number;
  readonly #options: LeaseOptions;
  readonly #places: Places;
  readonly #taken = new Set<Connection>();
  readonly #closing = new AbortController();

  constructor({ maxInFlight }: ConnectionUser, options: LeaseOptions) {
    this.maxInFlight = maxInFlight;
    this.#options = options;
    this.#places = new Places(maxInFlight);
  }

  /**
   * Resolves when one more request may be sent. Rejects with the reason of the signal, and with `BACKEND_NOT_READY` once the
   * lease was disposed of.
   */
  async take(signal: AbortSignal): Promise<TakenConnection> {
    this.#closing.signal.throwIfAborted();
    signal.throwIfAborted();
    return this.#takenAt(this.#placeNow() ?? (await this.#placeLater(signal)));
  }

  /** A place that is free and a share that may be used, as they nearly always are: then no signal need be followed. */
  #placeNow(): Disposable | undefined {
    const { share, shares } = this.#options;
    const place = this.#places.takeNow();
    if (place === undefined || shares.takeNow(share)) return place;
    place[Symbol.dispose]();
    return undefined;
  }

  async #placeLater(signal: AbortSignal): Promise<Disposable> {
    const { share, shares } = this.#options;
    using either = new EitherSignal(signal, this.#closing.signal);
    const place = await this.#places.take(either.signal);
    try {
      await shares.take(share, either.signal);
      return place;
    } catch (thrown) {
      place[Symbol.dispose]();
      throw thrown;
    }
  }

  #takenAt(place: Disposable): TakenConnection {
    const connection = this.#options.connect();
    this.#taken.add(connection);
    return { dispatcher: connection.dispatcher, [Symbol.dispose]: () => this.#release(connection, place) };
  }

  /** A socket that is being opened for a request that was given up counts until it is open or failed. */
  #release(connection: Connection, place: Disposable): void {
    const { giveBack, share, shares } = this.#options;
    connection.whenSettled(() => {
      if (!this.#taken.delete(connection)) return;
      giveBack(connection);
      place[Symbol.dispose]();
      shares.give(share);
    });
  }

  [Symbol.dispose](): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(closed({ op: 'connection.take' }));
    for (const connection of this.#taken) connection.close();
    this.#options.end();
  }
}
