import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import type { Config } from '#src/config/schema.ts';
import { DriverPool } from '#src/controllers/backend/pool.ts';
import { OPERATOR_MAY_NOT_LIST, type BackendReferences } from '#src/controllers/backend/trust-root.ts';
import { RunningAttempts } from '#src/controllers/migration/running.ts';
import { createQueues, type Queues } from '#src/controllers/queues.ts';
import { Following } from '#src/controllers/sync/following.ts';
import { connectWatches, type Informers } from '#src/controllers/watches.ts';
import type { SlotsByServer } from '#src/io/slots-by-server.ts';
import type { Logger } from '#src/ports.ts';
import { systemClock as clock } from '#src/runtime/system-clock.ts';
import { AuditLog } from '#src/telemetry/audit-log.ts';
import { openAuditSink } from '#src/telemetry/audit-sink.ts';
import type { PrometheusMetrics } from '#src/telemetry/metrics.ts';
import { openTracer, type OpenTracer } from '#src/telemetry/tracing.ts';
import { createRegistry } from './backends.ts';
import type { Base } from './base.ts';
import { createInformers, type Caches } from './watches.ts';

/* What the operator and the pod of a range both have. */

export function openPool(base: Base, audit: AuditLog | undefined, slots: SlotsByServer): DriverPool {
  const { clusterResourceNamespace, config, namespace } = base;
  return new DriverPool({
    registry: createRegistry(base, audit, slots),
    clusterResourceNamespace,
    closedNamespaces: config.allowBackendsInOwnNamespace ? [] : [namespace, clusterResourceNamespace],
    kinds: BACKEND_KINDS,
  });
}

/** Undefined when the configuration asks for none. */
export async function openAuditLog(
  { auditLog }: Config,
  parts: { readonly logger: Logger; readonly metrics: PrometheusMetrics },
): Promise<AuditLog | undefined> {
  if (auditLog === 'off') return undefined;
  return new AuditLog({ ...parts, sink: await openAuditSink(auditLog), clock });
}

export async function openTracing(
  { identity, tracingEndpoint, tracingSamplePercent }: Config,
  parts: { readonly version: string; readonly logger: Logger; readonly metrics: PrometheusMetrics },
): Promise<OpenTracer> {
  return openTracer({
    ...parts,
    endpoint: tracingEndpoint,
    samplePercent: tracingSamplePercent,
    instance: identity,
    clock,
  });
}

/** The caches, and what a change in one of them wakes or stops. */
export interface Watched {
  readonly informers: Caches;
  readonly queues: Queues;
  readonly references: BackendReferences;
  readonly attempts: RunningAttempts;
  readonly following: Following;
  readonly pool: DriverPool;
}

/** Nothing is watched before the informers run. */
export function createWatched(base: Base, pool: DriverPool): Watched {
  const informers = createInformers(base);
  const queues = createQueues({ ...base, ...base.config });
  const references = referencesIn(informers, base.clusterResourceNamespace);
  const attempts = new RunningAttempts();
  const following = createFollowing(base, informers, queues);
  const { logger } = base;
  connectWatches({ ...informers, queues, references, pool, attempts, following, logger });
  return { informers, queues, references, attempts, following, pool };
}

/** Which Secrets the backends read. */
function referencesIn(informers: Caches, clusterResourceNamespace: string): BackendReferences {
  return {
    cache: informers.backends.store,
    clusterCache: informers.clusterBackends.store,
    unparsed: {
      backends: informers.backends.unparsed,
      clusterBackends: informers.clusterBackends.unparsed,
    },
    unlistedBackends: () => (informers.clusterBackends.isGranted ? undefined : OPERATOR_MAY_NOT_LIST),
    clusterResourceNamespace,
    kinds: BACKEND_KINDS,
  };
}

/** The migrations that are kept in step: with the watch of Secrets, or by polls alone. */
function createFollowing(
  { clock, metrics, random }: Base,
  { secrets }: Informers,
  { migrations, polls }: Queues,
): Following {
  const wake = (key: string): void => migrations.add(key);
  const told = { watchesSecrets: secrets !== undefined, polls, wake };
  return new Following({ clock, random, metrics, kinds: BACKEND_KINDS, ...told });
}
