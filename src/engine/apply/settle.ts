import type { Driver } from '#src/backends/driver.ts';
import type { Document, ReadResult, StoredDocument } from '#src/core/document.ts';
import { errorOf } from '#src/errors.ts';
import { decideDocument } from '../plan/decide.ts';
import type { Decision, Left } from '../plan/plan.ts';
import type { ApplyInputs } from './inputs.ts';
import { completing, type RunPermit } from './run-permit.ts';

/*
 * What a write that was cut off left at the destination is settled before anything else, also if another writer stored
 * the data there: completed if the data is that of the document, else undone. Then the document is decided again.
 */

type Inputs = Pick<
  ApplyInputs,
  'approved' | 'intent' | 'destination' | 'gates' | 'permit' | 'prior' | 'signal'
>;

/** A decision about a destination without remains. */
export interface Settled {
  readonly decision: Decision;
  /** What had to stay, for the row. */
  readonly note: string | undefined;
}

/** Times that the destination is looked at, while other writers change it. */
const MAX_LOOKS = 3;

/** Throws the failure of a completion: the document is not whole without it. */
export async function settled(
  inputs: Inputs,
  first: Decision,
  announced: string | undefined,
): Promise<Settled> {
  let decision = first;
  for (let look = 0; look < MAX_LOOKS && decision.left !== undefined; look += 1) {
    const { values } = decision;
    if (values === undefined) break;
    const note = await settleOnce(inputs, decision);
    if (note !== undefined) return { decision, note };
    decision = await decideAgain(inputs, decision, { source: values.source, announced });
  }
  return { decision, note: decision.left === undefined ? undefined : LEFT_BEHIND };
}

/** The note for the row if something had to stay. */
async function settleOnce(
  { destination, permit }: Pick<Inputs, 'destination' | 'permit'>,
  { left, values }: Pick<Decision, 'left' | 'values'>,
): Promise<string | undefined> {
  if (left === undefined || values === undefined) return undefined;
  return settleRemains(destination, { left, desired: values.desired }, permit);
}

/** True if a write that was cut off may have left something. */
export function hasRemains(read: ReadResult): boolean {
  if (read.state === 'absent') return false;
  if (read.state === 'deleted') return read.prepared === true;
  return read.document.unfinished === true || read.document.prepared === true;
}

/**
 * Completes or undoes once what a write left at the address of the desired document. Resolves with the note for the row if
 * something had to stay. Throws the failure of a completion.
 */
export async function settleRemains(
  driver: Pick<Driver, 'finish' | 'undo'>,
  { left, desired }: { readonly left: Left; readonly desired: Document },
  permit: RunPermit,
): Promise<string | undefined> {
  try {
    if (left.kind === 'finish') await driver.finish?.(desired, left.version, completing(permit));
    else await driver.undo?.(desired.address, left.version, completing(permit));
    return undefined;
  } catch (failure) {
    return noteOf(left.kind, failure);
  }
}

/** A failure that another look settles has no note. Throws every other one, except that an undo may not be allowed. */
function noteOf(kind: Left['kind'], failure: unknown): string | undefined {
  const { code, indeterminate } = errorOf(failure);
  if (code === 'VERSION_CONFLICT' || code === 'NOT_FOUND') return undefined;
  if (kind === 'finish') throw failure;
  if (code === 'AUTH_DENIED') return LEFT_BEHIND;
  if (indeterminate) return undefined;
  throw failure;
}

const LEFT_BEHIND =
  'Remains of a write that was cut off stay there: grant patch on its metadata and update on undelete, or remove its keyferry-* custom metadata.';

/** Reads the destination again and decides. */
export async function decideAgain(
  inputs: Pick<Inputs, 'approved' | 'intent' | 'destination' | 'gates' | 'prior' | 'signal'>,
  { document }: Pick<Decision, 'document'>,
  { source, announced }: { readonly source: StoredDocument; readonly announced: string | undefined },
): Promise<Decision> {
  return decideDocument(inputs, document, source, { known: undefined, announced });
}
