import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import type { MigrationJournal } from '#src/journal/journal.ts';
import type { Metrics } from '#src/ports.ts';
import type { Attempt } from './attempt.ts';

export const RUN_TASKS = ['pass', 'follow'] as const;
export const RUN_RESULTS = ['carried', 'unchanged', 'failed', 'interrupted'] as const;
type RunResult = (typeof RUN_RESULTS)[number];

/** The counter has each of its series from the start: an increase from nothing is none for Prometheus. */
export function touchRuns(metrics: Metrics): void {
  for (const task of RUN_TASKS)
    for (const result of RUN_RESULTS) metrics.count('keyferry_sync_runs_total', { task, result }, 0);
}

/** Counts a pass or a follow of mode Sync that got to its backends or failed before; in mode Once it counts nothing. */
export function countRun(
  { migration, parts, task }: Pick<Attempt, 'migration' | 'parts' | 'task'>,
  result: RunResult,
): void {
  if (!isKeptInStep(migration) || (task.kind !== 'run' && task.kind !== 'follow')) return;
  const labels = { task: task.kind === 'run' ? 'pass' : 'follow', result };
  parts.status.metrics.count('keyferry_sync_runs_total', labels);
}

/** What a run that came to its end did. */
export function resultOf(journal: Pick<MigrationJournal, 'outcomes'>): 'carried' | 'unchanged' {
  for (const { copiedNow } of journal.outcomes()) if (copiedNow === true) return 'carried';
  return 'unchanged';
}
