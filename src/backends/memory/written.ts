import { PAIRED_ATTRIBUTES } from '#src/core/document.ts';
import type { Attributes, Document, Expectation, ReadResult, StoredDocument } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';

/*
 * What becomes of a document as it is written.
 */

/** What a document reflects names the revision that its write replaced. */
export function withReplaced({ reflects, ...document }: Document, expect: Expectation): Document {
  if (reflects === undefined) return document;
  const { version } = reflects;
  return {
    ...document,
    reflects: expect === 'absent' ? { version } : { version, replaced: expect.revision },
  };
}

/** The metadata, labels and annotations that are there, with those that are added. */
export function mergedPairs(there: Attributes, added: Attributes): Partial<Attributes> {
  const pairs = PAIRED_ATTRIBUTES.flatMap((part) => {
    const all = new Map([...(there[part] ?? []), ...(added[part] ?? [])]);
    return all.size === 0 ? [] : [[part, all] as const];
  });
  return Object.fromEntries(pairs);
}

/** Throws `INVARIANT` if nothing is there. */
export function presentIn(result: ReadResult): StoredDocument {
  if (result.state === 'present') return result.document;
  throw new OperatorError('INVARIANT', { op: 'memory.write' });
}
