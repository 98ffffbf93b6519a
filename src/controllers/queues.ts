import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { Clock, Metrics } from '#src/ports.ts';
import { WorkQueue } from '#src/runtime/queue.ts';
import type { RetryLimits } from '#src/runtime/retry-limiter.ts';

/** Keys of the objects that need a reconcile: one queue for each controller. */
export interface Queues {
  readonly migrations: WorkQueue;
  readonly backends: WorkQueue;
  readonly clusterBackends: WorkQueue;
}

/** As client-go's, but the first retry comes after 200 ms, and the longest delay is one minute. */
const RETRY_LIMITS: RetryLimits = { baseMs: 200, capMs: 60_000, burst: 100, perSecond: 10 };

export function createQueues({
  clock,
  metrics,
}: {
  readonly clock: Clock;
  readonly metrics: Metrics;
}): Queues {
  const queue = (name: string): WorkQueue => new WorkQueue({ name, clock, metrics, limits: RETRY_LIMITS });
  return {
    migrations: queue('secretmigration'),
    backends: queue('secretbackend'),
    clusterBackends: queue('clustersecretbackend'),
  };
}

/** The queue of the controller that reconciles backends of this kind. */
export function backendQueue(queues: Queues, kind: Backend['kind']): WorkQueue {
  return kind === 'SecretBackend' ? queues.backends : queues.clusterBackends;
}
