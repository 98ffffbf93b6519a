import { LiveMigrations } from '#src/engine/crossings.ts';
import { Controller, type ControllerOptions } from '#src/runtime/controller.ts';
import type { MigrationParts } from './attempt.ts';
import { reconcileMigration } from './reconcile.ts';
import { HalfRemoved } from './removals.ts';

/** Longest single run of a migration, milliseconds; the next run continues it. */
const DEADLINE_MS = 6 * 3_600_000;

export type MigrationControllerOptions = Required<
  Pick<ControllerOptions, 'queue' | 'workers' | 'graceMs' | 'logger' | 'metrics'>
>;

/** The controller of all SecretMigrations. */
export function createMigrationController(
  given: Omit<MigrationParts, 'halfRemoved' | 'live'>,
  options: MigrationControllerOptions,
): Controller {
  const parts = { ...given, live: new LiveMigrations(), halfRemoved: new HalfRemoved() };
  return new Controller({
    ...options,
    name: 'secretmigration',
    reconcile: async (key, context) => reconcileMigration(parts, key, context),
    deadlineMs: DEADLINE_MS,
    waitingIntervalMs: parts.waitingRetryMs,
    clock: parts.clock,
  });
}
