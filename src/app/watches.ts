import {
  ACKNOWLEDGE_IDENTITY_ANNOTATION,
  DEFAULT_BACKEND_ANNOTATION,
  RECONCILE_REQUESTED_ANNOTATION,
  RESOLVE_ANNOTATION,
} from '#src/api/group.ts';
import type { ClusterSecretBackend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import {
  NAMESPACE_INDEX,
  projectBackend,
  projectClusterBackend,
  projectMigration,
} from '#src/controllers/projections.ts';
import type { Informers } from '#src/controllers/watches.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { ChangeFeed } from '#src/runtime/change-feed.ts';
import { GrantedInformer } from '#src/runtime/granted-informer.ts';
import { Informer, type InformerOptions, type Watched } from '#src/runtime/informer.ts';
import { NamespacesInformer } from '#src/runtime/namespaces-informer.ts';
import type { Base } from './base.ts';
import { resourceOf, SECRETS } from './clients.ts';

/** Those of backends that the operator acts on. */
const BACKEND_ANNOTATIONS = [
  DEFAULT_BACKEND_ANNOTATION,
  ACKNOWLEDGE_IDENTITY_ANNOTATION,
  RECONCILE_REQUESTED_ANNOTATION,
];

/** The caches of all that the operator watches; they fill once their informers run. */
export interface Caches extends Informers {
  readonly clusterBackends: GrantedInformer<ClusterSecretBackend>;
}

/** Objects of namespaces are watched in those of `--watch-namespaces`, or in all of them. */
export function createInformers({ client, clock, config, random, logger, metrics }: Base): Caches {
  const common = { client, clock, random, logger, metrics };
  const { watchNamespaces: namespaces } = config;
  const watch = <T extends KubeObject>(
    what: Pick<InformerOptions<T>, 'selection' | 'project' | 'indexes'>,
  ): Watched<T> =>
    namespaces === undefined
      ? new Informer({ ...common, ...what })
      : new NamespacesInformer({ ...common, ...what, namespaces });
  return {
    migrations: watch({
      selection: {
        resource: resourceOf('SecretMigration'),
        annotations: [RECONCILE_REQUESTED_ANNOTATION, RESOLVE_ANNOTATION],
      },
      project: projectMigration,
      indexes: NAMESPACE_INDEX,
    }),
    backends: watch({
      selection: { resource: resourceOf('SecretBackend'), annotations: BACKEND_ANNOTATIONS },
      project: projectBackend,
      indexes: NAMESPACE_INDEX,
    }),
    clusterBackends: new GrantedInformer({
      ...common,
      selection: { resource: resourceOf('ClusterSecretBackend'), annotations: BACKEND_ANNOTATIONS },
      project: projectClusterBackend,
    }),
    secrets: config.watchSecrets
      ? new ChangeFeed({
          ...common,
          selection: { resource: SECRETS, metadataOnly: true, labels: true },
          namespaces,
        })
      : undefined,
  };
}

/** True if a change of a Secret in this namespace wakes the backends that read it. */
export function watchesSecretsIn(
  { watchNamespaces, watchSecrets }: Base['config'],
  namespace: string,
): boolean {
  return watchSecrets && (watchNamespaces === undefined || watchNamespaces.includes(namespace));
}
