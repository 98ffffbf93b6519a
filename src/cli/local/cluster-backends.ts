import { API_VERSION, type Kind } from '#src/api/group.ts';
import { parseClusterSecretBackend, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { resourceOf } from '#src/app/clients.ts';
import { errorOf, hasCode } from '#src/errors.ts';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import { listPages } from '#src/runtime/listing.ts';
import type { CachedObject } from '#src/runtime/store.ts';
import type { Parsed } from '#src/schema/parse.ts';

const PAGE_SIZE = 250;

/** The backends of operators in a cluster that can read Secrets of one namespace. */
export interface ClusterBackends {
  readonly backends: readonly Backend[];
  /** Those that this version cannot parse. */
  readonly unparsed: readonly CachedObject['metadata'][];
  /** False if the user may not list some of them: any Secret can be one that a backend reads. */
  readonly areAllKnown: boolean;
}

const NONE: ClusterBackends = { backends: [], unparsed: [], areAllKnown: true };

/**
 * Reads the SecretBackends of the namespace and all ClusterSecretBackends. In which namespace an operator reads the Secrets of
 * the latter is not known here, so each of them counts. Throws as `KubeClient.request`.
 */
export async function readClusterBackends(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<ClusterBackends> {
  if (!(await servesBackends(client, signal))) return NONE;
  const own = await list({ client, kind: 'SecretBackend', parse: parseSecretBackend, namespace, signal });
  const shared = await list({
    client,
    kind: 'ClusterSecretBackend',
    parse: parseClusterSecretBackend,
    signal,
  });
  return {
    backends: [...own.backends, ...shared.backends],
    unparsed: [...own.unparsed, ...shared.unparsed],
    areAllKnown: own.areAllKnown && shared.areAllKnown,
  };
}

/** False in a cluster without our CRDs. Each user may ask that. */
async function servesBackends(client: KubeClient, signal: AbortSignal): Promise<boolean> {
  const about = { op: 'kube.discovery', target: API_VERSION, signal };
  try {
    await client.request({ method: 'GET', path: `/apis/${API_VERSION}`, ...about });
    return true;
  } catch (failure) {
    if (errorOf(failure).status === 404) return false;
    // Who may not ask can still list.
    if (hasCode(failure, 'AUTH_DENIED')) return true;
    throw failure;
  }
}

async function list(options: {
  readonly client: KubeClient;
  readonly kind: Kind;
  readonly parse: (object: unknown) => Parsed<Backend>;
  readonly namespace?: string;
  readonly signal: AbortSignal;
}): Promise<ClusterBackends> {
  const { client, kind, namespace, parse, signal } = options;
  const selection = { resource: resourceOf(kind), ...(namespace === undefined ? {} : { namespace }) };
  const fitting = new FittingPage(PAGE_SIZE);
  const found: KubeObject[] = [];
  try {
    for await (const { objects } of listPages({ client, selection, fitting, signal })) found.push(...objects);
  } catch (failure) {
    if (!hasCode(failure, 'AUTH_DENIED')) throw failure;
    return { ...NONE, areAllKnown: false };
  }
  const backends: Backend[] = [];
  const unparsed: CachedObject['metadata'][] = [];
  for (const object of found) {
    const parsed = parse(object);
    if (parsed.ok) backends.push(parsed.value);
    else unparsed.push(object.metadata);
  }
  return { backends, unparsed, areAllKnown: true };
}
