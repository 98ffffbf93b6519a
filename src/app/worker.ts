import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '#src/config/schema.ts';
import type { MigrationParts } from '#src/controllers/migration/attempt.ts';
import { HalfRemoved } from '#src/controllers/migration/removals.ts';
import { liveHere } from '#src/controllers/ranges/live.ts';
import { RangeView, type RangeOrder } from '#src/controllers/ranges/view.ts';
import { workOnRange } from '#src/controllers/ranges/work.ts';
import { errorOf, hasCode } from '#src/errors.ts';
import { logFieldsOf } from '#src/errors/explain.ts';
import { onAbort } from '#src/io/abort.ts';
import { hostOf } from '#src/io/host.ts';
import { ServerClock } from '#src/io/server-clock.ts';
import { SlotsByServer } from '#src/io/slots-by-server.ts';
import { HttpKubeClient } from '#src/kube/transport.ts';
import type { AccessLogState } from '#src/ports.ts';
import { LeaderElector } from '#src/runtime/lease.ts';
import { Leadership } from '#src/runtime/leadership.ts';
import { removeReleased } from '#src/runtime/lease-removal.ts';
import { runComponents, type Component } from '#src/runtime/manager.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { systemClock as clock } from '#src/runtime/system-clock.ts';
import { createLog } from '#src/telemetry/log.ts';
import { PrometheusMetrics } from '#src/telemetry/metrics.ts';
import type { Base } from './base.ts';
import { DEFAULT_NAMESPACE, openConnection, resourceOf } from './clients.ts';
import { filled, loop } from './components.ts';
import { migrationParts } from './controllers.ts';
import { Ending, uncaughtFailures } from './ending.ts';
import { createRollouts } from './rollouts.ts';
import { createWatched, openAuditLog, openPool, openTracing } from './common.ts';
import type { RunOptions } from './run.ts';

const random = Math.random;
/** The parent tells them: its verdict is about all ranges. */
const NO_EVENTS = { record: () => undefined };

/**
 * Runs the pod of one range until it told its end; resolves with the exit code, which is 0 only then, and where there is nothing to do.
 * It has the parts of the operator, without its controllers and servers.
 */
export async function runWorker(
  given: Config,
  order: RangeOrder,
  { version, dumpsMemory, signal, exit }: RunOptions,
): Promise<number> {
  const config = { ...given, watchNamespaces: [order.namespace], watchSecrets: false };
  const logger = createLog({ level: config.logLevel });
  if (dumpsMemory) logger.warn('core dumps of this process would have its memory');
  const graceMs = config.gracefulShutdownSeconds * 1000;
  const ending = new Ending({ graceMs, clock, logger, exit });
  using _asked = onAbort(signal, () => ending.begin(1));
  const metrics = new PrometheusMetrics();
  await using audit = await openAuditLog(config, { logger, metrics });
  await using tracer = await openTracing(config, { version, logger, metrics });
  const connection = await openConnection(config, clock);
  const { namespace = DEFAULT_NAMESPACE, server } = connection;
  const lease = { namespace: config.leaderElectionNamespace ?? namespace, name: leaseOf(order) };
  const mandate = new Leadership({ clock, target: `Lease ${lease.namespace}/${lease.name}` });
  const serverClock = new ServerClock(clock);
  const transport = { connection, mandate, clock, random, metrics, tracer, serverClock, version };
  await using client = new HttpKubeClient(transport);
  const clusterResourceNamespace = config.clusterResourceNamespace ?? namespace;
  const shared = { config, version, namespace, clusterResourceNamespace, apiServerHost: hostOf(server) };
  const base: Base = { ...shared, client, mandate, clock, serverClock, random, logger, metrics, tracer };
  await using pool = openPool(base, audit, new SlotsByServer(clock));
  const identity = `${config.identity ?? hostname()}_${randomUUID()}`;
  const elector = new LeaderElector({ ...base, ...lease, identity, leadership: mandate });
  const work = { base, pool, accessLog: audit, order, elector, graceMs, end: { isTold: false } };
  logger.info('starting', {
    version,
    namespace,
    migration: `${order.namespace}/${order.name}`,
    range: order.range.index,
  });
  return await runToEnd(work, { lease, signal, onEnd: () => ending.begin(1) });
}

