import { hostname } from 'node:os';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import type { Config } from '#src/config/schema.ts';
import type { DriverPool } from '#src/controllers/backend/pool.ts';
import { UnwatchedCredentials } from '#src/controllers/backend/unwatched-credentials.ts';
import { CACHE_GAUGES, samplesOf } from '#src/controllers/metrics.ts';
import type { Following } from '#src/controllers/sync/following.ts';
import { LAG_GAUGES } from '#src/controllers/sync/lag.ts';
import type { Informers } from '#src/controllers/watches.ts';
import { documentation } from '#src/errors/documentation.ts';
import { onAbort } from '#src/io/abort.ts';
import { hostOf } from '#src/io/host.ts';
import { ServerClock } from '#src/io/server-clock.ts';
import { SERVER_GAUGES, SlotsByServer } from '#src/io/slots-by-server.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { HttpKubeClient } from '#src/kube/transport.ts';
import { EventRecorder } from '#src/runtime/events.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { runComponents, type Component } from '#src/runtime/manager.ts';
import type { SliceWork } from '#src/runtime/slice-work.ts';
import type { ReadonlyStore } from '#src/runtime/store.ts';
import { systemClock as clock } from '#src/runtime/system-clock.ts';
import type { AuditLog } from '#src/telemetry/audit-log.ts';
import { createLog } from '#src/telemetry/log.ts';
import { PrometheusMetrics } from '#src/telemetry/metrics.ts';
import type { Base } from './base.ts';
import { DEFAULT_NAMESPACE, openConnection, SECRETS } from './clients.ts';
import { filled } from './components.ts';
import { createControllers } from './controllers.ts';
import { Ending, uncaughtFailures } from './ending.ts';
import { createElection, controlledBy, createShare, leaderLoop, leadWith, type Share } from './leader.ts';
import { createRollouts } from './rollouts.ts';
import { createServers } from './servers.ts';
import { createWatched, openAuditLog, openPool, openTracing } from './common.ts';
import { watchesSecretsIn } from './watches.ts';

const random = Math.random;
/** For the reviews of tokens of --metrics-secure. */
const REVIEW_CONNECTIONS = 2;

export interface RunOptions {
  readonly version: string;
  /** A core dump of this process has its memory: the system has no filter for that. */
  readonly dumpsMemory: boolean;
  /** Asks the operator to end. */
  readonly signal: AbortSignal;
  /** Ends the process with this code: the last resort, if the operator does not end in time. */
  readonly exit: (code: number) => void;
}

/**
 * Runs the operator until `signal` aborts; resolves with the exit code. Throws `CONFIG_INVALID` and other OperatorErrors
 * when it cannot be set up. From the end on, whatever its cause, it has `--graceful-shutdown-seconds` and one second.
 */
export async function runOperator(
  config: Config,
  { version, dumpsMemory, signal, exit }: RunOptions,
): Promise<number> {
  const logger = createLog({ level: config.logLevel });
  if (dumpsMemory)
    logger.warn('core dumps of this process would have its memory', {
      see: documentation('limits.md'),
    });
  const graceMs = config.gracefulShutdownSeconds * 1000;
  const ending = new Ending({ graceMs, clock, logger, exit });
  using _asked = onAbort(signal, () => ending.begin(0));
  const metrics = new PrometheusMetrics();
  metrics.collectProcessMetrics();
  await using audit = await openAuditLog(config, { logger, metrics });
  // Closed after all that can still begin a span.
  await using tracer = await openTracing(config, { version, logger, metrics });
  const connection = await openConnection(config, clock);
  const { namespace = DEFAULT_NAMESPACE, server } = connection;
  const share = createShare(config, namespace);
  const { mandate } = share;
  const serverClock = new ServerClock(clock);
  const transport = { connection, mandate, clock, random, metrics, tracer, serverClock, version };
  await using client = new HttpKubeClient(transport);
  const clusterResourceNamespace = config.clusterResourceNamespace ?? namespace;
  const shared = { config, version, namespace, clusterResourceNamespace };
  const apiServerHost = hostOf(server);
  const told = { logger, metrics, tracer };
  const base = { ...shared, ...told, apiServerHost, client, mandate, clock, serverClock, random };
  const slots = new SlotsByServer(clock);
  metrics.computeAtScrape(SERVER_GAUGES, () => slots.samples());
  await using pool = openPool(base, audit, slots);
  const openReviewClient = (): HttpKubeClient =>
    new HttpKubeClient({ ...transport, mandate: ALWAYS_HELD, connections: REVIEW_CONNECTIONS });
  const components = assemble(base, { metrics, audit, pool, share, openReviewClient });
  logger.info('starting', { version, namespace, server: server.origin });
  try {
    const onEnd = (failure?: unknown): void => ending.begin(failure === undefined ? 0 : 1);
    await runComponents({ components, graceMs, onEnd, clock, logger }, signal);
  } catch (failure) {
    logger.error('operator failed', failure);
    return 1;
  }
  logger.info('stopped');
  return 0;
}

