import type { BaoClient } from '../client.ts';
import { logIn } from './login.ts';
import type { AuthMethod, BaoToken } from './method.ts';

export interface CertAuthOptions {
  /** Sends the client certificate on every connection: the server checks it again when the token is renewed. */
  readonly client: BaoClient;
  readonly mountPath: string;
  /** The certificate role to log in with; undefined lets the server find a matching one. */
  readonly name: string | undefined;
  /** Where the certificate comes from, for errors. */
  readonly target: string;
}

/** Login with the client certificate of the TLS connection itself. */
export class CertAuth implements AuthMethod {
  readonly #options: CertAuthOptions;

  constructor(options: CertAuthOptions) {
    this.#options = options;
  }

  async login(signal: AbortSignal): Promise<BaoToken> {
    const { client, mountPath, name, target } = this.#options;
    const body: Readonly<Record<string, string>> = name === undefined ? {} : { name };
    return logIn(client, { mountPath, body, op: 'openbao.auth.cert', target }, signal);
  }
}
