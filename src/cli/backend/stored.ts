import { DEFAULT_BACKEND_ANNOTATION, RECONCILE_REQUESTED_ANNOTATION, type Kind } from '#src/api/group.ts';
import { parseClusterSecretBackend, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { resourceOf } from '#src/app/clients.ts';
import { hasCode } from '#src/errors.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import { listPages } from '#src/runtime/listing.ts';
import type { UserCluster } from '../cluster.ts';
import { Problem } from '../problem.ts';

/*
 * Backends as the API server has them, for the user of the kubeconfig.
 */

const PAGE_SIZE = 250;
const KEPT_ANNOTATIONS = [DEFAULT_BACKEND_ANNOTATION, RECONCILE_REQUESTED_ANNOTATION];

/** What is needed of the cluster to list objects. */
export type Lister = Pick<UserCluster, 'client' | 'signal'>;

/**
 * All objects of a kind, of a namespace or (undefined) of the cluster. Undefined if the user has no right to list them.
 * Of their metadata, what identifies them and the annotations of backends. Throws as `KubeClient.request`.
 */
export async function listObjects(
  { client, signal }: Lister,
  kind: Kind,
  namespace: string | undefined,
): Promise<readonly KubeObject[] | undefined> {
  const selection = {
    resource: resourceOf(kind),
    annotations: KEPT_ANNOTATIONS,
    ...(namespace === undefined ? {} : { namespace }),
  };
  const found: KubeObject[] = [];
  try {
    const fitting = new FittingPage(PAGE_SIZE);
    for await (const { objects } of listPages({ client, selection, fitting, signal })) found.push(...objects);
    return found;
  } catch (thrown) {
    if (hasCode(thrown, 'AUTH_DENIED')) return undefined;
    throw thrown;
  }
}

/** The object as a backend; undefined if this version cannot read it. */
export function toBackend(object: KubeObject): Backend | undefined {
  const parsed =
    object.kind === 'ClusterSecretBackend' ? parseClusterSecretBackend(object) : parseSecretBackend(object);
  return parsed.ok ? parsed.value : undefined;
}

/** A backend as it is stored, and parsed if this version can read it. */
export interface FoundBackend {
  readonly kind: Backend['kind'];
  readonly object: KubeObject;
  readonly backend: Backend | undefined;
}

/** `SecretBackend/bao` and `ClusterSecretBackend/bao` name the kind; `bao` does not. */
function kindIn(name: string): readonly [Backend['kind'] | undefined, string] {
  const [first = '', second] = name.split('/');
  if (second === undefined) return [undefined, first];
  if (/^(sbe|secretbackends?)$/i.test(first)) return ['SecretBackend', second];
  if (/^(csbe|clustersecretbackends?)$/i.test(first)) return ['ClusterSecretBackend', second];
  throw new Problem(
    `${name} is not a backend. Name it as NAME, SecretBackend/NAME or ClusterSecretBackend/NAME.`,
  );
}

/**
 * The backend that a migration of this namespace would mean with this name: its SecretBackend, else a ClusterSecretBackend.
 * Throws `Problem` if there is none.
 */
export async function findBackend(
  cluster: UserCluster,
  typed: string,
  isCluster: boolean,
): Promise<FoundBackend> {
  const [named, name] = kindIn(typed);
  const kind = isCluster ? 'ClusterSecretBackend' : named;
  if (kind !== undefined) return found(kind, await cluster.get(kind, name));
  const { namespace, signal } = cluster;
  const own = await cluster.objects('SecretBackend').get({ namespace, name }, signal);
  if (own !== undefined) return found('SecretBackend', own);
  const shared = await sharedBackend(cluster, name);
  if (shared !== undefined) return found('ClusterSecretBackend', shared);
  throw new Problem(
    `There is no SecretBackend ${name} in the namespace ${namespace}, and no ClusterSecretBackend ${name}. ` +
      `Look for its name: keyferry backend list -n ${namespace}.`,
  );
}

/** Undefined also for a user who may not read ClusterSecretBackends. */
async function sharedBackend(cluster: UserCluster, name: string): Promise<KubeObject | undefined> {
  try {
    return await cluster.objects('ClusterSecretBackend').get({ name }, cluster.signal);
  } catch (thrown) {
    if (hasCode(thrown, 'AUTH_DENIED')) return undefined;
    throw thrown;
  }
}

function found(kind: Backend['kind'], object: KubeObject): FoundBackend {
  return { kind, object, backend: toBackend(object) };
}

/** As kubectl names an object: `secretbackend.keyferry.io/bao`. */
export function kubectlName(kind: Backend['kind'], name: string): string {
  return `${kind.toLowerCase()}.keyferry.io/${name}`;
}
