import type { CredentialSource } from '../../credentials.ts';
import type { BaoClient, BaoRequest } from '../client.ts';
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
