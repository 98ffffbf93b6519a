import { PAIRED_ATTRIBUTES, type Attributes, type Document } from '#src/core/document.ts';
import { jsonRefusalOf } from '../bytes-only.ts';
import type { Refusal } from '../refusal.ts';
import { fieldRefusalOf, nameRefusalOf } from './names.ts';

/** Sum of the values, as for a Secret. Also the most that a read keeps in memory. */
export const MAX_DOCUMENT_BYTES = 1_048_576;
/** Bounds the listing of a folder. */
export const MAX_FIELDS = 4096;

export const TOO_LARGE: Refusal = {
  reason: 'TooLarge',
  message: `The values of a document in a directory can have at most ${MAX_DOCUMENT_BYTES} bytes in total.`,
};
export const TOO_MANY_FIELDS: Refusal = {
  reason: 'TooManyKeys',
  message: `A document in a directory can have at most ${MAX_FIELDS} keys.`,
};

/** Why a directory cannot store this document unchanged, or undefined. It stores only names and bytes. */
export function documentRefusalOf(document: Document): Refusal | undefined {
  return (
    nameRefusalOf(document.address) ??
    attributeRefusalOf(document.attributes) ??
    keyRefusalOf(document) ??
    jsonRefusalOf(document, 'a directory') ??
    sizeRefusalOf(document)
  );
}

function attributeRefusalOf({ type, immutable, expiresAt, ...attributes }: Attributes): Refusal | undefined {
  if (type !== undefined) {
    return { reason: 'TypeRefused', message: 'A directory can store Secrets of type Opaque only.' };
  }
  if (expiresAt !== undefined) {
    return { reason: 'ExpiryRefused', message: 'A directory cannot let a document expire.' };
  }
  if (immutable !== undefined) return notStorable('cannot store that a Secret is immutable');
  if (PAIRED_ATTRIBUTES.some((part) => (attributes[part]?.size ?? 0) > 0))
    return notStorable('has no place for labels, annotations or custom metadata');
  return undefined;
}

function keyRefusalOf({ fields }: Document): Refusal | undefined {
  if (fields.size > MAX_FIELDS) return TOO_MANY_FIELDS;
  for (const name of fields.keys()) {
    const refusal = fieldRefusalOf(name);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function sizeRefusalOf({ fields }: Document): Refusal | undefined {
  let total = 0;
  for (const value of fields.values()) total += value.byteLength;
  return total > MAX_DOCUMENT_BYTES ? TOO_LARGE : undefined;
}

function notStorable(what: string): Refusal {
  return { reason: 'NotRepresentable', message: `A directory ${what}.` };
}
