import type { Driver } from '#src/backends/driver.ts';
import { isProven, provenVersion } from '#src/core/origin.ts';
import type { Address, StoredDocument, Version } from '#src/core/document.ts';
import { recordedOutcome, recordedVersion, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import { wasPruned } from '#src/core/sync/pruning.ts';
import type { RowReason } from '#src/errors/reasons.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { hadProof } from '../plan/unlisted.ts';

/** Added where the source came back from a copy that lacked something. */
export const WITHOUT =
  'The source lacks what the destination could not hold, as spec.mapping.metadataLoss allowed.';

/** One document that is taken back: what earlier runs recorded of it, and where it is. */
export interface UndoTask {
  readonly prior: PriorRecord;
  readonly source: Address;
  readonly destination: Address;
  /** The source may carry the mark of a projection. */
  readonly isProjected: boolean;
  /** The destination lacks some of what went with the source. */
  readonly lacks: boolean;
}

/** Why a document stays as it is, at one side or at both. */
export interface Left {
  readonly reason: RowReason;
  readonly message: string;
  /** Set where another writer can change that: it is looked at again. */
  readonly retry?: 'later';
}

/** The task of a row; undefined if nothing was done, or both sides were meant to go. */
export function taskOf({ intent }: Pick<ApplyInputs, 'intent'>, prior: PriorRecord): UndoTask | undefined {
  const destination = prior.destination?.path;
  if (destination === undefined || wasPruned(prior)) return undefined;
  const { message, name, reason } = prior;
  const { sourcePolicy } = intent.policyOf(name);
  return {
    prior,
    source: prior.source?.path ?? intent.route.sourceOf(name),
    destination,
    isProjected: sourcePolicy === 'Project' || reason === 'Projected' || reason === 'Undoing',
    lacks: reason === 'MetadataLost' || message === WITHOUT,
  };
}

/** The same task once its row is recorded. */
export function recorded(task: UndoTask, row: Outcome): UndoTask {
  const { copiedNow: _copied, retry: _retry, ...record } = row;
  return { ...task, prior: { ...record, since: task.prior.since } };
}

/** True if an earlier run removed the source, or proved it so that it could be removed. */
export function mayBeRemoved(inputs: Pick<ApplyInputs, 'intent'>, { prior }: UndoTask): boolean {
  return hadProof(inputs, prior);
}

/** True while nothing was taken back and the source was removed: what has its name now may be of another writer. */
export function isRecordedAsRemoved({ prior }: UndoTask): boolean {
  return prior.state === 'Removed' || (prior.state === 'Failed' && provenVersion(prior) !== undefined);
}

/** The row of a document of which nothing is left to take back. */
export function takenBack(
  { prior }: Pick<UndoTask, 'prior'>,
  message: string,
  now: { readonly source?: StoredDocument; readonly destination?: Version } = {},
): Outcome {
  const { destination, keys, name, source } = prior;
  const version = now.destination === undefined ? provenVersion(prior) : recordedVersion(now.destination);
  const at = now.source === undefined ? source : atSource(prior, now.source);
  return {
    name,
    keys,
    state: 'Skipped',
    reason: 'Undone',
    message,
    ...(destination === undefined ? {} : { destination: { path: destination.path, ...version } }),
    ...(at === undefined ? {} : { source: at }),
  };
}

/** The row of a document that stays as it is: its state does, unless its source is back. */
export function staying(task: UndoTask, left: Left, source?: StoredDocument): Outcome {
  const { retry: _retry, ...row } = rowOf(task, source);
  return { ...row, ...left };
}

/** The row while both sides have the value, before the copy in this version is taken back. */
export function undoing(task: UndoTask, source: StoredDocument, copy: Version): Outcome {
  const { base: _base, message: _message, ...row } = rowOf(task, source);
  const destination = { path: task.destination, ...row.destination, ...recordedVersion(copy) };
  const message = task.lacks ? { message: WITHOUT } : {};
  return { ...row, state: 'Verified', reason: 'Undoing', ...message, destination };
}

function rowOf(task: UndoTask, source: StoredDocument | undefined): Outcome {
  const { message: _message, reason: _reason, ...row } = recordedOutcome(task.prior);
  if (source === undefined) return row;
  const state = isRecordedAsRemoved(task) && isProven(row) ? 'Verified' : row.state;
  return { ...row, state, source: atSource(task.prior, source) };
}

function atSource(prior: PriorRecord, { version }: StoredDocument): NonNullable<Outcome['source']> {
  const path = prior.source?.path;
  return { ...(path === undefined ? {} : { path }), ...recordedVersion(version) };
}

/** The address of its backup at the source, if that is where a backup of this document is. */
export function backupIn(
  { backups }: Pick<Driver, 'backups'>,
  { prior, source }: UndoTask,
): Address | undefined {
  const address = backups?.addressOf(source);
  return prior.backup !== undefined && prior.backup === address ? address : undefined;
}
