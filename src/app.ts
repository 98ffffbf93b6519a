import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { GROUP, KINDS, VERSION, type Kind } from './api/group.ts';
import type { Parsed } from './schema/parse.ts';
import { parseClusterSecretBackend, type Backend } from './api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from './api/v1alpha1/secret-backend.ts';
import { parseSecretMigration, type SecretMigration } from './api/v1alpha1/secret-migration.ts';
import { DirectoryFactory } from './backends/directory/factory.ts';
import { BACKEND_KINDS } from './backends/kinds.ts';
import { KubernetesCredentials } from './backends/kubernetes/credentials.ts';
import { KubernetesFactory } from './backends/kubernetes/factory.ts';
import { OpenBaoFactory } from './backends/openbao/factory.ts';
import type { BackendFactory } from './backends/factory.ts';
import { BackendRegistry } from './backends/registry.ts';
import type { Config } from './config/schema.ts';
import { BackendLookup } from './controllers/backend/lookup.ts';
import { BackendReconciler } from './controllers/backend/reconcile.ts';
import { DriverPool } from './controllers/driver-pool.ts';
import { reconcileMigration } from './controllers/migration/reconcile.ts';
import type { MigrationParts } from './controllers/migration/attempt.ts';
import { trustRootsOf } from './controllers/trust-root.ts';
import { backendsReadingFrom, connectWatches, type Watches } from './controllers/watches.ts';
import { OperatorError } from './errors.ts';
import { whenAborted } from './io/abort.ts';
import type { KubeClient, KubeObject } from './kube/client.ts';
import { openInClusterConnection, type KubeConnection } from './kube/config.ts';
import { openKubeconfigConnection } from './kube/kubeconfig.ts';
import type { Resource } from './kube/resource.ts';
import { HttpKubeClient } from './kube/transport.ts';
import type { Logger, Metrics } from './ports.ts';
import { Controller } from './runtime/controller.ts';
import { EventRecorder } from './runtime/events.ts';
import { Informer } from './runtime/informer.ts';
import { LeaderElector } from './runtime/lease.ts';
import { runComponents, type Component } from './runtime/manager.ts';
import { ObjectClient } from './runtime/object-client.ts';
import { WorkQueue } from './runtime/queue.ts';
import { StatusWriter } from './runtime/status-patch.ts';
import { AuditLog } from './telemetry/audit-log.ts';
import { openAuditSink } from './telemetry/audit-sink.ts';
import { createLog } from './telemetry/log.ts';
import { PrometheusMetrics } from './telemetry/metrics.ts';
import { openHealthServer, openMetricsServer, type TelemetryServer } from './telemetry/server.ts';
import { systemClock as clock } from './runtime/system-clock.ts';

/** Milliseconds after which one driver call (a page, a read, a write with its retries) counts as lost. */
const DRIVER_CALL_MS = 90_000;
/** Longest single run of a migration; it goes on in the next one. */
const MIGRATION_DEADLINE_MS = 6 * 3_600_000;
const BACKEND_DEADLINE_MS = 60_000;
const RETRY_LIMITS = { baseMs: 200, capMs: 60_000, burst: 100, perSecond: 10 };
const random = Math.random;

const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };

function resourceOf(kind: Kind): Resource {
  const { plural, namespaced } = KINDS[kind];
  return { group: GROUP, version: VERSION, plural, kind, namespaced };
}

async function openConnection(config: Config): Promise<KubeConnection> {
  if (config.kubeconfig !== undefined) return openKubeconfigConnection({ path: config.kubeconfig, clock });
  return openInClusterConnection({
    host: config.kubernetesServiceHost,
    port: String(config.kubernetesServicePort),
    serviceAccountDirectory: config.serviceAccountDir,
    clock,
  });
}

