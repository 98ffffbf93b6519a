import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { Clock, Metrics } from '#src/ports.ts';
import type { HandOnLimits } from '#src/runtime/hand-on.ts';
import type { Sharing } from '#src/runtime/lanes.ts';
import { WorkQueue } from '#src/runtime/queue.ts';
import type { RetryLimits } from '#src/runtime/retry-limiter.ts';
import { parseObjectKey } from '#src/runtime/store.ts';

/** Keys of the objects that need a reconcile: one queue for each controller. */
export interface Queues {
  readonly migrations: WorkQueue;
  readonly backends: WorkQueue;
  readonly clusterBackends: WorkQueue;
  /** Migrations whose stores are asked for versions, each at its next time. */
  readonly polls: WorkQueue;
}

/** As client-go's, but the first retry comes after 200 ms, and the longest delay is one minute. */
const RETRY_LIMITS: RetryLimits = { baseMs: 200, capMs: 60_000, burst: 100, perSecond: 10 };

/** Backends of one kind that are probed at once. */
export const PROBE_WORKERS = 16;
/** Backends of one namespace that are probed at once: with silent servers, each keeps a worker for its whole deadline. */
const PROBES_PER_NAMESPACE = 2;
/** Migrations that are polled at once. */
export const POLL_WORKERS = 16;
/** Of one namespace: a silent server keeps a worker until the listing gives up. */
const POLLS_PER_NAMESPACE = 2;

/** Probes and polls that wait for a server without a worker, of all namespaces. */
const WAITING_FOR_SERVERS = 64;

/** Of probes, which end themselves in seconds. */
export const PROBES_HAND_ON: HandOnLimits = {
  most: WAITING_FOR_SERVERS,
  mostPerGroup: PROBES_PER_NAMESPACE,
  canEnd: false,
};

/** Of polls, each of which ends with its listing. */
export const POLLS_HAND_ON: HandOnLimits = {
  most: WAITING_FOR_SERVERS,
  mostPerGroup: POLLS_PER_NAMESPACE,
  canEnd: false,
};

/** Migrations that were begun and have no worker: for each worker, and the part of one namespace. */
const BEGUN_PER_WORKER = 3;

/** Of migrations. Each that was begun keeps the names that it listed and the documents that it read. */
export function migrationsHandOn(concurrentMigrations: number): HandOnLimits {
  const most = BEGUN_PER_WORKER * concurrentMigrations;
  return { most, mostPerGroup: Math.ceil(most / 2), canEnd: true };
}

export interface QueuesOptions {
  /** Migrations that run at once. */
  readonly concurrentMigrations: number;
  /** Seconds between two probes of a backend: one that is not Ready is never asked later. */
  readonly probeIntervalSeconds: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** What namespaces share, they share evenly: docs/fairness.md. */
export function createQueues({
  concurrentMigrations,
  probeIntervalSeconds,
  clock,
  metrics,
}: QueuesOptions): Queues {
  const capMs = Math.min(RETRY_LIMITS.capMs, probeIntervalSeconds * 1000);
  const probeLimits = { ...RETRY_LIMITS, capMs };
  const queue = (name: string, mostPerGroup: number, limits: RetryLimits): WorkQueue => {
    const sharing: Sharing = { groupOf: tenantOf, mostPerGroup };
    return new WorkQueue({ name, clock, metrics, sharing, limits });
  };
  return {
    migrations: queue('secretmigration', Math.ceil(concurrentMigrations / 2), RETRY_LIMITS),
    backends: queue('secretbackend', PROBES_PER_NAMESPACE, probeLimits),
    clusterBackends: queue('clustersecretbackend', 1, probeLimits),
    polls: queue('sync-poll', POLLS_PER_NAMESPACE, RETRY_LIMITS),
  };
}

/** The namespace of an object; an object of the cluster is a group of its own. */
function tenantOf(key: string): string {
  return parseObjectKey(key).namespace ?? key;
}

/** The queue of the controller that reconciles backends of this kind. */
export function backendQueue(queues: Queues, kind: Backend['kind']): WorkQueue {
  return kind === 'SecretBackend' ? queues.backends : queues.clusterBackends;
}
