import type { SecretValue } from '#src/core/secret-value.ts';
import type { BaoClient } from '../client.ts';
import { toCredential } from './credential.ts';
import { logIn } from './login.ts';
import type { AuthMethod, BaoToken } from './method.ts';

const OP = 'openbao.auth.approle';

export interface AppRoleAuthOptions {
  readonly client: BaoClient;
  readonly mountPath: string;
  /** Names the role. Half of the credentials, but not a secret. */
  readonly roleId: string;
  /** The other half; fetched for each login. */
  readonly readSecretId: (signal: AbortSignal) => Promise<SecretValue>;
  /** Where the secret id comes from, for errors. */
  readonly target: string;
}

/** Login with a role id and a secret id. Each login is one use of the secret id. */
export class AppRoleAuth implements AuthMethod {
  readonly #options: AppRoleAuthOptions;

  constructor(options: AppRoleAuthOptions) {
    this.#options = options;
  }

  async login(signal: AbortSignal): Promise<BaoToken> {
    const { client, mountPath, roleId, readSecretId, target } = this.#options;
    const secretId = toCredential(await readSecretId(signal), { op: OP, target });
    const body = { role_id: roleId, secret_id: secretId.reveal().toString('utf8') };
    return logIn(client, { mountPath, body, op: OP, target }, signal);
  }
}
