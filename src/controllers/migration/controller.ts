import { LiveMigrations } from '#src/engine/crossings.ts';
import { DEADLINES_MS } from '#src/engine/deadlines.ts';
import { Controller, type ControllerOptions } from '#src/runtime/controller.ts';
import type { MigrationParts } from './attempt.ts';
import { touchRuns } from './counted-runs.ts';
import { reconcileMigration } from './reconcile.ts';
import { HalfRemoved } from './removals.ts';

export type MigrationControllerOptions = Required<
  Pick<ControllerOptions, 'queue' | 'workers' | 'graceMs' | 'logger' | 'metrics' | 'tracer'>
> &
  Pick<ControllerOptions, 'handsOn'>;

/** The controller of all SecretMigrations. */
export function createMigrationController(
  given: Omit<MigrationParts, 'halfRemoved' | 'live' | 'unsaved'>,
  options: MigrationControllerOptions,
): Controller {
  const memory = { live: new LiveMigrations(), halfRemoved: new HalfRemoved(), unsaved: new WeakMap() };
  const parts: MigrationParts = { ...given, ...memory };
  touchRuns(options.metrics);
  return new Controller({
    ...options,
    name: 'secretmigration',
    reconcile: async (key, context) => reconcileMigration(parts, key, context),
    deadlineMs: DEADLINES_MS.run,
    waitingIntervalMs: parts.waitingRetryMs,
    clock: parts.clock,
  });
}
