import { quoted } from '#src/errors/explain.ts';
import { PAIRED_ATTRIBUTES, type Attributes, type Document } from '#src/core/document.ts';
import type { Refusal } from '../refusal.ts';
import { levelsRefusalOf } from './json-values.ts';
import { countRefusalOf, MAX_STORED_BYTES, storedSize } from './size.ts';

/**
 * Why KV version 1 cannot store this document unchanged, or undefined. It stores only text and JSON: there is no metadata
 * to mark base64, a type or an expiry.
 */
export function v1RefusalOf(document: Document, keyLimit: number | undefined): Refusal | undefined {
  return (
    attributeRefusalOf(document.attributes) ??
    fieldRefusalOf(document) ??
    levelsRefusalOf(document.fields) ??
    countRefusalOf(document.fields, keyLimit) ??
    sizeRefusalOf(document)
  );
}

function attributeRefusalOf({ type, immutable, expiresAt, ...attributes }: Attributes): Refusal | undefined {
  if (type !== undefined) {
    return { reason: 'TypeRefused', message: 'KV version 1 can store Secrets of type Opaque only.' };
  }
  if (expiresAt !== undefined) {
    return { reason: 'ExpiryRefused', message: 'KV version 1 cannot let a document expire.' };
  }
  if (immutable !== undefined) return notStorable('cannot store that a Secret is immutable');
  if (PAIRED_ATTRIBUTES.some((part) => (attributes[part]?.size ?? 0) > 0))
    return notStorable('has no place for labels, annotations or custom metadata');
  return undefined;
}

function fieldRefusalOf({ fields }: Document): Refusal | undefined {
  if (fields.size === 0) return notStorable('cannot store a document without keys');
  for (const [name, value] of fields) {
    if (!name.isWellFormed())
      return { reason: 'KeyRefused', message: `The key ${quoted(name)} is not valid Unicode.` };
    if (!value.isText()) return notStorable(`stores text only, and the key ${quoted(name)} has other bytes`);
  }
  return undefined;
}

function sizeRefusalOf({ fields }: Document): Refusal | undefined {
  if (storedSize(fields, () => false) <= MAX_STORED_BYTES) return undefined;
  const message = `As JSON the document exceeds ${MAX_STORED_BYTES} bytes, the limit of one entry.`;
  return { reason: 'TooLarge', message };
}

function notStorable(what: string): Refusal {
  return { reason: 'NotRepresentable', message: `KV version 1 ${what}. Use a mount of KV version 2.` };
}
