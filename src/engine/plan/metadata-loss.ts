import { MAX_ROW_MESSAGE } from '#src/api/v1alpha1/status-row.ts';
import type { Reader } from '#src/backends/driver.ts';
import type { Refusal } from '#src/backends/refusal.ts';
import { boundedText } from '#src/core/bounded-text.ts';
import { keepsPair, PAIRED_ATTRIBUTES, pairsOf, type Document, type Pair } from '#src/core/document.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { firstNames, fitted, shortened } from '#src/errors/explain.ts';

/*
 * Labels, annotations and custom metadata of a document that a destination cannot hold, or does not have.
 */

/** A document without the pairs that are lost. */
export interface Part {
  readonly document: Document;
  /** `label team`, `annotation note`, `metadata owner`. */
  readonly lost: readonly string[];
}

/**
 * The largest part of a document that the destination can hold; undefined if it refuses the document for another reason than
 * its pairs. First the pairs go that are refused by themselves, then the largest.
 */
export function heldPart(destination: Pick<Reader, 'refusalOf'>, document: Document): Part | undefined {
  const isHeld = (pairs: readonly Pair[]): boolean =>
    destination.refusalOf(withPairs(document, pairs)) === undefined;
  if (!isHeld([])) return undefined;
  const pairs = pairsOf(document);
  const held = pairs.filter((pair) => isHeld([pair])).toSorted((left, right) => sizeOf(left) - sizeOf(right));
  while (!isHeld(held)) held.pop();
  return partOf(document, held);
}

/** The part of a document that a copy of it has. */
export function keptPart(document: Document, copy: Document): Part {
  const kept = pairsOf(document).filter((pair) => keepsPair(copy, pair));
  return partOf(document, kept);
}

/** The refusal of a document because of these pairs: says which, and what to do. */
export function metadataRefusal({ message }: Refusal, lost: readonly string[]): Refusal {
  const happened = `The destination cannot hold ${namesOf(lost)}: ${message}`;
  const hint = 'Exclude the document, or set spec.mapping.metadataLoss to Allow.';
  return { reason: 'MetadataRefused', message: fitted({ happened, hint }, MAX_ROW_MESSAGE) };
}

/** The part of a row that says what is lost with the source; empty if nothing is. */
export function lossOf(lost: readonly string[]): Pick<Outcome, 'reason' | 'message'> {
  if (lost.length === 0) return {};
  const message = `The destination does not have ${namesOf(lost)}; spec.mapping.metadataLoss allows that.`;
  return { reason: 'MetadataLost', message: shortened(message, MAX_ROW_MESSAGE) };
}

const MAX_NAME = 72;

function namesOf(lost: readonly string[]): string {
  return firstNames(lost.map((name) => boundedText(name, MAX_NAME)));
}

function withPairs(document: Document, pairs: readonly Pair[]): Document {
  const { metadata: _metadata, labels: _labels, annotations: _annotations, ...rest } = document.attributes;
  const attributes = PAIRED_ATTRIBUTES.flatMap((part) => {
    const own = pairs.filter((pair) => pair.part === part).map(({ key, value }) => [key, value] as const);
    return own.length === 0 ? [] : [[part, new Map(own)] as const];
  });
  return { ...document, attributes: { ...rest, ...Object.fromEntries(attributes) } };
}

function partOf(document: Document, held: readonly Pair[]): Part {
  const isHeld = new Set(held.map(keyOf));
  const pairs = pairsOf(document);
  const lost = pairs.filter((pair) => !isHeld.has(keyOf(pair)));
  const stays = pairs.filter((pair) => isHeld.has(keyOf(pair)));
  return { document: withPairs(document, stays), lost: [...new Set(lost.map(titleOf))] };
}

const TITLES = { metadata: 'metadata', labels: 'label', annotations: 'annotation' } as const;

function titleOf({ part, key }: Pair): string {
  return `${TITLES[part]} ${key}`;
}

function keyOf({ part, key }: Pair): string {
  return `${part} ${key}`;
}

function sizeOf({ key, value }: Pair): number {
  return Buffer.byteLength(key) + Buffer.byteLength(value);
}
