import { DEFAULT_BACKEND_ANNOTATION, RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import {
  NAMESPACE_INDEX,
  projectBackend,
  projectClusterBackend,
  projectMigration,
  projectSecret,
} from '#src/controllers/projections.ts';
import type { Informers } from '#src/controllers/watches.ts';
import { Informer } from '#src/runtime/informer.ts';
import type { Base } from './base.ts';
import { resourceOf, SECRETS } from './clients.ts';

/** The caches of all that the operator watches; they fill once their informers run. */
export function createInformers({ client, clock, random, logger, metrics }: Base): Informers {
  const common = { client, clock, random, logger, metrics };
  return {
    migrations: new Informer({
      ...common,
      selection: {
        resource: resourceOf('SecretMigration'),
        annotations: [RECONCILE_REQUESTED_ANNOTATION],
      },
      project: projectMigration,
      indexes: NAMESPACE_INDEX,
    }),
    backends: new Informer({
      ...common,
      selection: { resource: resourceOf('SecretBackend'), annotations: [DEFAULT_BACKEND_ANNOTATION] },
      project: projectBackend,
      indexes: NAMESPACE_INDEX,
    }),
    clusterBackends: new Informer({
      ...common,
      selection: { resource: resourceOf('ClusterSecretBackend'), annotations: [DEFAULT_BACKEND_ANNOTATION] },
      project: projectClusterBackend,
    }),
    secrets: new Informer({
      ...common,
      selection: { resource: SECRETS, metadataOnly: true },
      project: projectSecret,
    }),
  };
}
