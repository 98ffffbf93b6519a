import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { createBackendController } from '#src/controllers/backend/controller.ts';
import { BackendLookup } from '#src/controllers/backend/lookup.ts';
import type { Config } from '#src/config/schema.ts';
import type { DriverPool } from '#src/controllers/backend/pool.ts';
import type { UnwatchedCredentials } from '#src/controllers/backend/unwatched-credentials.ts';
import type { BackendReferences } from '#src/controllers/backend/trust-root.ts';
import type { MigrationParts } from '#src/controllers/migration/attempt.ts';
import type { RunningAttempts } from '#src/controllers/migration/running.ts';
import { createMigrationController } from '#src/controllers/migration/controller.ts';
import {
  backendQueue,
  migrationsHandOn,
  POLLS_HAND_ON,
  PROBES_HAND_ON,
  type Queues,
} from '#src/controllers/queues.ts';
import { RangeJobs } from '#src/controllers/ranges/jobs.ts';
import type { Rollouts } from '#src/controllers/rollout/rollouts.ts';
import { createPollController } from '#src/controllers/sync/controller.ts';
import type { Following } from '#src/controllers/sync/following.ts';
import type { Informers } from '#src/controllers/watches.ts';
import { SecretUses } from '#src/controllers/uses/secret-uses.ts';
import { setBy } from '#src/io/server-clock.ts';
import type { AccessLogState, EventSink } from '#src/ports.ts';
import { ApiLists } from '#src/runtime/api-lists.ts';
import type { Controller } from '#src/runtime/controller.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import type { SharedLease } from '#src/runtime/shared-lease.ts';
import type { SliceWork } from '#src/runtime/slice-work.ts';
import { StatusWriter } from '#src/runtime/status-patch.ts';
import type { Resource } from '#src/kube/resource.ts';
import type { Base } from './base.ts';
import { resourceOf } from './clients.ts';

/** What the controllers share. */
export interface ControllerParts extends Base {
  readonly informers: Informers;
  readonly queues: Queues;
  readonly references: BackendReferences;
  readonly pool: DriverPool;
  readonly attempts: RunningAttempts;
  readonly following: Following;
  readonly rollouts: Rollouts;
  readonly credentials: UnwatchedCredentials;
  readonly events: EventSink;
  /** Undefined: accesses are not recorded. */
  readonly accessLog: AccessLogState | undefined;
  readonly work: SliceWork;
  readonly removals: SharedLease | undefined;
}

/** One controller for each kind that the operator reconciles. */
export function createControllers(parts: ControllerParts): readonly Controller[] {
  return [
    backendController(parts, 'SecretBackend'),
    backendController(parts, 'ClusterSecretBackend'),
    migrationController(parts),
    pollController(parts),
  ];
}

function backendController(parts: ControllerParts, scope: Backend['kind']): Controller {
  const { client, clock, config, credentials, events, informers } = parts;
  const { logger, metrics, pool, queues, random, tracer, work } = parts;
  const { backends, clusterBackends } = informers;
  const resource = resourceOf(scope);
  return createBackendController(
    scope,
    {
      backends: new ObjectClient(client, resource),
      clusterCache: informers.clusterBackends.store,
      pool,
      credentials,
      writer: new StatusWriter({ client, resource }),
      events,
      kinds: parts.references.kinds,
      clock,
      random,
      probeIntervalMs: config.probeIntervalSeconds * 1000,
    },
    {
      queue: backendQueue(queues, scope),
      handsOn: PROBES_HAND_ON,
      work,
      cache: scope === 'SecretBackend' ? backends.store : clusterBackends.store,
      // The end of an outage is noticed no later than its beginning.
      waitingIntervalMs: Math.min(config.waitingRetrySeconds, config.probeIntervalSeconds) * 1000,
      graceMs: graceMsOf(config),
      logger,
      metrics,
      tracer,
    },
  );
}

function migrationController(parts: ControllerParts): Controller {
  const { config, logger, metrics, queues, removals, tracer, work } = parts;
  return createMigrationController(
    { ...migrationParts(parts), jobs: rangeJobs(parts) },
    {
      work,
      processes: removals,
      queue: queues.migrations,
      workers: config.concurrentMigrations,
      handsOn: migrationsHandOn(config.concurrentMigrations),
      graceMs: graceMsOf(config),
      logger,
      metrics,
      tracer,
    },
  );
}

function pollController(parts: ControllerParts): Controller {
  const { clock, config, following, informers, logger, metrics, pool, queues, random, tracer } = parts;
  const wake = (key: string): void => queues.migrations.add(key);
  const backends = { cache: informers.backends.store, clusterCache: informers.clusterBackends.store };
  return createPollController(
    { following, backends, pool, clock, random, wake },
    { queue: queues.polls, handsOn: POLLS_HAND_ON, graceMs: graceMsOf(config), logger, metrics, tracer },
  );
}

/** Half of the grace, so that events, the lease and connections have the rest. */
function graceMsOf({ gracefulShutdownSeconds }: Config): number {
  return gracefulShutdownSeconds * 500;
}

/** What a migration needs, in the operator and in the pod of a range. */
export function migrationParts(
  parts: Omit<ControllerParts, 'credentials' | 'work' | 'removals'>,
): Omit<MigrationParts, 'halfRemoved' | 'live' | 'unsaved'> {
  const { client, config, events, informers, mandate, metrics, pool, references, serverClock } = parts;
  // What is dated wrong today would end a soak early once the clock is right.
  const clock = setBy(serverClock, parts.clock);
  const resource = resourceOf('SecretMigration');
  return {
    migrations: new ObjectClient(client, resource),
    backends: new BackendLookup({
      backends: new ObjectClient(client, resourceOf('SecretBackend')),
      clusterBackends: new ObjectClient(client, resourceOf('ClusterSecretBackend')),
      cache: informers.backends.store,
      clusterCache: informers.clusterBackends.store,
    }),
    reports: new ObjectClient(client, resourceOf('SecretMigrationReport')),
    attempts: parts.attempts,
    following: parts.following,
    rollouts: parts.rollouts,
    cache: informers.migrations.store,
    knowsAllMigrations: true,
    references,
    uses: new SecretUses({ clock: parts.clock, lists: new ApiLists(client, parts.clock) }),
    pool,
    accessLog: parts.accessLog,
    status: {
      writer: new StatusWriter({ client, resource, stamp: { operatorVersion: parts.version } }),
      events,
      metrics,
      clock,
      intervalMs: config.statusIntervalSeconds * 1000,
    },
    mandate,
    clock,
    serverTime: serverClock,
    concurrentDocuments: config.concurrentDocuments,
    waitingRetryMs: config.waitingRetrySeconds * 1000,
    isAwaited: () => parts.queues.migrations.depth > 0,
  };
}

const JOBS: Resource = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };
const POD_TEMPLATES: Resource = {
  group: '',
  version: 'v1',
  plural: 'podtemplates',
  kind: 'PodTemplate',
  namespaced: true,
};

/** The Jobs of migrations with spec.parallelism, in the namespace of the operator. */
function rangeJobs({ client, config, namespace }: ControllerParts): RangeJobs {
  return new RangeJobs({
    jobs: new ObjectClient(client, JOBS),
    templates: new ObjectClient(client, POD_TEMPLATES),
    reports: new ObjectClient(client, resourceOf('SecretMigrationReport')),
    namespace,
    template: config.workerTemplate,
  });
}
