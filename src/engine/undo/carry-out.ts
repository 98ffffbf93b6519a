import {
  sameFields,
  sameVersion,
  tiesOf,
  type ReadResult,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { OperatorError } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { removalPermit } from '../apply/retire.ts';
import { completing, removing } from '../apply/run-permit.ts';
import { readWritten } from '../apply/verify.ts';
import { heldBy } from '../gates.ts';
import { hasValueOf, type Due } from './destination.ts';
import {
  DESTINATION_LEAVING,
  OTHER_TARGET,
  SOURCE_CHANGED,
  SOURCE_GONE,
  SOURCE_LEAVING,
  SOURCE_UNCERTAIN,
  TAKEN_BACK,
} from './said.ts';
import { backupIn, staying, takenBack, WITHOUT, type Left, type UndoTask } from './task.ts';

const OP = 'engine.undo';

/**
 * Takes back what the migration wrote at the destination, while both locations are locked:
 *
 *   read the source: there, and not leaving, nor its store → read the destination: still the version that is due
 *   → no gate holds it, the mapping leads there, and the source is whole and has the same value
 *   → remove it, or write the earlier value over it, with that version as the precondition → read: as it was before
 *   → take the mark of a projection off the source → discard a backup that has the value of the source
 *
 * Throws `VERSION_CONFLICT` if the destination changed: it is to be decided again.
 */
export async function carryOut(inputs: ApplyInputs, task: UndoTask, due: Due): Promise<Outcome> {
  const startedAt = inputs.clock.monotonic();
  const proven = await prove(inputs, task, due);
  if ('left' in proven) return staying(task, proven.left);
  const { source } = proven;
  if (due.kind === 'rollBack') {
    const version = await rollBack(inputs, task, due);
    await close(inputs, task, source);
    return done(inputs, task, { how: 'rolledBack', source, version });
  }
  const permit = removalPermit(inputs, startedAt, OP);
  await inputs.destination.delete(task.destination, due.expect, permit);
  const after = await inputs.destination.read(task.destination, inputs.permit.toComplete.signal);
  if (after.state === 'present') {
    if (after.document.isLeaving === true) return staying(task, DESTINATION_LEAVING, source);
    throw new OperatorError('VERSION_CONFLICT', { op: OP, target: task.destination });
  }
  await close(inputs, task, source);
  return done(inputs, task, { how: 'removed', source, version: due.expect });
}

/** What is read of both sides, right before something changes. */
interface Pair {
  readonly source: StoredDocument;
  readonly found: ReadResult;
}

/** Why the copy must stay, whatever is due; undefined if nothing holds it. */
export async function obstacleTo(
  inputs: ApplyInputs,
  task: UndoTask,
  due: Due,
  pair: Pair,
): Promise<Left | undefined> {
  const { source } = pair;
  if (source.unfinished === true) return SOURCE_UNCERTAIN;
  const held = await heldAt(inputs, task, due, pair);
  if (held !== undefined) return held;
  if (!leadsTo(inputs, task, source)) return OTHER_TARGET;
  return hasValueOf(inputs, task, pair) ? undefined : SOURCE_CHANGED;
}

async function heldAt(
  { crossings, destination, destinationGates, signal }: ApplyInputs,
  { destination: path }: UndoTask,
  { kind }: Due,
  { found }: Pair,
): Promise<Left | undefined> {
  if (kind === 'remove') {
    const ties = found.state === 'present' ? tiesOf(found.document) : {};
    return heldBy(destinationGates, { name: path, source: path, ties }, { for: 'removal', signal });
  }
  const message = crossings.removalOf(destination.locationOf(path));
  return message === undefined ? undefined : { reason: 'CrossingMigrations', message, retry: 'later' };
}

async function prove(
  inputs: ApplyInputs,
  task: UndoTask,
  due: Due,
): Promise<{ readonly source: StoredDocument } | { readonly left: Left }> {
  const { signal } = inputs;
  const read = await inputs.source.read(task.source, signal);
  if (read.state !== 'present') return { left: SOURCE_GONE };
  const source = read.document;
  if (source.isLeaving === true) return { left: SOURCE_LEAVING };
  if (await inputs.source.isLeaving(signal)) throw new OperatorError('NAMESPACE_LEAVING', { op: OP });
  const found = await inputs.destination.read(task.destination, signal);
  if (found.state !== 'present' || !sameVersion(found.document.version, due.expect))
    throw new OperatorError('VERSION_CONFLICT', { op: OP, target: task.destination });
  const left = await obstacleTo(inputs, task, due, { source, found });
  return left === undefined ? { source } : { left };
}

/** A row alone is no reason to remove anything: the spec must lead to the same path. */
function leadsTo(
  { intent: { route } }: Pick<ApplyInputs, 'intent'>,
  { destination, prior }: UndoTask,
  { attributes }: StoredDocument,
): boolean {
  const target = route.destinationOf(prior.name, Object.fromEntries(attributes.metadata ?? []));
  return 'path' in target && target.path === destination;
}

async function rollBack(
  { destination, permit, signal }: Pick<ApplyInputs, 'destination' | 'permit' | 'signal'>,
  { destination: address }: UndoTask,
  { expect, originalVersion }: Due & { readonly kind: 'rollBack' },
): Promise<Version> {
  const earlier = await destination.read(address, signal, originalVersion);
  if (earlier.state !== 'present') throw new OperatorError('VERSION_CONFLICT', { op: OP, target: address });
  const { attributes, fields } = earlier.document;
  const desired = { address, attributes, fields };
  const version = await destination.write(desired, expect, completing(permit));
  return (await readWritten(destination, { desired, version }, permit.toComplete.signal)).version;
}

/** Takes the mark of a projection off: the source owns its value again. */
export async function close(
  { destinationName, permit, source }: Pick<ApplyInputs, 'destinationName' | 'permit' | 'source'>,
  { destination, isProjected, source: address }: UndoTask,
  { version }: StoredDocument,
): Promise<void> {
  if (!isProjected) return;
  await source.projections?.unmark(address, version, `${destinationName} ${destination}`, completing(permit));
}

/** The row of a document that is taken back, after its backup was discarded: the source has its value. */
export async function done(inputs: ApplyInputs, task: UndoTask, end: End): Promise<Outcome> {
  const { how, source, version } = end;
  const backup = await withoutBackup(inputs, task, source);
  const message = task.lacks && backup !== 'discarded' ? `${TAKEN_BACK[how]} ${WITHOUT}` : TAKEN_BACK[how];
  const row = takenBack(task, message, {
    source,
    ...(version === undefined ? {} : { destination: version }),
  });
  return typeof backup === 'object' ? { ...row, backup: backup.kept } : row;
}

/** How a document was taken back. */
interface End {
  readonly how: keyof typeof TAKEN_BACK;
  readonly source: StoredDocument;
  readonly version?: Version | undefined;
}

/** Discards the backup of the document if the source has its value; a different one stays. */
async function withoutBackup(
  { permit, signal, source: { backups } }: ApplyInputs,
  task: UndoTask,
  source: StoredDocument,
): Promise<'none' | 'discarded' | { readonly kept: string }> {
  const backup = backupIn({ backups }, task);
  const kept = backup === undefined ? undefined : await backups?.get(backup, signal);
  if (backup === undefined || kept === undefined) return 'none';
  if (!sameFields(kept, source)) return { kept: backup };
  await backups?.discard(backup, removing(permit));
  return 'discarded';
}
