import type { V1SubjectAccessReviewSpec, V1TokenReviewSpec } from '@kubernetes/client-node';
import { OperatorError } from '#src/errors.ts';
import type { KubeClient } from '#src/kube/client.ts';
import type { Wire } from '#src/kube/wire.ts';
import { z } from 'zod';

const Review = z.object({
  status: z.object({
    authenticated: z.boolean().optional(),
    user: z
      .object({
        username: z.string().optional(),
        uid: z.string().optional(),
        groups: z.array(z.string()).optional(),
        extra: z.record(z.string(), z.array(z.string())).optional(),
      })
      .optional(),
  }),
});
const Access = z.object({ status: z.object({ allowed: z.boolean() }) });

/** Both reviews together. A scrape waits for them. */
const TIMEOUT_MS = 5000;

/**
 * Whether the holder of a token may `get` the path of a server that is not the API server, such as /metrics: a TokenReview
 * and a SubjectAccessReview on nonResourceURLs, as controller-runtime's filter WithAuthenticationAndAuthorization does.
 * Throws the errors of the transport. The client needs no mandate: a review changes nothing.
 */
export async function reviewToken(
  client: KubeClient,
  { token, path }: { readonly token: string; readonly path: string },
  signal: AbortSignal,
): Promise<'allowed' | 'forbidden' | 'unauthenticated'> {
  const { authenticated, user } = (
    await post(
      client,
      { group: 'authentication.k8s.io', kind: 'TokenReview', spec: { token } satisfies V1TokenReviewSpec },
      Review,
      signal,
    )
  ).status;
  if (authenticated !== true || user === undefined) return 'unauthenticated';
  const { username, ...rest } = user;
  const nonResourceAttributes = { path, verb: 'get' };
  const spec = { user: username, ...rest, nonResourceAttributes } satisfies Wire<V1SubjectAccessReviewSpec>;
  const access = { group: 'authorization.k8s.io', kind: 'SubjectAccessReview', spec };
  return (await post(client, access, Access, signal)).status.allowed ? 'allowed' : 'forbidden';
}

async function post<Schema extends z.ZodType>(
  client: KubeClient,
  { group, kind, spec }: { readonly group: string; readonly kind: string; readonly spec: object },
  schema: Schema,
  signal: AbortSignal,
): Promise<z.output<Schema>> {
  const about = { op: 'kube.review', target: kind };
  const reply = await client.request({
    ...about,
    method: 'POST',
    path: `/apis/${group}/v1/${kind.toLowerCase()}s`,
    body: { apiVersion: `${group}/v1`, kind, spec },
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  const parsed = schema.safeParse(reply);
  if (!parsed.success) throw new OperatorError('REPLY_INVALID', about);
  return parsed.data;
}