/** Resolves with the exit code. */
async function runToEnd(
  work: Work,
  {
    lease,
    onEnd,
    signal,
  }: {
    readonly lease: Parameters<typeof removeReleased>[1];
    readonly onEnd: () => void;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const { base, end, graceMs } = work;
  const { client, logger } = base;
  try {
    await runComponents({ components: assemble(work), graceMs, onEnd, clock, logger }, signal);
  } catch (failure) {
    logger.error('range failed', failure);
  }
  // Whatever ended it: no pod comes after that of a migration that was deleted, and one that comes makes its own.
  try {
    await removeReleased(client, lease, AbortSignal.timeout(graceMs));
  } catch (failure) {
    logger.warn('lease was not removed', logFieldsOf(errorOf(failure)));
  }
  logger.info('stopped');
  return end.isTold ? 0 : 1;
}

/** The Lease of a range: a Job can run two pods of one index for a while. */
function leaseOf({ range, uid }: RangeOrder): string {
  return `keyferry-range-${uid}-${range.index}`;
}

interface Work {
  readonly base: Base;
  readonly pool: ReturnType<typeof openPool>;
  readonly accessLog: AccessLogState | undefined;
  readonly order: RangeOrder;
  readonly elector: LeaderElector;
  readonly graceMs: number;
  /** What the exit code tells the Job. */
  readonly end: { isTold: boolean };
}

function assemble(work: Work): readonly Component[] {
  const { base } = work;
  const { logger } = base;
  const watched = createWatched(base, work.pool);
  const { backends, clusterBackends, migrations } = watched.informers;
  const { accessLog } = work;
  const rollouts = createRollouts(base, NO_EVENTS);
  const whole = migrationParts({ ...base, ...watched, rollouts, events: NO_EVENTS, accessLog });
  const reports = new ObjectClient(base.client, resourceOf('SecretMigrationReport'));
  const view = new RangeView({ migrations: whole.migrations, reports }, work.order);
  const parts = partsOfRange(whole, view, { reports, range: work.order.range });
  return [
    uncaughtFailures(logger),
    filled([migrations, backends, clusterBackends]),
    loop('range', async (signal) => moveRange(work, { parts, view, signal })),
  ];
}

/** The parts of a migration for one range: it is seen through the view, and its rows go to reports of its own. */
function partsOfRange(
  whole: Omit<MigrationParts, 'halfRemoved' | 'live' | 'unsaved'>,
  view: RangeView,
  { range, reports }: { readonly range: RangeOrder['range']; readonly reports: ObjectClient },
): MigrationParts {
  return {
    ...whole,
    ...liveHere(reports, range),
    range,
    migrations: view,
    status: { ...whole.status, writer: view },
    halfRemoved: new HalfRemoved(),
    unsaved: new WeakMap(),
    // This process does not see the migrations of other namespaces.
    knowsAllMigrations: false,
    isAwaited: () => false,
  };
}

async function moveRange(
  { base, elector, end, graceMs, order }: Work,
  {
    parts,
    view,
    signal,
  }: { readonly parts: MigrationParts; readonly view: RangeView; readonly signal: AbortSignal },
): Promise<void> {
  // Without a Lease, where there is nothing to do.
  if ((await view.begin(signal)) === undefined) {
    end.isTold = true;
    return;
  }
  await elector.run(signal, async (asked) => {
    const hard = new AbortController();
    using _ending = onAbort(asked, () => {
      if (hasCode(asked.reason, 'LEASE_LOST')) hard.abort(asked.reason);
      parts.attempts.stopAll('The pod was asked to end.');
      base.clock.schedule(graceMs / 2, () => hard.abort(asked.reason));
    });
    const { logger } = base;
    const options = { asked, newId: randomUUID, random, logger, signal: hard.signal };
    await workOnRange(parts, view, order, options);
    end.isTold = true;
  });
}
