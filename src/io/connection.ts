import type { Socket } from 'node:net';
import { Client, type buildConnector, type Dispatcher } from './undici.ts';

/**
 * How long an unused connection stays open: below the idle timeout of the servers (5 minutes) and of proxies, so that the
 * other end does not close first, and as short as the pauses between two requests of one run are.
 */
const IDLE_MS = 30_000;

/**
 * One connection over HTTP/1.1, for one request at a time. It opens with its first request. HTTP/1.1 deliberately: a request
 * that is aborted closes its socket, so that no dead connection is used again.
 */
export class Connection {
  readonly #client: Client;
  readonly #onClosed: (closed: Connection) => void;
  #socket: Socket | undefined;
  #isConnecting = false;
  #afterConnecting: () => void = () => undefined;

  /** `onClosed` is called whenever its socket closes. */
  constructor(origin: string, connect: buildConnector.connector, onClosed: (closed: Connection) => void) {
    this.#onClosed = onClosed;
    this.#client = new Client(origin, {
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      connect: (target, callback) => this.#connect(connect, target, callback),
    });
  }

  get dispatcher(): Dispatcher {
    return this.#client;
  }

  /** True if another request can be sent without opening a socket first. */
  get isOpen(): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed;
  }

  /** Calls `run` once no socket is being opened: a request that was given up does not end that. */
  whenSettled(run: () => void): void {
    if (this.#isConnecting) this.#afterConnecting = run;
    else run();
  }

  /** Ends the request in flight, if there is one. */
  close(): void {
    this.#client.destroy().catch(() => undefined);
  }

  #connect(
    connect: buildConnector.connector,
    target: buildConnector.Options,
    callback: buildConnector.Callback,
  ): void {
    const end = (...result: buildConnector.CallbackArgs): void => {
      const [failure, socket] = result;
      this.#isConnecting = false;
      if (failure === null) this.#opened(socket);
      callback(...result);
      this.#afterConnecting();
      this.#afterConnecting = () => undefined;
    };
    this.#isConnecting = true;
    try {
      connect(target, end);
    } catch (thrown) {
      this.#isConnecting = false;
      throw thrown;
    }
  }

  #opened(socket: Socket): void {
    this.#socket = socket;
    socket.once('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#onClosed(this);
    });
  }
}
