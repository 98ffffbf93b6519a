import { resourceOf } from '#src/app/clients.ts';
import type { Kind } from '#src/api/group.ts';
import { OperatorError } from '#src/errors.ts';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import { isJsonObject } from '#src/kube/json.ts';
import { apiVersionOf, collectionPath } from '#src/kube/resource.ts';
import { isKubeObject } from '#src/runtime/listing.ts';

/** Which objects; without a namespace, those of all. */
export interface Choice {
  readonly kind: Kind;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** Objects at one state of the server. */
export interface Listing {
  readonly objects: readonly KubeObject[];
  readonly resourceVersion: string;
}

/** Objects of a page while all fit into a reply. */
const PAGE_SIZE = 250;

/** Whole objects, as the server has them. Throws as `KubeClient.request`. */
export async function listObjects(
  client: KubeClient,
  { kind, namespace, labelSelector, fieldSelector }: Choice,
  signal: AbortSignal,
): Promise<Listing> {
  const resource = resourceOf(kind);
  const fitting = new FittingPage(PAGE_SIZE);
  const objects: KubeObject[] = [];
  for (let token: string | undefined; ;) {
    const position = token;
    const page = await fitting.request(async (limit) =>
      client.request({
        method: 'GET',
        path: collectionPath(resource, namespace),
        query: { labelSelector, fieldSelector, limit: String(limit), continue: position },
        op: 'kube.list',
        target: kind,
        signal,
      }),
    );
    const { items, next, resourceVersion } = readPage(page, kind);
    // Items of a list can lack both.
    objects.push(...items.map((item) => ({ apiVersion: apiVersionOf(resource), kind, ...item })));
    if (next === undefined) return { objects, resourceVersion };
    token = next;
  }
}

interface Page {
  readonly items: readonly KubeObject[];
  readonly next: string | undefined;
  readonly resourceVersion: string;
}

function readPage(page: unknown, kind: Kind): Page {
  const metadata = isJsonObject(page) ? page['metadata'] : undefined;
  if (!isJsonObject(page) || page['kind'] !== `${kind}List` || !isJsonObject(metadata))
    throw new OperatorError('REPLY_INVALID', { op: 'kube.list', target: kind });
  const { continue: next, resourceVersion } = metadata;
  const items = Array.isArray(page['items']) ? page['items'].filter(isKubeObject) : [];
  return {
    items,
    next: typeof next === 'string' && next !== '' ? next : undefined,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
  };
}
