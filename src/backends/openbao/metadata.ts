import { quoted } from '#src/errors/explain.ts';
import { isPrintable } from '#src/errors/printable.ts';
import type { Attributes } from '#src/core/document.ts';
import type { Refusal } from '../refusal.ts';
import { MARKER_PREFIX, markersOf, MAX_MARKER_BYTES } from './markers.ts';
import type { PathMarks } from './markers.ts';
import { isSecretEntry, secretEntriesOf } from './secret-metadata.ts';

/*
 * The metadata of a document as entries of custom_metadata, beside the markers.
 */

const MAX_ENTRIES = 64;
const MAX_KEY_BYTES = 128;

/** Why these marks and this metadata cannot be entries of custom_metadata, or undefined. */
export function metadataRefusalOf(attributes: Attributes, marks: PathMarks): Refusal | undefined {
  const markers = Object.values(markersOf(marks)).filter((text) => text !== null);
  if (markers.some((text) => text.length > MAX_MARKER_BYTES)) {
    return refused('The markers of all versions of the path do not fit into its custom metadata.');
  }
  const { metadata = new Map<string, string>() } = attributes;
  const ofSecret = Object.keys(secretEntriesOf(attributes)).length;
  if (metadata.size + ofSecret + markers.length > MAX_ENTRIES) {
    return refused(
      `A document can have at most ${MAX_ENTRIES} entries of custom metadata, markers included.`,
    );
  }
  for (const [key, value] of metadata) {
    if (key.startsWith(MARKER_PREFIX))
      return refused(`Names that start with ${MARKER_PREFIX} are reserved for markers.`);
    if (!isEntry(key, MAX_KEY_BYTES) || !isEntry(value, MAX_MARKER_BYTES)) {
      return refused(
        `The custom metadata ${quoted(key)} must be printable: a name of 1 to ${MAX_KEY_BYTES} bytes and a value of 1 to ${MAX_MARKER_BYTES}.`,
      );
    }
  }
  return undefined;
}

function isEntry(text: string, maxBytes: number): boolean {
  return text !== '' && isPrintable(text) && text.isWellFormed() && Buffer.byteLength(text) <= maxBytes;
}

function refused(message: string): Refusal {
  return { reason: 'MetadataRefused', message };
}

/** The entries of `wanted` that differ from what is there; null removes. Metadata of other clients stays. */
export function metadataPatch(
  present: ReadonlyMap<string, string>,
  wanted: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    Object.entries(wanted).filter(([key, value]) => (present.get(key) ?? null) !== value),
  );
}

/**
 * The metadata of a document as entries of custom_metadata, with the labels and annotations of its Secret. Those of an older
 * Secret, which are `present`, do not stay beside it: null removes.
 */
export function metadataOf(
  attributes: Attributes,
  present: ReadonlyMap<string, string> = new Map(),
): Readonly<Record<string, string | null>> {
  const older = [...present.keys()].filter(isSecretEntry).map((name) => [name, null] as const);
  return {
    ...Object.fromEntries(older),
    ...secretEntriesOf(attributes),
    ...Object.fromEntries(attributes.metadata ?? []),
  };
}
