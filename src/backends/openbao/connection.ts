import { OperatorError } from '#src/errors.ts';
import { Session } from './auth/session.ts';
import type { SessionOptions } from './auth/session.ts';
import { BaoClient } from './client.ts';
import type { ClientOptions } from './client.ts';
import { KvMount } from './kv.ts';

/** Everything a driver needs to talk to its server. */
export interface OpenConnection {
  readonly client: BaoClient;
  readonly session: Session;
  readonly kv: KvMount;
}

export interface ConnectionOptions {
  readonly client: Omit<ClientOptions, 'ca'>;
  /** The PEM bundle to trust; read before the first request, undefined means the system's. */
  readonly readCa: (signal: AbortSignal) => Promise<string | undefined>;
  readonly openSession: (client: BaoClient) => Omit<SessionOptions, 'client'>;
  readonly mount: string;
  readonly prefix: string;
}

/** Opens once, at the first use, because the trust anchor may have to be read from the API server first. */
export class BaoConnection implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  #open: OpenConnection | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  async open(signal: AbortSignal): Promise<OpenConnection> {
    if (this.#open !== undefined) return this.#open;
    const ca = await this.#options.readCa(signal);
    if (this.#closed) throw new OperatorError('BACKEND_NOT_READY', { op: 'openbao.open' });
    // Two first requests may both have read the anchor; only one of them opens.
    this.#open ??= this.#connect(ca);
    return this.#open;
  }

  #connect(ca: string | undefined): OpenConnection {
    const { mount, prefix } = this.#options;
    const client = new BaoClient({ ...this.#options.client, ca });
    const session = new Session({ client, ...this.#options.openSession(client) });
    return { client, session, kv: new KvMount({ session, mount, prefix }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#open?.session[Symbol.asyncDispose]();
    await this.#open?.client[Symbol.asyncDispose]();
  }
}
