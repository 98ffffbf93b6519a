import type { Attributes } from '#src/core/document.ts';
import { quoted } from '#src/errors/explain.ts';
import type { Refusal } from '../refusal.ts';
import { isQualifiedName } from './labels.ts';
import { OWN_PREFIX } from './marks.ts';

/*
 * Annotations of a Secret ↔ attributes of a document. Limits: apimachinery validation (ValidateAnnotations): names as those of
 * labels, but the part before the slash may have capital letters; 256 KiB for all names and values.
 */

/** kubectl keeps the whole object in it, values included: it never leaves the Secret. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const MAX_TOTAL_BYTES = 256 * 1024;

/** The annotations that belong to the document; undefined if there are none. */
export function annotationsIn(annotations: Readonly<Record<string, string>> = {}): Attributes['annotations'] {
  const own = Object.entries(annotations).filter(([key]) => !neverTravels(key));
  return own.length === 0 ? undefined : new Map(own);
}

function neverTravels(key: string): boolean {
  return key === LAST_APPLIED || key.startsWith(OWN_PREFIX);
}

/** Why these cannot be annotations, or undefined. */
export function annotationRefusalOf(annotations: Attributes['annotations']): Refusal | undefined {
  let total = 0;
  for (const [key, value] of annotations ?? []) {
    if (neverTravels(key)) return refused(`The annotation ${key} is reserved.`);
    if (!isQualifiedName(key.toLowerCase()))
      return refused(
        `The annotation ${quoted(key)} must have a name of at most 63 letters, digits, "-", "_" and ".", optionally after a DNS name and "/".`,
      );
    if (!value.isWellFormed()) return refused(`The annotation ${quoted(key)} must be valid Unicode.`);
    total += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (total <= MAX_TOTAL_BYTES) return undefined;
  return refused(`The annotations of a Secret can have at most ${MAX_TOTAL_BYTES} bytes in total.`);
}

function refused(message: string): Refusal {
  return { reason: 'MetadataRefused', message };
}
