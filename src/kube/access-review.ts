import type { V1SelfSubjectAccessReview } from '@kubernetes/client-node';
import { OperatorError } from '#src/errors.ts';
import { isJsonObject } from './json.ts';
import type { KubeClient } from './client.ts';
import type { Resource } from './resource.ts';
import type { Wire } from './wire.ts';

/** One right: a verb on one object, or without `name` on all objects of the namespace; without both, of the cluster. */
export interface Right {
  readonly verb: string;
  readonly resource: Pick<Resource, 'group' | 'plural'>;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

/**
 * True if the client has this right (SelfSubjectAccessReview). A right on all objects contains each of them; a right on
 * single objects (resourceNames) is not one on all. Throws as `KubeClient.request`.
 */
export async function hasRight(
  client: KubeClient,
  { verb, resource, namespace, name }: Right,
  about: { readonly op: string; readonly target: string; readonly signal: AbortSignal },
): Promise<boolean> {
  const resourceAttributes = {
    verb,
    group: resource.group,
    resource: resource.plural,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
  const reply = await client.request({
    method: 'POST',
    onlyAsks: true,
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes },
    } satisfies Wire<V1SelfSubjectAccessReview>,
    ...about,
  });
  const status = isJsonObject(reply) ? reply['status'] : undefined;
  if (isJsonObject(status) && 'allowed' in status) return status['allowed'] === true;
  throw new OperatorError('REPLY_INVALID', { op: about.op, target: about.target });
}
