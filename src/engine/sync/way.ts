import type { Document, StoredDocument } from '#src/core/document.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { OperatorError } from '#src/errors.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import { desiredDocument, reflecting, type Desired } from '../plan/desired-document.ts';
import type { PlannedDocument } from '../plan/plan.ts';

/*
 * The two ways of a value: to the destination, as in mode Once, and back. A document keeps the address that its name has at
 * the source, so no path is ever inverted; only the names of its keys are.
 */

type Inputs = Pick<PlanInputs, 'intent' | 'source' | 'destination'>;

/** The documents that a value goes between. */
export interface Way {
  readonly to: Side;
  /** At the other side. */
  readonly from: StoredDocument;
  /** At this side, if it is there. */
  readonly current: StoredDocument | undefined;
}

/**
 * What one side should have of the document at the other one, with the mark of its version. Throws `DECODE_FAILED`, and
 * `KEYS_COLLIDE` also for a key of the destination that the source has no name for.
 */
export function desiredAt(inputs: Inputs, document: PlannedDocument, way: Way): Desired {
  const desired =
    way.to === 'destination'
      ? desiredDocument(inputs, document, way.from)
      : desiredAtSource(inputs, document, way);
  return { ...desired, document: { ...desired.document, ...reflecting(inputs.intent, way.from) } };
}

/** Bytes travel back; the type and the immutability of the source stay, because they were never taken from the destination. */
function desiredAtSource(
  { intent, source }: Pick<Inputs, 'intent' | 'source'>,
  { source: address }: PlannedDocument,
  { from, current }: Way,
): Desired {
  if (intent.sync === undefined) throw new OperatorError('INVARIANT', { op: 'engine.sync', target: address });
  const { type, immutable } = current?.attributes ?? {};
  const document: Document = {
    address,
    fields: intent.sync.oldKeys.restore(from.fields, new Set(current?.fields.keys())),
    attributes: {
      ...(type === undefined ? {} : { type }),
      ...(immutable === undefined ? {} : { immutable }),
    },
  };
  const refusal = source.refusalOf(document);
  return { document, lost: [], ...(refusal === undefined ? {} : { refusal }) };
}
