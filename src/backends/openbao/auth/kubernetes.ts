import { SecretValue } from '#src/core/secret-value.ts';
import type { CredentialSource } from '../../credentials.ts';
import type { BaoClient, BaoRequest } from '../client.ts';
import { apiPathOf, joinPath } from '../path.ts';
import { failureOf } from '../status.ts';
import { AuthReply, parseReply } from '../wire.ts';
import { refuseLimitedUse } from './method.ts';
import type { AuthMethod, BaoToken } from './method.ts';

const OP = 'openbao.auth.kubernetes';

export interface KubernetesAuthOptions {
  readonly client: BaoClient;
  readonly credentials: CredentialSource;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Audiences of the ServiceAccount token; none means the API server's own. */
  readonly audiences: readonly string[];
  readonly mountPath: string;
  readonly role: string;
}

/**
 * Login with a token that the API server mints for a ServiceAccount of the backend's namespace; the server checks it with
 * a TokenReview. An unknown role is answered with 400, everything else that is wrong with 403.
 */
export class KubernetesAuth implements AuthMethod {
  readonly #options: KubernetesAuthOptions;

  constructor(options: KubernetesAuthOptions) {
    this.#options = options;
  }

  async login(signal: AbortSignal): Promise<BaoToken> {
    const { client, credentials, namespace, serviceAccount, audiences, mountPath, role } = this.#options;
    const issued = await credentials.requestToken(namespace, serviceAccount, audiences, signal);
    const request: BaoRequest = {
      method: 'POST',
      path: apiPathOf(joinPath('auth', mountPath, 'login'), OP),
      body: { role, jwt: issued.token.reveal().toString('utf8') },
      op: OP,
      target: `ServiceAccount ${namespace}/${serviceAccount}`,
      mutates: true,
    };
    const reply = await client.request(request, undefined, signal);
    if (reply.status === 400) throw failureOf({ ...reply, status: 403 }, request);
    if (reply.status !== 200) throw failureOf(reply, request);
    const { auth } = parseReply(AuthReply, reply, request);
    refuseLimitedUse(auth.num_uses, OP, request.target);
    return {
      secret: SecretValue.fromUtf8(auth.client_token),
      ttlSeconds: auth.lease_duration,
      renewable: auth.renewable,
      own: true,
    };
  }
}
