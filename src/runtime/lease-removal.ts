import { hasCode } from '#src/errors.ts';
import type { KubeClient } from '#src/kube/client.ts';
import { objectPath } from '#src/kube/resource.ts';
import { isJsonObject } from '#src/kube/json.ts';
import { LEASES, parseLease } from './lease-record.ts';

/** Deletes a Lease that nobody holds and that nobody will ask for again. One that another process took meanwhile stays. */
export async function removeReleased(
  client: KubeClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<void> {
  const target = `Lease ${namespace}/${name}`;
  const request = { path: objectPath(LEASES, { namespace, name }), target, pool: 'lease', signal } as const;
  try {
    const reply = await client.request({ ...request, method: 'GET', op: 'lease.read' });
    const { raw, record } = parseLease(reply, target);
    const metadata = isJsonObject(raw['metadata']) ? raw['metadata'] : {};
    if (record.holderIdentity !== '') return;
    const { uid, resourceVersion } = metadata;
    const preconditions = { uid, resourceVersion };
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions };
    await client.request({ ...request, method: 'DELETE', body, op: 'lease.delete' });
  } catch (failure) {
    if (!hasCode(failure, 'NOT_FOUND') && !hasCode(failure, 'VERSION_CONFLICT')) throw failure;
  }
}
