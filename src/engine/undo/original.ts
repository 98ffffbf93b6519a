import {
  keepsKind,
  sameFields,
  type Attributes,
  type Document,
  type ReadResult,
  type StoredDocument,
} from '#src/core/document.ts';
import { provenVersion } from '#src/core/origin.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import { hasCode } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { desiredDocument } from '../plan/desired-document.ts';
import { DESTINATION_LOST, NO_PROOF, NO_WAY_BACK, VALUE_CHANGED } from './said.ts';
import { backupIn, type Left, type UndoTask } from './task.ts';

type Inputs = Pick<ApplyInputs, 'destination' | 'intent' | 'signal' | 'source'>;

/** A removed source as it was, or why nothing tells it. */
export type Original = { readonly document: Document } | { readonly left: Left };

/**
 * The removed source: its backup, if the destination has the value of that, or lost its own; else the copy on its way back.
 * The copy is the version that was proven, from the history of a store that keeps one. Either counts only if moving it again
 * would give exactly that copy. `found`: what is at the destination now.
 */
export async function originalOf(inputs: Inputs, task: UndoTask, found: ReadResult): Promise<Original> {
  const copy = await provenCopy(inputs, task, found);
  const backup = backupIn(inputs.source, task);
  const kept = backup === undefined ? undefined : await inputs.source.backups?.get(backup, inputs.signal);
  if (kept !== undefined && (copy === undefined || wouldBecome(inputs, task, { document: kept, copy })))
    return { document: { ...kept, address: task.source } };
  if (copy === undefined) return { left: whyNoCopy(task, found) };
  const document = onItsWayBack(inputs, task, copy);
  if (document === undefined || !wouldBecome(inputs, task, { document, copy })) return { left: NO_WAY_BACK };
  return { document };
}

function whyNoCopy({ prior }: UndoTask, found: ReadResult): Left {
  if (found.state !== 'present') return DESTINATION_LOST;
  return provenVersion(prior)?.identity === undefined ? NO_PROOF : VALUE_CHANGED;
}

async function provenCopy(
  { destination, signal }: Pick<Inputs, 'destination' | 'signal'>,
  { destination: path, prior }: UndoTask,
  found: ReadResult,
): Promise<StoredDocument | undefined> {
  const recorded = provenVersion(prior);
  // Without an identity the version says nothing of the bytes (KV version 1).
  if (recorded?.identity === undefined) return undefined;
  if (found.state === 'present' && isRecorded(recorded, found.document.version)) return found.document;
  const older = await destination.read(path, signal, recorded.version);
  return older.state === 'present' && isRecorded(recorded, older.document.version)
    ? older.document
    : undefined;
}

/** True if the migration would make this copy of the document. */
function wouldBecome(
  inputs: Inputs,
  { destination, prior }: UndoTask,
  { document, copy }: { readonly document: Document; readonly copy: Document },
): boolean {
  try {
    const { document: desired } = desiredDocument(inputs, { name: prior.name, destination }, document);
    return sameFields(desired, copy) && keepsKind(desired, copy);
  } catch (failure) {
    if (hasCode(failure, 'KEYS_COLLIDE') || hasCode(failure, 'DECODE_FAILED')) return false;
    throw failure;
  }
}

/** Undefined if the names of its keys, or its type, have no way back. */
function onItsWayBack(inputs: Inputs, task: UndoTask, copy: StoredDocument): Document | undefined {
  const { oldKeys } = inputs.intent.undo ?? {};
  const attributes = attributesBack(inputs, task, copy);
  if (oldKeys === undefined || attributes === undefined) return undefined;
  try {
    return {
      address: task.source,
      fields: oldKeys.restore(copy.fields, new Set(task.prior.keys)),
      attributes,
    };
  } catch (failure) {
    if (hasCode(failure, 'KEYS_COLLIDE')) return undefined;
    throw failure;
  }
}

/**
 * The attributes that the source had. Labels of a Secret come from where its removal left them, not from custom metadata of
 * the same names, which other tools can change. Undefined if the type can be that of the source or of spec.mapping.
 */
function attributesBack(
  { destination, intent, source }: Inputs,
  { prior }: UndoTask,
  { attributes }: StoredDocument,
): Attributes | undefined {
  const given = intent.secretTypeOf(prior.name);
  const { type, immutable, annotations } = attributes;
  if (source.traits.addressing === 'tree') {
    if (destination.traits.addressing === 'tree') return attributes;
    return present({ type: type === given ? undefined : type, immutable });
  }
  if (!source.traits.statesAttributes) return {};
  if (given !== undefined && type === given) return undefined;
  const metadata = destination.traits.addressing === 'tree' ? attributes.labels : attributes.metadata;
  return present({ type, immutable, metadata, annotations });
}

function present(attributes: Readonly<Record<string, unknown>>): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