interface Base {
  readonly config: Config;
  /** Where the references of ClusterSecretBackends are. */
  readonly clusterResourceNamespace: string;
  readonly version: string;
  readonly client: KubeClient;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

function createRegistry(base: Base, accessLog: AuditLog | undefined): BackendRegistry {
  const { config, version, client, metrics } = base;
  const factories: readonly BackendFactory[] = [
    new KubernetesFactory(client),
    new OpenBaoFactory({
      credentials: new KubernetesCredentials(client),
      clock,
      random,
      userAgent: `keyferry/${version}`,
      allowInsecureHttp: config.allowInsecureHttp,
    }),
    new DirectoryFactory({ root: config.directoryRoot, clock, random }),
  ];
  const guard = { clock, random, metrics, deadlineMs: DRIVER_CALL_MS };
  return new BackendRegistry(factories, { guard, accessLog });
}

/** From a cached object to its parsed form. Throws `SPEC_INVALID`. */
function parsedBy<T>(parse: (object: unknown) => Parsed<T>): (object: KubeObject) => T {
  return (object) => {
    const parsed = parse(object);
    if (parsed.ok) return parsed.value;
    throw new OperatorError('SPEC_INVALID', { op: 'watch.parse', detail: parsed.problems.join('; ') });
  };
}

/** The rows of a status are read live and would only cost memory here. */
function projectMigration(object: KubeObject): SecretMigration {
  const migration = parsedBy(parseSecretMigration)(object);
  const { keys: _keys, exceptions: _exceptions, ...status } = migration.status;
  return { ...migration, status };
}

/** Of Secrets only that one changed is of interest; there are many, and some carry large annotations. */
function withoutNotes({ metadata }: KubeObject): KubeObject {
  const { labels: _labels, annotations: _annotations, ...rest } = metadata;
  return { metadata: rest };
}

function byNamespace(object: KubeObject): readonly string[] {
  return [object.metadata.namespace ?? ''];
}

function createWatches(base: Base, pool: DriverPool): Watches {
  const { client, clusterResourceNamespace, logger, metrics } = base;
  const common = { client, clock, random, logger, metrics };
  const indexes = { namespace: byNamespace };
  const queue = (name: string): WorkQueue => new WorkQueue({ name, clock, metrics, limits: RETRY_LIMITS });
  const watches: Watches = {
    migrations: new Informer({
      ...common,
      selection: { resource: resourceOf('SecretMigration') },
      project: projectMigration,
      indexes,
    }),
    backends: new Informer({
      ...common,
      selection: { resource: resourceOf('SecretBackend') },
      project: parsedBy(parseSecretBackend),
      indexes,
    }),
    clusterBackends: new Informer({
      ...common,
      selection: { resource: resourceOf('ClusterSecretBackend') },
      project: parsedBy(parseClusterSecretBackend),
    }),
    secrets: new Informer({
      ...common,
      selection: { resource: SECRETS, metadataOnly: true },
      project: withoutNotes,
    }),
    migrationQueue: queue('secretmigration'),
    backendQueue: queue('secretbackend'),
    clusterBackendQueue: queue('clustersecretbackend'),
    clusterResourceNamespace,
    kinds: BACKEND_KINDS,
    pool,
    metrics,
    logger,
  };
  connectWatches(watches);
  return watches;
}

/** Undefined when nobody asked for one. */
async function openAuditLog(
  { auditLog }: Config,
  parts: Pick<Base, 'logger' | 'metrics'>,
): Promise<AuditLog | undefined> {
  if (auditLog === 'off') return undefined;
  return new AuditLog({ ...parts, sink: await openAuditSink(auditLog), clock });
}

interface Parts extends Base {
  readonly pool: DriverPool;
  readonly watches: Watches;
  readonly events: EventRecorder;
}

interface BackendKind {
  readonly kind: Backend['kind'];
  readonly parse: (object: unknown) => Parsed<Backend>;
  readonly queue: WorkQueue;
}

function createBackendController(parts: Parts, { kind, parse, queue }: BackendKind): Controller {
  const { client, config, events, logger, metrics, pool, watches } = parts;
  const resource = resourceOf(kind);
  const writer = new StatusWriter({ client, resource });
  const reconciler = new BackendReconciler({
    backends: new ObjectClient(client, resource),
    parse,
    clusterCache: watches.clusterBackends.store,
    pool,
    writer,
    events,
    clock,
    random,
    probeIntervalMs: config.probeIntervalSeconds * 1000,
  });
  return new Controller({
    name: kind.toLowerCase(),
    queue,
    reconcile: async (key, context) => reconciler.reconcile(key, context),
    workers: 4,
    deadlineMs: BACKEND_DEADLINE_MS,
    waitingIntervalMs: config.waitingRetrySeconds * 1000,
    clock,
    logger,
    metrics,
  });
}

function createMigrationController(parts: Parts): Controller {
  const { client, config, events, logger, metrics, pool, watches } = parts;
  const resource = resourceOf('SecretMigration');
  const writer = new StatusWriter({ client, resource });
  const migrationParts: MigrationParts = {
    migrations: new ObjectClient(client, resource),
    backends: new BackendLookup({
      backends: new ObjectClient(client, resourceOf('SecretBackend')),
      clusterBackends: new ObjectClient(client, resourceOf('ClusterSecretBackend')),
      cache: watches.backends.store,
      clusterCache: watches.clusterBackends.store,
    }),
    reports: new ObjectClient(client, resourceOf('SecretMigrationReport')),
    cache: watches.migrations.store,
    trustRootsIn: (namespace) => trustRootsOf(backendsReadingFrom(watches, namespace), watches.kinds),
    pool,
    status: {
      writer,
      events,
      metrics,
      clock,
      intervalMs: config.statusIntervalSeconds * 1000,
    },
    clock,
    concurrentDocuments: config.concurrentDocuments,
    retryMs: { soon: 5_000, later: config.waitingRetrySeconds * 1000 },
  };
  return new Controller({
    name: 'secretmigration',
    queue: watches.migrationQueue,
    reconcile: async (key, context) => reconcileMigration(migrationParts, key, context),
    workers: config.concurrentMigrations,
    deadlineMs: MIGRATION_DEADLINE_MS,
    waitingIntervalMs: config.waitingRetrySeconds * 1000,
    graceMs: config.gracefulShutdownSeconds * 500,
    clock,
    logger,
    metrics,
  });
}

function loop(name: string, run: (signal: AbortSignal) => Promise<void>, ready?: Promise<void>): Component {
  return {
    name,
    start: async (signal) => {
      const done = run(signal);
      if (ready !== undefined) await Promise.race([ready, done]);
      return { done };
    },
  };
}

/** A server that lives as long as its component. */
function served(name: string, logger: Logger, open: () => Promise<TelemetryServer>): Component {
  return {
    name,
    start: async (signal) => {
      const server = await open();
      logger.info('listening', { server: name, host: server.host, port: server.port });
      return { done: whenAborted(signal).then(async () => server[Symbol.asyncDispose]()) };
    },
  };
}

/** Workers run only while this replica leads; caches are warm on every replica. */
function leaderLoop(parts: Parts, elector: LeaderElector): Component {
  const { backendQueue, clusterBackendQueue } = parts.watches;
  const controllers = [
    createBackendController(parts, { kind: 'SecretBackend', parse: parseSecretBackend, queue: backendQueue }),
    createBackendController(parts, {
      kind: 'ClusterSecretBackend',
      parse: parseClusterSecretBackend,
      queue: clusterBackendQueue,
    }),
    createMigrationController(parts),
  ];
  const lead = async (leading: AbortSignal): Promise<void> => {
    await Promise.all(controllers.map(async (controller) => controller.run(leading)));
  };
  const { leaderElection } = parts.config;
  return loop('controllers', async (signal) => (leaderElection ? elector.run(signal, lead) : lead(signal)));
}

function createElector({ client, config, logger, metrics }: Base, namespace: string): LeaderElector {
  return new LeaderElector({
    client,
    namespace: config.leaderElectionNamespace ?? namespace,
    name: config.leaseName,
    identity: `${config.identity ?? hostname()}_${randomUUID()}`,
    clock,
    random,
    logger,
    metrics,
  });
}

/**
 * Runs the operator until `signal` aborts; resolves with the exit code. Start order: servers, caches, events, then the
 * controllers; stopped in reverse, so that the last status and event still leave.
 */
export async function runOperator(
  config: Config,
  process: { readonly version: string; readonly signal: AbortSignal },
): Promise<number> {
  const logger = createLog({ level: config.logLevel });
  const metrics = new PrometheusMetrics();
  metrics.collectProcessMetrics();
  await using audit = await openAuditLog(config, { logger, metrics });
  const connection = await openConnection(config);
  await using client = new HttpKubeClient({ connection, clock, random, metrics, version: process.version });
  const clusterResourceNamespace = config.clusterResourceNamespace ?? connection.namespace;
  const base: Base = { config, clusterResourceNamespace, version: process.version, client, metrics, logger };
  await using pool = new DriverPool({ registry: createRegistry(base, audit), clusterResourceNamespace });
  const watches = createWatches(base, pool);
  const events = new EventRecorder({
    client,
    reportingInstance: config.identity ?? hostname(),
    clock,
    logger,
    metrics,
  });
  const elector = createElector(base, connection.namespace);
  const informers = [watches.migrations, watches.backends, watches.clusterBackends, watches.secrets];
  const components: readonly Component[] = [
    served('health', logger, async () =>
      openHealthServer({
        bindAddress: config.healthBindAddress,
        live: { lease: () => elector.isHealthy },
        ready: {
          caches: () => informers.every((informer) => informer.hasSynced),
          audit: () => audit?.isBlocked !== true,
        },
      }),
    ),
    served('metrics', logger, async () =>
      openMetricsServer({
        bindAddress: config.metricsBindAddress,
        exposition: async () => metrics.exposition(),
      }),
    ),
    ...informers.map((informer) => loop('informer', async (signal) => informer.run(signal), informer.synced)),
    loop('events', async (signal) => events.run(signal)),
    leaderLoop({ ...base, pool, watches, events }, elector),
  ];
  logger.info('starting', { version: process.version, namespace: connection.namespace });
  try {
    const graceMs = config.gracefulShutdownSeconds * 1000;
    await runComponents({ components, graceMs, clock, logger }, process.signal);
  } catch (failure) {
    logger.error('operator failed', failure);
    return 1;
  }
  logger.info('stopped');
  return 0;
}
