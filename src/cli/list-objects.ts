import { resourceOf } from '#src/app/clients.ts';
import type { Kind } from '#src/api/group.ts';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import { wholePages } from '#src/runtime/listing.ts';

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
  const selection = {
    resource: resourceOf(kind),
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
  const found: KubeObject[] = [];
  let version = '';
  const fitting = new FittingPage(PAGE_SIZE);
  for await (const { objects, resourceVersion } of wholePages({ client, selection, fitting, signal })) {
    found.push(...objects);
    version = resourceVersion;
  }
  return { objects: found, resourceVersion: version };
}
