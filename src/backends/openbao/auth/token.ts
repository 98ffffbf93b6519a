import { OperatorError } from '#src/errors.ts';
import type { CredentialSource } from '../../credentials.ts';
import type { BaoClient, BaoRequest } from '../client.ts';
import { isNamespaceMissing, namespaceMissing } from '../namespace.ts';
import { failureOf } from '../status.ts';
import { LookupReply, parseReply } from '../wire.ts';
import { toCredential } from './credential.ts';
import { refuseLimitedUse } from './method.ts';
import type { AuthMethod, BaoToken } from './method.ts';
import { selfRequest } from './self-request.ts';

const OP = 'openbao.auth.token';

export interface TokenAuthOptions {
  readonly client: BaoClient;
  readonly credentials: CredentialSource;
  readonly namespace: string;
  readonly secretRef: { readonly name: string; readonly key: string };
}

/** A token from a Secret in the namespace of the backend, read again at each login so that a rotated token is used. */
export class TokenAuth implements AuthMethod {
  readonly #options: TokenAuthOptions;

  constructor(options: TokenAuthOptions) {
    this.#options = options;
  }

  async login(signal: AbortSignal): Promise<BaoToken> {
    const { client, credentials, namespace, secretRef } = this.#options;
    const stored = await credentials.readSecretKey(namespace, secretRef.name, secretRef.key, signal);
    const target = `Secret ${namespace}/${secretRef.name}`;
    const secret = toCredential(stored, { op: OP, target });
    const request: BaoRequest = { ...selfRequest('lookup-self'), op: OP, target };
    const reply = await client.request(request, secret, signal);
    if (isNamespaceMissing(reply, client)) throw namespaceMissing(client, OP);
    if (reply.status === 403) throw refused(target);
    if (reply.status !== 200) throw failureOf(reply, request);
    const { data } = parseReply(LookupReply, reply, request);
    refuseLimitedUse(data.num_uses, OP, target);
    const expires = data.expire_time !== null && data.expire_time !== undefined;
    return {
      secret,
      ttlSeconds: expires ? Math.max(1, data.ttl) : 0,
      renewable: data.renewable ?? false,
      own: false,
    };
  }
}

/** The server replies the same to an invalid token, to one of another namespace and to one without the right to ask. */
function refused(target: string): OperatorError {
  return new OperatorError('AUTH_DENIED', {
    op: OP,
    target,
    status: 403,
    detail: 'The token is not valid here.',
    hint: 'Renew it, give it the default policy, and check that spec.openbao.namespace is its namespace.',
  });
}
