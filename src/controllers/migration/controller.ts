import { LiveMigrations, type ProcessLock } from '#src/engine/crossings.ts';
import { DEADLINES_MS } from '#src/engine/deadlines.ts';
import { Controller, type ControllerOptions } from '#src/runtime/controller.ts';
import type { SliceWork } from '#src/runtime/slice-work.ts';
import { parseObjectKey } from '#src/runtime/store.ts';
import type { MigrationParts } from './attempt.ts';
import { touchRuns } from './counted-runs.ts';
import { reconcileMigration } from './reconcile.ts';
import { HalfRemoved } from './removals.ts';

export type MigrationControllerOptions = Required<
  Pick<ControllerOptions, 'queue' | 'workers' | 'graceMs' | 'logger' | 'metrics' | 'tracer'>
> &
  Pick<ControllerOptions, 'handsOn'> & {
    /** Which migrations this process works on. */
    readonly work: SliceWork;
    /** Taken for removals that other processes can cross. Undefined: no other process works. */
    readonly processes: ProcessLock | undefined;
  };

const TAKEN_OVER = 'Another replica takes over the migrations of this namespace.';

/** The controller of all SecretMigrations. */
export function createMigrationController(
  given: Omit<MigrationParts, 'halfRemoved' | 'live' | 'unsaved'>,
  options: MigrationControllerOptions,
): Controller {
  const memory = {
    live: new LiveMigrations(options.processes),
    halfRemoved: new HalfRemoved(),
    unsaved: new WeakMap(),
  };
  const parts: MigrationParts = { ...given, ...memory };
  touchRuns(options.metrics);
  return new Controller({
    ...options,
    name: 'secretmigration',
    reconcile: options.work.guarded(async (key, context) => reconcileMigration(parts, key, context), {
      keys: () => parts.cache.keys(),
      wake: (key) => options.queue.add(key, 'low'),
      stop: (isAmong) => parts.attempts.stopAmong(isAmong, TAKEN_OVER),
      forget: (key) => {
        parts.live.withdraw(key);
        parts.following.end(key);
        parts.halfRemoved.forget(parseObjectKey(key));
      },
    }),
    deadlineMs: DEADLINES_MS.run,
    waitingIntervalMs: parts.waitingRetryMs,
    clock: parts.clock,
  });
}