/**
 * All components in start order: servers, caches, then the controllers with their events. They stop in reverse, so that
 * the last status and event still leave.
 */
function assemble(
  base: Base,
  parts: {
    readonly metrics: PrometheusMetrics;
    readonly audit: AuditLog | undefined;
    readonly pool: DriverPool;
    readonly share: Share;
    readonly openReviewClient: () => HttpKubeClient;
  },
): readonly Component[] {
  const { audit, metrics, openReviewClient, pool, share } = parts;
  const watched = createWatched(base, pool);
  const { following, informers } = watched;
  const events = new EventRecorder({ ...base, reportingInstance: base.config.identity ?? hostname() });
  const rollouts = createRollouts(base, events);
  const election = createElection(base, share);
  serveObjectMetrics({ metrics, informers, following, work: share.work });
  const { backends, clusterBackends, migrations, secrets } = informers;
  const caches = [migrations, backends, clusterBackends, ...(secrets === undefined ? [] : [secrets])];
  const live = { lease: () => election?.isHealthy ?? true };
  const ready = {
    caches: () => caches.every((informer) => informer.hasSynced),
    audit: () => audit?.isBlocked !== true,
  };
  const controllers = createControllers({
    ...base,
    ...watched,
    rollouts,
    credentials: credentialsOf(base),
    events,
    accessLog: audit,
    ...controlledBy(base, share),
  });
  return [
    uncaughtFailures(base.logger),
    ...createServers({ ...base, metrics, live, ready, openReviewClient }),
    filled(caches),
    leaderLoop(election, leadWith(controllers, rollouts, events)),
  ];
}

/** The credentials of backends that no watch covers. */
function credentialsOf({ client, clusterResourceNamespace, config }: Base): UnwatchedCredentials {
  return new UnwatchedCredentials({
    secrets: new ObjectClient(client, SECRETS),
    isWatched: (namespace) => watchesSecretsIn(config, namespace),
    clusterResourceNamespace,
    kinds: BACKEND_KINDS,
  });
}

/** The metrics of migrations and backends, from the caches; only of what this replica works on, so that sums count each once. */
function serveObjectMetrics(parts: {
  readonly metrics: PrometheusMetrics;
  readonly informers: Informers;
  readonly following: Following;
  readonly work: SliceWork;
}): void {
  const { metrics, informers, following, work } = parts;
  const { migrations, backends, clusterBackends } = informers;
  const ours = <T extends KubeObject>(store: ReadonlyStore<T>): readonly T[] =>
    [...store.values()].filter(({ metadata }) => work.holds(metadata.namespace));
  metrics.computeAtScrape(CACHE_GAUGES, () => {
    const all = [...ours(backends.store), ...ours(clusterBackends.store)];
    return samplesOf({ migrations: ours(migrations.store), backends: all });
  });
  metrics.computeAtScrape(LAG_GAUGES, () => following.samples(ours(migrations.store)));
}
