import { isProven, originIn, provenVersion } from '#src/core/origin.ts';
import { recordedOutcome, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import { errorOf, isAbort, isBackendWide } from '#src/errors.ts';
import { forEachConcurrently } from '#src/io/map-concurrently.ts';
import { inTime } from '../apply/in-time.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import type { Progress } from '../apply/progress.ts';
import { keyOf } from '../crossings.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { failedOutcome } from '../failure.ts';
import { carryOut, close, done, obstacleTo } from './carry-out.ts';
import { decideDestination, isUntouched, type Due } from './destination.ts';
import { CREATOR_UNKNOWN, TAKEN_BACK } from './said.ts';
import { bringBack } from './source.ts';
import {
  mayBeRemoved,
  recorded,
  staying,
  takenBack,
  taskOf,
  undoing,
  type Left,
  type UndoTask,
} from './task.ts';

/*
 * Takes a migration back, from what its rows tell:
 *
 *   for each document: the source is there, or is brought back and read back
 *   → rows that announce each removal are durable: a later run knows which copies may still go (fence.ts)
 *   → for each document: the source is proven again to have the value, right before the copy is removed or overwritten
 *
 * Each step can be the last one. Both sides are read again, so the next run finds what was done and does the rest.
 */

/** Reads of both sides of one document, while other writers change them. */
const MAX_ROUNDS = 3;

/** A document whose source is there, and what is left to do at its destination. */
interface Waiting {
  readonly task: UndoTask;
  readonly row: Outcome;
  readonly due: Due;
}

type Begun = Outcome | Waiting;

/** Takes back every document that earlier runs recorded. A document that fails does not stop the others. */
export async function takeBack(inputs: ApplyInputs, progress: Progress): Promise<void> {
  const tasks: UndoTask[] = [];
  for (const prior of inputs.prior.values()) {
    const task = isLeftAlone(prior) ? undefined : taskOf(inputs, prior);
    if (task === undefined) await progress.record(alone(prior));
    else tasks.push(task);
  }
  declare(inputs, tasks);
  const waiting: Waiting[] = [];
  await each(inputs, progress, tasks, async (task) => {
    const begun = await attempt(inputs, progress, { task, row: recordedOutcome(task.prior) }, begin);
    if ('due' in begun) waiting.push({ ...begun, task: recorded(task, begun.row) });
    await progress.record('due' in begun ? begun.row : begun);
  });
  if (waiting.length === 0 || progress.shouldStop()) return;
  await inputs.journal.flush();
  await each(inputs, progress, waiting, async (one) => {
    const ended = await attempt(inputs, progress, one, async (timed, task, round) => {
      const now = round === 1 ? one : await begin(timed, task);
      return 'due' in now ? carryOut(timed, task, now.due) : now;
    });
    await progress.record('due' in ended ? ended.row : ended);
  });
}

/** Taken back by an earlier run, or gone at the source before the migration could move it. */
function isLeftAlone({ reason, state }: PriorRecord): boolean {
  return reason === 'Undone' || (state === 'Skipped' && reason === 'SourceGone');
}

function alone(prior: PriorRecord): Outcome {
  const isDone = isLeftAlone(prior) || prior.destination !== undefined;
  return isDone ? recordedOutcome(prior) : takenBack({ prior }, TAKEN_BACK.nothing);
}

/** Other migrations must not remove what this one writes, and the reverse. */
function declare(inputs: ApplyInputs, tasks: readonly UndoTask[]): void {
  const { crossings, destination, source } = inputs;
  const at = tasks.map((task) => ({ task, origin: originIn(task.prior) }));
  const removed = at.filter(({ origin }) => origin?.created === true);
  const rolledBack = at.filter(({ origin }) => origin?.originalVersion !== undefined);
  crossings.declare({
    removes: removed.map(({ task }) => destination.locationOf(task.destination)),
    writes: [
      ...tasks.filter((task) => mayBeRemoved(inputs, task)).map((task) => source.locationOf(task.source)),
      ...rolledBack.map(({ task }) => destination.locationOf(task.destination)),
    ],
  });
}

async function begin(inputs: ApplyInputs, task: UndoTask): Promise<Begun> {
  const found = await inputs.destination.read(task.destination, inputs.signal);
  if (isUntouched(task, found)) return takenBack(task, TAKEN_BACK.nothing);
  const back = await bringBack(inputs, task, found);
  if ('left' in back) return withoutSource(task, back.left);
  const { source } = back;
  const decided = await decideDestination(inputs, task, { found, source });
  const left = 'due' in decided ? await obstacleTo(inputs, task, decided.due, { source, found }) : undefined;
  if (left !== undefined) return staying(task, left, source);
  if ('due' in decided) return { task, due: decided.due, row: undoing(task, source, decided.due.expect) };
  await close(inputs, task, source);
  if ('left' in decided) return staying(task, decided.left, source);
  return done(inputs, task, { how: decided.done, source, version: decided.version });
}

/** A document that the migration did not find, or may have written and never recorded. */
function withoutSource(task: UndoTask, left: Left): Outcome {
  const { prior } = task;
  if (isProven(prior) || originIn(prior) !== undefined || provenVersion(prior) !== undefined)
    return staying(task, left);
  const isMissing = prior.reason === 'SourceMissing';
  return isMissing ? takenBack(task, TAKEN_BACK.nothing) : staying(task, CREATOR_UNKNOWN);
}

/** Works on one document, again if another writer was faster. A failure becomes its row; only an abort is thrown. */
async function attempt(
  inputs: ApplyInputs,
  progress: Progress,
  { row, task }: { readonly task: UndoTask; readonly row: Outcome },
  work: (inputs: ApplyInputs, task: UndoTask, round: number) => Promise<Begun>,
): Promise<Begun> {
  const locations = [inputs.source.locationOf(task.source), inputs.destination.locationOf(task.destination)];
  try {
    const time = { ms: DEADLINES_MS.copy, op: 'engine.undo', target: task.destination };
    return await inTime(inputs, time, async (timed) =>
      timed.locks.runAll(
        locations.map(keyOf),
        async () => inRounds(async (round) => work(timed, task, round)),
        timed.signal,
      ),
    );
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    if (isBackendWide(failure)) progress.noteBackendFailure(failure);
    const failed = failedOutcome(row, failure, row.state);
    // Its removal was announced: that stays in the row (fence.ts).
    return row.reason === 'Undoing' ? { ...failed, reason: row.reason } : failed;
  }
}

async function inRounds<T>(work: (round: number) => Promise<T>): Promise<T> {
  for (let round = 1; ; round += 1) {
    try {
      return await work(round);
    } catch (failure) {
      const { code, indeterminate } = errorOf(failure);
      const isUndecided = indeterminate || code === 'ALREADY_EXISTS' || code === 'VERSION_CONFLICT';
      if (round === MAX_ROUNDS || (!isUndecided && code !== 'NOT_FOUND')) throw failure;
    }
  }
}

async function each<T>(
  { concurrency, destination, rest, source }: ApplyInputs,
  progress: Progress,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const limit = (): number =>
    Math.max(1, Math.min(concurrency, destination.traits.concurrency, source.traits.concurrency));
  await forEachConcurrently(items, work, { limit, rest, stop: () => progress.shouldStop() });
}
