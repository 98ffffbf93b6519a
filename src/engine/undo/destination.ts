import {
  keepsKind,
  sameFields,
  type ReadResult,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import { isProven, originIn, provenVersion } from '#src/core/origin.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import { OperatorError } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { hasRemains, settleRemains } from '../apply/settle.ts';
import { desiredDocument } from '../plan/desired-document.ts';
import { leftIn } from '../plan/decide.ts';
import { CREATOR_UNKNOWN, DESTINATION_CHANGED, NO_VERSIONS, PRIOR_LOST, type TAKEN_BACK } from './said.ts';
import type { Left, UndoTask } from './task.ts';

type Inputs = Pick<ApplyInputs, 'destination' | 'intent' | 'permit' | 'signal'>;

/** What is to be done at the destination, for exactly this version of it. No bytes: many documents wait for their turn. */
export type Due =
  | { readonly kind: 'remove'; readonly expect: Version }
  | { readonly kind: 'rollBack'; readonly expect: Version; readonly originalVersion: string };

/** What is due at the destination, that nothing is, or why it stays. */
export type AtDestination =
  | { readonly due: Due }
  | { readonly done: keyof typeof TAKEN_BACK; readonly version?: Version }
  | { readonly left: Left };

/** True for a document that the migration certainly did not change. */
export function isUntouched({ prior }: UndoTask, found: ReadResult): boolean {
  if (originIn(prior) !== undefined || isProven(prior) || provenVersion(prior) !== undefined) return false;
  return found.state !== 'present' || prior.state === 'Conflict' || prior.state === 'Skipped';
}

/**
 * Decides what becomes of the destination of a document whose source is there. Reads earlier versions of it, and completes
 * an earlier try of this that was cut off; changes nothing else.
 */
export async function decideDestination(
  inputs: Inputs,
  task: UndoTask,
  now: { readonly found: ReadResult; readonly source: StoredDocument },
): Promise<AtDestination> {
  const { found } = now;
  const { created, originalVersion } = originIn(task.prior) ?? {};
  if (originalVersion !== undefined) {
    const earlier = await inputs.destination.read(task.destination, inputs.signal, originalVersion);
    return overwritten(inputs, task, { ...now, earlier, originalVersion });
  }
  if (found.state !== 'present') return { done: isProven(task.prior) ? 'gone' : 'nothing' };
  if (created === undefined) return ofUnknownCreator(inputs, task, now);
  return created ? ofMigration(task, found.document) : ofOthers(task, found.document);
}

function ofMigration({ prior }: UndoTask, { version }: StoredDocument): AtDestination {
  const recorded = provenVersion(prior);
  if (recorded?.identity === undefined) return { left: NO_VERSIONS };
  return isRecorded(recorded, version)
    ? { due: { kind: 'remove', expect: version } }
    : { left: DESTINATION_CHANGED };
}

function ofOthers(task: UndoTask, { version }: StoredDocument): AtDestination {
  return wasAnnounced(task) ? { left: CREATOR_UNKNOWN } : { done: 'stayed', version };
}

/** An overwrite of another version was announced, and no row tells who made this one. */
function wasAnnounced({ prior }: UndoTask): boolean {
  return prior.destination?.priorVersion !== undefined;
}

function ofUnknownCreator(
  inputs: Inputs,
  task: UndoTask,
  { found, source }: { readonly found: ReadResult; readonly source: StoredDocument },
): AtDestination {
  const isOurs = isProven(task.prior) || hasValueOf(inputs, task, { found, source });
  return isOurs ? { left: CREATOR_UNKNOWN } : { done: 'nothing' };
}

interface Overwritten {
  readonly found: ReadResult;
  readonly source: StoredDocument;
  /** What was there before the migration. */
  readonly earlier: ReadResult;
  readonly originalVersion: string;
}

async function overwritten(inputs: Inputs, task: UndoTask, now: Overwritten): Promise<AtDestination> {
  const { earlier, found, originalVersion } = now;
  const version = versionIn(found);
  if (version === undefined) return { left: DESTINATION_CHANGED };
  // The overwrite was announced and never happened.
  if (version.revision === originalVersion) return { done: 'nothing', version };
  if (versionIn(earlier)?.revision !== originalVersion) return { left: PRIOR_LOST };
  if (found.state !== 'present') return deletedAgain(task, earlier, version);
  if (earlier.state === 'present' && hasRemains(found)) await settle(inputs, found, earlier.document);
  return replacing(inputs, task, { ...now, current: found.document });
}

function replacing(
  inputs: Inputs,
  task: UndoTask,
  { current, earlier, originalVersion, ...now }: Overwritten & { readonly current: StoredDocument },
): AtDestination {
  const recorded = provenVersion(task.prior);
  // The overwrite was announced; a run that was killed did it, or another writer.
  if (recorded === undefined && hasValueOf(inputs, task, now)) return { left: CREATOR_UNKNOWN };
  const expect = current.version;
  if (!isRecorded(recorded, expect)) return ofAnother(current, earlier);
  if (earlier.state === 'deleted') return { due: { kind: 'remove', expect } };
  return { due: { kind: 'rollBack', expect, originalVersion } };
}

/** An earlier run wrote the earlier value and was killed before its row, or another writer did it. */
function ofAnother(found: StoredDocument, earlier: ReadResult): AtDestination {
  const isBack = earlier.state === 'present' && sameFields(earlier.document, found);
  return isBack ? { done: 'rolledBack', version: found.version } : { left: DESTINATION_CHANGED };
}

/** What was deleted before the migration is deleted again; a deletion of anything else is that of another writer. */
function deletedAgain(task: UndoTask, earlier: ReadResult, version: Version): AtDestination {
  const isOurs = earlier.state === 'deleted' && isRecorded(provenVersion(task.prior), version);
  return isOurs ? { done: 'gone', version } : { left: DESTINATION_CHANGED };
}

async function settle(inputs: Inputs, found: ReadResult, desired: StoredDocument): Promise<never> {
  const { left } = leftIn(desired, found);
  if (left !== undefined) await settleRemains(inputs.destination, { left, desired }, inputs.permit);
  throw new OperatorError('VERSION_CONFLICT', { op: 'engine.undo', target: desired.address });
}

function versionIn(read: ReadResult): Version | undefined {
  if (read.state === 'absent') return undefined;
  return read.state === 'deleted' ? read.version : read.document.version;
}

/** True if the source has the value that is at the destination. Throws what the mapping throws. */
export function hasValueOf(
  inputs: Pick<Inputs, 'destination' | 'intent'>,
  { destination, prior }: UndoTask,
  { found, source }: { readonly found: ReadResult; readonly source: StoredDocument },
): boolean {
  if (found.state !== 'present') return false;
  const { document: desired } = desiredDocument(inputs, { name: prior.name, destination }, source);
  return sameFields(desired, found.document) && keepsKind(desired, found.document);
}
