import { closed } from '#src/errors/closed.ts';
import { Session } from './auth/session.ts';
import type { SessionOptions } from './auth/session.ts';
import { BaoClient } from './client.ts';
import type { ClientOptions } from './client.ts';
import { KvMount } from './kv.ts';
import type { TlsMaterial } from './tls.ts';

/** Everything a driver needs to talk to its server. */
export interface OpenConnection {
  readonly client: BaoClient;
  readonly session: Session;
  readonly kv: KvMount;
}

export interface ConnectionOptions {
  readonly client: Omit<ClientOptions, 'tls'>;
  /** The trusted CAs and, with `auth.cert`, the client certificate; read before the first request. */
  readonly readTls: (signal: AbortSignal) => Promise<TlsMaterial>;
  readonly openSession: (client: BaoClient) => Omit<SessionOptions, 'client'>;
  readonly mount: string;
  readonly prefix: string;
}

/** Opens once, at the first use, because it may have to read certificates from the API server first. */
export class BaoConnection implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  #open: OpenConnection | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Throws `BACKEND_NOT_READY` after the connection was disposed of. */
  async open(signal: AbortSignal): Promise<OpenConnection> {
    this.#requireOpen();
    if (this.#open !== undefined) return this.#open;
    const tls = await this.#options.readTls(signal);
    this.#requireOpen();
    // Two concurrent first requests can both read the certificates; only one of them opens.
    this.#open ??= this.#connect(tls);
    return this.#open;
  }

  #requireOpen(): void {
    if (this.#closed) throw closed({ op: 'openbao.open' });
  }

  #connect(tls: TlsMaterial): OpenConnection {
    const { mount, prefix } = this.#options;
    const client = new BaoClient({ ...this.#options.client, tls });
    const session = new Session({ client, ...this.#options.openSession(client) });
    return { client, session, kv: new KvMount({ session, mount, prefix }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#open?.session[Symbol.asyncDispose]();
    this.#open?.client[Symbol.dispose]();
  }
}
