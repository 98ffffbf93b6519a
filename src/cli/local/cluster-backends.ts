import { API_VERSION, type Kind } from '#src/api/group.ts';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { errorOf, hasCode } from '#src/errors.ts';
import type { KubeClient } from '#src/kube/client.ts';
import type { CachedObject } from '#src/runtime/store.ts';
import { listObjects, toBackend } from '../backend/stored.ts';

/** The backends of operators in a cluster that can read Secrets of one namespace. */
export interface ClusterBackends {
  readonly backends: readonly Backend[];
  /** Those that this version cannot parse. */
  readonly unparsed: readonly CachedObject['metadata'][];
  /** The kinds that the user may not list: any Secret can be one that such a backend reads. */
  readonly unlisted: readonly Kind[];
}

/** What a run without a cluster knows. */
export const NO_BACKENDS: ClusterBackends = { backends: [], unparsed: [], unlisted: [] };

/**
 * Reads the SecretBackends of the namespace and all ClusterSecretBackends. In which namespace an operator reads the Secrets of
 * the latter is not known here, so each of them counts. Throws as `KubeClient.request`.
 */
export async function readClusterBackends(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<ClusterBackends> {
  if (!(await servesBackends(client, signal))) return NO_BACKENDS;
  const own = await list(client, { kind: 'SecretBackend', namespace, signal });
  const shared = await list(client, { kind: 'ClusterSecretBackend', signal });
  return {
    backends: [...own.backends, ...shared.backends],
    unparsed: [...own.unparsed, ...shared.unparsed],
    unlisted: [...own.unlisted, ...shared.unlisted],
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

async function list(
  client: KubeClient,
  {
    kind,
    namespace,
    signal,
  }: { readonly kind: Kind; readonly namespace?: string; readonly signal: AbortSignal },
): Promise<ClusterBackends> {
  const found = await listObjects({ client, signal }, kind, namespace);
  if (found === undefined) return { ...NO_BACKENDS, unlisted: [kind] };
  const all = found.map((object) => ({ object, backend: toBackend(object) }));
  return {
    backends: all.flatMap(({ backend }) => (backend === undefined ? [] : [backend])),
    unparsed: all.flatMap(({ backend, object }) => (backend === undefined ? [object.metadata] : [])),
    unlisted: [],
  };
}
