import { OperatorError } from '#src/errors.ts';
import type { ReconcileResult } from '#src/runtime/controller.ts';
import type { Attempt } from '../migration/attempt.ts';
import { suspended } from '../migration/verdict.ts';
import { requireKnownFields } from '../unknown-fields.ts';
import { hasEnded, isDue } from './ended.ts';
import type { JobState } from './job.ts';
import type { RangeJobs } from './jobs.ts';
import { lossOfRange, readRanges, type RangeRead } from './read.ts';
import { RangeSums } from './sums.ts';
import { verdictOn } from './verdict.ts';

/** Between two looks at ranges that are under way, at least. Milliseconds. */
const LOOK_MS = 1_000;
const NO_MORE: ReconcileResult = { kind: 'done' };

/**
 * One reconcile of a migration whose documents the pods of a Job move: looks at the Job and at what every range says of itself, and shows
 * the sums. Moves nothing itself. Throws OperatorErrors; the caller shows them.
 */
export async function reconcileRanges(attempt: Attempt, jobs: RangeJobs): Promise<ReconcileResult> {
  const { task } = attempt;
  if (task.kind === 'suspend') return await suspend(attempt, jobs);
  if (task.kind === 'run') return await lookAt(attempt, jobs);
  return againAfter(task.kind === 'wait' ? task.afterMs : undefined);
}

async function suspend({ migration, status, stop }: Attempt, jobs: RangeJobs): Promise<ReconcileResult> {
  const job = await jobs.read(migration, stop.signal);
  if (job !== undefined) await jobs.end(job, stop.signal);
  await status.conclude(suspended());
  return NO_MORE;
}

async function lookAt(attempt: Attempt, jobs: RangeJobs): Promise<ReconcileResult> {
  const { migration, stop } = attempt;
  const { signal } = stop;
  requireKnownFields(migration, { op: 'migration.parse', target: migration.metadata.name });
  const job = await jobs.read(migration, signal);
  const ranges = await readRanges(jobs.reports, migration, signal);
  if (job?.isCurrent === false) return await endJob(attempt, jobs, job);
  if (job?.state === 'active') return await showProgress(attempt, ranges, job);
  if (ranges.every(({ ended }) => hasEnded(ended, migration)))
    return await conclude(attempt, { jobs, job, ranges });
  if (job === undefined) return await startJob(attempt, jobs, ranges);
  await jobs.end(job, signal);
  const missing = ranges.filter(({ ended }) => ended?.generation !== migration.metadata.generation);
  if (job.state === 'failed' || missing.length > 0) throw failedIn(job, ranges, missing);
  // Another run was requested meanwhile.
  return againAfter(LOOK_MS);
}

/** The pods of another generation end by themselves; the Job of this one has the same name. */
async function endJob(attempt: Attempt, jobs: RangeJobs, job: JobState): Promise<ReconcileResult> {
  await jobs.end(job, attempt.stop.signal);
  return againAfter(LOOK_MS);
}

async function startJob(
  attempt: Attempt,
  jobs: RangeJobs,
  ranges: readonly RangeRead[],
): Promise<ReconcileResult> {
  const { migration, parts, stop } = attempt;
  // Pods that find no backend would only come and go.
  await parts.backends.find(migration, stop.signal);
  await jobs.start(migration, stop.signal);
  return await showProgress(attempt, ranges);
}

async function showProgress(
  { migration, parts, status }: Attempt,
  ranges: readonly RangeRead[],
  job?: JobState,
): Promise<ReconcileResult> {
  const sums = shownIn(status, new RangeSums(ranges));
  const over = ranges.filter(({ ended }) => hasEnded(ended, migration)).length;
  status.setPace(() => `${over} of ${ranges.length} ranges are done${over < ranges.length ? idle(job) : ''}`);
  await status.storeProgress(sums);
  return againAfter(Math.max(LOOK_MS, parts.status.intervalMs));
}

/** Why nothing goes on, as far as the Job says it: its events have what keeps its pods away. */
function idle(job: JobState | undefined): string {
  if (job?.runningPods !== 0) return '';
  const { name, namespace } = job.metadata;
  return `, no pod of Job ${namespace}/${name} runs`;
}

/** Every range told its end: reads all reports again, and publishes the verdict before the Job goes. */
async function conclude(
  attempt: Attempt,
  {
    job,
    jobs,
    ranges,
  }: { readonly job: JobState | undefined; readonly jobs: RangeJobs; readonly ranges: readonly RangeRead[] },
): Promise<ReconcileResult> {
  const { migration, parts, status, stop } = attempt;
  const losses = [];
  for (const range of ranges) losses.push(await lossOfRange(jobs.reports, migration, range, stop.signal));
  const sums = shownIn(status, new RangeSums(ranges, losses));
  const verdict = verdictOn(ranges, sums);
  const inventory = sums.inventory();
  if (inventory !== undefined) status.setInventory(inventory);
  await status.conclude(verdict, sums);
  if (job !== undefined) await jobs.end(job, stop.signal);
  if (verdict.succeeded === 'True') return NO_MORE;
  const nowMs = parts.clock.now();
  if (job === undefined && ranges.some(({ ended }) => isDue(ended, nowMs)))
    return await startJob(attempt, jobs, ranges);
  return againAfter(nextMs(ranges, nowMs));
}

/** Milliseconds until a range has more to do; undefined if none has. */
function nextMs(ranges: readonly RangeRead[], nowMs: number): number | undefined {
  const waits = ranges.flatMap(({ ended }) =>
    ended?.retryTime === undefined ? [] : [Math.max(LOOK_MS, Date.parse(ended.retryTime) - nowMs)],
  );
  return waits.length === 0 ? undefined : Math.min(...waits);
}

function shownIn(status: Attempt['status'], sums: RangeSums): RangeSums {
  const { backends } = sums;
  if (backends !== undefined) status.setBackends(backends);
  return sums;
}

function failedIn(
  { failedIndexes, metadata: { name, namespace } }: JobState,
  ranges: readonly RangeRead[],
  missing: readonly RangeRead[],
): OperatorError {
  const which = failedIndexes ?? missing.map(({ range }) => range.index).join(',');
  const detail = `${missing.length} of ${ranges.length} ranges have no end: ${which}.`;
  return new OperatorError('RANGE_FAILED', { op: 'ranges.job', target: `Job ${namespace}/${name}`, detail });
}

function againAfter(ms: number | undefined): ReconcileResult {
  return ms === undefined ? NO_MORE : { kind: 'requeue', requeueAfterMs: ms };
}
