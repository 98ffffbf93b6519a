import { sameFields, type Document, type ReadResult, type StoredDocument } from '#src/core/document.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import { OperatorError } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { completing } from '../apply/run-permit.ts';
import { hasRemains, settleRemains } from '../apply/settle.ts';
import { readWritten } from '../apply/verify.ts';
import { leftIn } from '../plan/decide.ts';
import { originalOf, type Original } from './original.ts';
import {
  DESTINATION_LOST,
  SOURCE_EXPIRED,
  SOURCE_GONE,
  SOURCE_LEAVING,
  SOURCE_REPLACED,
  SOURCE_TAKEN,
} from './said.ts';
import { isRecordedAsRemoved, mayBeRemoved, type Left, type UndoTask } from './task.ts';

type Inputs = Pick<ApplyInputs, 'crossings' | 'destination' | 'intent' | 'permit' | 'signal' | 'source'>;

/** The source as it is now, or why it is not there. */
export type SourceBack = { readonly source: StoredDocument } | { readonly left: Left };

/**
 * Brings back the source of one document, if the migration removed it: makes the proven version readable again, or creates the
 * document where nothing has its name, and reads back what was written. Another document of that name stays. `found`: what is
 * at the destination. Throws what the drivers throw; a conflict means that both are to be read again.
 */
export async function bringBack(inputs: Inputs, task: UndoTask, found: ReadResult): Promise<SourceBack> {
  const read = await inputs.source.read(task.source, inputs.signal);
  if (read.state === 'present') return presentAgain(inputs, task, { read, found });
  if (!mayBeRemoved(inputs, task)) return { left: SOURCE_GONE };
  const message = inputs.crossings.removalOf(inputs.source.locationOf(task.source));
  if (message !== undefined) return { left: { reason: 'CrossingMigrations', message, retry: 'later' } };
  const original = await originalOf(inputs, task, found);
  return read.state === 'deleted'
    ? restoreDeleted(inputs, task, { read, original })
    : create(inputs, original, 'absent');
}

/** It was never removed, an earlier run brought it back, or another writer created it. */
async function presentAgain(
  inputs: Inputs,
  task: UndoTask,
  { found, read }: { readonly found: ReadResult; readonly read: ReadResult & { readonly state: 'present' } },
): Promise<SourceBack> {
  const { document } = read;
  if (document.isLeaving === true) return { left: SOURCE_LEAVING };
  if (!isRecordedAsRemoved(task)) return { source: document };
  const original = await originalOf(inputs, task, found);
  if ('left' in original) return { left: SOURCE_TAKEN };
  if (hasRemains(read)) {
    const { left } = leftIn(original.document, read);
    const remains = left && { left, desired: original.document };
    if (remains !== undefined) await settleRemains(inputs.source, remains, inputs.permit);
    throw changed(task);
  }
  return sameFields(original.document, document) ? { source: document } : { left: SOURCE_TAKEN };
}

async function restoreDeleted(
  inputs: Inputs,
  task: UndoTask,
  {
    original,
    read,
  }: { readonly original: Original; readonly read: ReadResult & { readonly state: 'deleted' } },
): Promise<SourceBack> {
  const { permit, source } = inputs;
  if (!isRecorded(task.prior.source, read.version)) return { left: SOURCE_REPLACED };
  if (read.expired === true) return { left: SOURCE_EXPIRED };
  // An undeleted version has another expiry, or none.
  const expires = 'document' in original && original.document.attributes.expiresAt !== undefined;
  if (expires) return create(inputs, original, read.version);
  await source.undelete?.(task.source, read.version, completing(permit));
  const back = await source.read(task.source, permit.toComplete.signal);
  if (back.state === 'present') return { source: back.document };
  // Its data was destroyed.
  return 'left' in original ? { left: DESTINATION_LOST } : create(inputs, original, read.version);
}

async function create(
  { permit, source }: Pick<Inputs, 'permit' | 'source'>,
  original: Original,
  expect: Parameters<ApplyInputs['source']['write']>[1],
): Promise<SourceBack> {
  if ('left' in original) return original;
  const { document } = original;
  const refusal = source.refusalOf(document);
  if (refusal !== undefined) return { left: refusal };
  const desired: Document = { ...document, isOriginal: true };
  const version = await source.write(desired, expect, completing(permit));
  return { source: await readWritten(source, { desired, version }, permit.toComplete.signal) };
}

function changed({ source: target }: UndoTask): OperatorError {
  return new OperatorError('VERSION_CONFLICT', { op: 'engine.undo', target });
}
