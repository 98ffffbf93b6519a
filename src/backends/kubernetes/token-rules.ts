import { z } from 'zod';
import { OperatorError } from '#src/errors.ts';
import type { KubeClient } from '#src/kube/client.ts';

/** Its ServiceAccounts are those of the control plane: they can do whatever the cluster can. */
const CONTROL_PLANE_NAMESPACE = 'kube-system';

const Review = z.object({ status: z.object({ userInfo: z.object({ username: z.string().min(1) }) }) });

export interface TokenRulesOptions {
  readonly client: KubeClient;
  /** Operator flag --audience-prefix. */
  readonly audiencePrefix: string;
  /** Operator flag --allow-api-server-audience. */
  readonly allowApiServerAudience: boolean;
}

/** Whose token, and for whom. */
export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences: readonly string[];
}

/**
 * Which tokens of ServiceAccounts the operator requests. A tenant chooses the server that receives a token. So no other
 * server that accepts tokens of this cluster may accept it, first of all not the API server.
 */
export class TokenRules {
  readonly #options: TokenRulesOptions;
  #ownName: string | undefined;

  constructor(options: TokenRulesOptions) {
    this.#options = options;
  }

  /**
   * Throws `CREDENTIALS_FORBIDDEN` for a ServiceAccount of the control plane, for that of the operator, for a token
   * without audiences (it would have those of the API server) and for an audience without the prefix. Without knowing
   * its own name the operator requests no token: a failed review throws its own error.
   */
  async requireAllowed(request: TokenRequest, signal: AbortSignal): Promise<void> {
    const refusal = this.#refusalByNamespace(request) ?? this.#refusalByAudience(request);
    if (refusal !== undefined) throw forbidden(request, refusal);
    const own = (this.#ownName ??= await ownNameOf(this.#options.client, signal));
    if (own !== `system:serviceaccount:${request.namespace}:${request.serviceAccount}`) return;
    throw forbidden(request, {
      detail: 'This is the ServiceAccount of the operator.',
      hint: 'Name a ServiceAccount that has only the rights of this backend.',
    });
  }

  #refusalByNamespace({ namespace }: TokenRequest): Refusal | undefined {
    if (namespace !== CONTROL_PLANE_NAMESPACE) return undefined;
    return {
      detail: `The ServiceAccounts in ${CONTROL_PLANE_NAMESPACE} are those of the control plane.`,
      hint: 'Use a backend in another namespace.',
    };
  }

  #refusalByAudience({ audiences }: TokenRequest): Refusal | undefined {
    const { allowApiServerAudience, audiencePrefix } = this.#options;
    const hint = `Set audiences of the backend, and the audience of the role on the server, to a name that starts with ${audiencePrefix}.`;
    if (audiences.length === 0) {
      return { detail: 'A token without audiences is valid for the API server.', hint };
    }
    if (allowApiServerAudience) return undefined;
    if (audiences.every((audience) => audience.startsWith(audiencePrefix))) return undefined;
    return { detail: `An audience does not start with ${audiencePrefix} (--audience-prefix).`, hint };
  }
}

interface Refusal {
  readonly detail: string;
  readonly hint: string;
}

function forbidden({ namespace, serviceAccount }: TokenRequest, refusal: Refusal): OperatorError {
  const target = `ServiceAccount ${namespace}/${serviceAccount}`;
  return new OperatorError('CREDENTIALS_FORBIDDEN', { op: 'kube.token', target, ...refusal });
}

/** As the API server authenticates the operator (SelfSubjectReview); each authenticated user may ask that. */
async function ownNameOf(client: KubeClient, signal: AbortSignal): Promise<string> {
  const about = { op: 'kube.whoami', target: 'SelfSubjectReview' };
  const reply = await client.request({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    ...about,
    signal,
  });
  const parsed = Review.safeParse(reply);
  if (!parsed.success) throw new OperatorError('REPLY_INVALID', about);
  return parsed.data.status.userInfo.username;
}
