import type { Document, StoredDocument } from '#src/core/document.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { otherSide, type Observed, type Side } from '#src/core/sync/observed.ts';
import { SAID } from '#src/core/sync/said.ts';
import type { WriteStep } from '#src/core/sync/three-way.ts';
import type { ApplyInputs } from '../apply/inputs.ts';

/*
 * A Secret that is immutable never gets another value: it is deleted and created again, if the spec says so. A copy is kept
 * first, because a run can be killed in between, and only the copy has the labels and annotations of other writers then.
 */

/** True for a document that its store does not let change. A store that only keeps the attribute of another one does. */
export function isFixed(
  inputs: Pick<ApplyInputs, 'source' | 'destination'>,
  side: Side,
  current: StoredDocument | undefined,
): boolean {
  return current?.attributes.immutable === true && inputs[side].traits.statesAttributes;
}

/** The step as one that keeps a copy first. */
export function keepingCopy(step: WriteStep): WriteStep {
  const { expect } = step;
  return expect === 'absent' ? step : { ...step, kind: 'restore', expect, keepFirst: true };
}

/** It stays immutable. */
export function fixed(desired: Document): Document {
  return { ...desired, attributes: { ...desired.attributes, immutable: true } };
}

/**
 * The step for a side that an earlier run, or this one (`kept`), deleted and did not create again: it is written. Such a row
 * names the kept copy and the version that was there; nothing else looks like it. Undefined for any other document.
 */
export function afterGap(
  prior: PriorRecord | undefined,
  { base, sides }: Pick<Observed, 'base' | 'sides'>,
  kept: { readonly at: Side } | undefined,
): WriteStep | undefined {
  if (base === undefined) return undefined;
  const isAnnounced = (side: Side): boolean =>
    kept?.at === side ||
    (prior?.backup !== undefined && prior.state !== 'Verified' && prior[side]?.version !== undefined);
  for (const to of ['destination', 'source'] as const) {
    const from = sides[otherSide(to)];
    if (sides[to].state === 'absent' && from.state === 'present' && isAnnounced(to))
      return { kind: 'write', to, expect: 'absent', copies: from.version, ...SAID[to].followed };
  }
  return undefined;
}
