import { DEADLINES_MS } from '#src/engine/deadlines.ts';
import { Controller, type ControllerOptions } from '#src/runtime/controller.ts';
import { POLL_WORKERS } from '../queues.ts';
import { POLL_RESULTS, pollMigration, type PollParts } from './poll.ts';

/** Two sides, each of which ends by itself at the limits of a listing. */
const DEADLINE_MS = 2 * DEADLINES_MS.list;

export type PollControllerOptions = Required<
  Pick<ControllerOptions, 'queue' | 'graceMs' | 'logger' | 'metrics' | 'tracer'>
> &
  Pick<ControllerOptions, 'handsOn'>;

/** The controller that polls the versions of all migrations that are followed. */
export function createPollController(
  given: Omit<PollParts, 'metrics'>,
  options: PollControllerOptions,
): Controller {
  const parts = { ...given, metrics: options.metrics };
  for (const result of POLL_RESULTS) parts.metrics.count('keyferry_sync_polls_total', { result }, 0);
  return new Controller({
    ...options,
    name: 'sync-poll',
    reconcile: async (key, context) => pollMigration(parts, key, context),
    workers: POLL_WORKERS,
    deadlineMs: DEADLINE_MS,
    clock: parts.clock,
  });
}
