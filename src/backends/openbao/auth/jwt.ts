import type { SecretValue } from '#src/core/secret-value.ts';
import type { BaoClient } from '../client.ts';
import { toCredential } from './credential.ts';
import { logIn } from './login.ts';
import type { AuthMethod, BaoToken } from './method.ts';

export interface JwtAuthOptions {
  readonly client: BaoClient;
  readonly mountPath: string;
  readonly role: string;
  /** The token to log in with; fetched for each login. */
  readonly readJwt: (signal: AbortSignal) => Promise<SecretValue>;
  /** `openbao.auth.kubernetes` or `openbao.auth.jwt`. */
  readonly op: string;
  /** Owner of the token, for errors. */
  readonly target: string;
}

/**
 * Login with a signed token. The methods `kubernetes` (the server asks the API server by TokenReview) and `jwt` (the
 * server checks the signature itself) take the same request.
 */
export class JwtAuth implements AuthMethod {
  readonly #options: JwtAuthOptions;

  constructor(options: JwtAuthOptions) {
    this.#options = options;
  }

  async login(signal: AbortSignal): Promise<BaoToken> {
    const { client, mountPath, role, readJwt, op, target } = this.#options;
    const jwt = toCredential(await readJwt(signal), { op, target });
    const body = { role, jwt: jwt.reveal().toString('utf8') };
    return logIn(client, { mountPath, body, op, target }, signal);
  }
}
