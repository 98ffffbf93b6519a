import { hasCode } from '#src/errors.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { collectionPath, objectPath, titleOf, type ObjectName, type Resource } from '#src/kube/resource.ts';
import type { Examined, Finding } from './finding.ts';

/*
 * Reads of what others own, where "not there" and "not allowed to look" are answers.
 */

/** An answer of the API server, or why there is none. */
export type Answer<T> = T | 'absent' | 'forbidden';

/** One object. Throws as `KubeClient.request` for all other failures. */
export async function readObject(
  examined: Pick<Examined, 'cluster'>,
  resource: Resource,
  name: ObjectName,
): Promise<Answer<JsonObject>> {
  return answered(async () => {
    const body = await get(examined, objectPath(resource, name), `${resource.kind} ${name.name}`);
    return isJsonObject(body) ? body : 'absent';
  });
}

/** The objects of a list, as far as one page has them. */
export async function readList(
  examined: Pick<Examined, 'cluster'>,
  resource: Resource,
  { namespace, labelSelector }: { readonly namespace?: string; readonly labelSelector?: string } = {},
): Promise<Answer<readonly JsonObject[]>> {
  return answered(async () => {
    const query = { labelSelector, limit: '500' };
    const body = await get(examined, collectionPath(resource, namespace), resource.kind, query);
    const items = isJsonObject(body) ? body['items'] : undefined;
    return Array.isArray(items) ? items.filter(isJsonObject) : [];
  });
}

async function get(
  { cluster }: Pick<Examined, 'cluster'>,
  path: string,
  target: string,
  query: Readonly<Record<string, string | undefined>> = {},
): Promise<unknown> {
  const { client, signal } = cluster;
  return client.request({
    method: 'GET',
    path,
    query,
    op: 'doctor.read',
    target,
    holdsNoValue: true,
    signal,
  });
}

async function answered<T>(ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await ask();
  } catch (thrown) {
    if (hasCode(thrown, 'AUTH_DENIED')) return 'forbidden';
    if (hasCode(thrown, 'NOT_FOUND')) return 'absent';
    throw thrown;
  }
}

/** What to say where the user may not look. */
export function mayNotLook(check: string, resource: Resource): Finding {
  return {
    level: 'skipped',
    check,
    found: `You may not list ${titleOf(resource)}, so this was not checked.`,
  };
}
