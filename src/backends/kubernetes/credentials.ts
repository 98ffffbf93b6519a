import type { AuthenticationV1TokenRequest } from '@kubernetes/client-node';
import { z } from 'zod';
import { SecretValue } from '#src/core/secret-value.ts';
import { documentation } from '#src/errors/documentation.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { KubeClient } from '#src/kube/client.ts';
import { describeTarget, objectPath } from '#src/kube/resource.ts';
import type { Resource } from '#src/kube/resource.ts';
import type { Wire } from '#src/kube/wire.ts';
import type { CredentialSource, IssuedToken } from '../credentials.ts';
import { SecretApi } from './api.ts';
import { toDocument } from './codec.ts';
import type { TokenRules } from './token-rules.ts';

const SERVICE_ACCOUNT: Resource = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};

/** The shortest lifetime that the API server grants. A token is used once, for a login. */
const TOKEN_LIFETIME_SECONDS = 600;

const TokenReply = z.object({
  status: z.object({ token: z.string().min(1), expirationTimestamp: z.iso.datetime() }),
});

/** Credentials from the cluster: keys of Secrets, and tokens of ServiceAccounts by TokenRequest. */
export class KubernetesCredentials implements CredentialSource {
  readonly #client: KubeClient;
  readonly #rules: TokenRules;

  constructor(client: KubeClient, rules: TokenRules) {
    this.#client = client;
    this.#rules = rules;
  }

  async readSecretKey(
    namespace: string,
    name: string,
    key: string,
    signal: AbortSignal,
  ): Promise<SecretValue> {
    const target = `Secret ${namespace}/${name}`;
    const api = new SecretApi(this.#client, namespace);
    const secret = await api.get(name, signal).catch((thrown: unknown) => {
      throw toGrant(thrown, { op: 'kube.credentials', target, right: `get on Secret ${name}` });
    });
    const value = secret === undefined ? undefined : toDocument(secret).fields.get(key);
    if (value !== undefined) return value;
    throw new OperatorError('CREDENTIALS_MISSING', {
      op: 'kube.credentials',
      target,
      detail: secret === undefined ? 'The Secret does not exist.' : `The Secret has no key ${key}.`,
    });
  }

  async requestToken(
    namespace: string,
    serviceAccount: string,
    audiences: readonly string[],
    signal: AbortSignal,
  ): Promise<IssuedToken> {
    await this.#rules.requireAllowed({ namespace, serviceAccount, audiences }, signal);
    const op = 'kube.token';
    const object = { namespace, name: serviceAccount };
    const target = describeTarget(SERVICE_ACCOUNT, object);
    try {
      const reply = await this.#client.request({
        method: 'POST',
        path: `${objectPath(SERVICE_ACCOUNT, object)}/token`,
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { expirationSeconds: TOKEN_LIFETIME_SECONDS, audiences },
        } satisfies Wire<AuthenticationV1TokenRequest>,
        op,
        target,
        signal,
      });
      return toIssuedToken(reply, op, target);
    } catch (thrown) {
      if (!hasCode(thrown, 'NOT_FOUND'))
        throw toGrant(thrown, { op, target, right: `create on serviceaccounts/token ${serviceAccount}` });
      throw new OperatorError('CREDENTIALS_MISSING', {
        op,
        target,
        detail: 'The ServiceAccount does not exist.',
        hint: 'Create the ServiceAccount that the backend refers to.',
      });
    }
  }
}

/** The failure; one for the lack of a right (403, not 401) says which one to grant. */
function toGrant(
  thrown: unknown,
  { op, target, right }: { readonly op: string; readonly target: string; readonly right: string },
): unknown {
  if (!(thrown instanceof OperatorError) || thrown.code !== 'AUTH_DENIED' || thrown.status !== 403)
    return thrown;
  const detail = 'The operator has no right to use these credentials.';
  const hint = `Grant the operator ${right} (${documentation('security/rbac.md')}).`;
  return new OperatorError('AUTH_DENIED', { op, target, status: 403, detail, hint });
}

function toIssuedToken(reply: unknown, op: string, target: string): IssuedToken {
  const parsed = TokenReply.safeParse(reply);
  if (!parsed.success) throw new OperatorError('REPLY_INVALID', { op, target });
  const { token, expirationTimestamp } = parsed.data.status;
  return { token: SecretValue.fromUtf8(token), expiresAt: Date.parse(expirationTimestamp) };
}
