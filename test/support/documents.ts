import { isUtf8 } from 'node:buffer';
import * as fc from 'fast-check';
import type { Attributes, Document, ReadResult, StoredDocument, Version } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { errorOf } from '#src/errors.ts';
import type { ErrorCode, OperatorError } from '#src/errors.ts';

/** A document from texts and buffers. */
export function aDocument(
  address: string,
  fields: Readonly<Record<string, string | Buffer>>,
  attributes: Attributes = {},
): Document {
  const entries = Object.entries(fields).map(
    ([name, value]) => [name, SecretValue.fromBytes(Buffer.from(value))] as const,
  );
  return { address, fields: new Map(entries), attributes };
}

/** The content of a document, in a form that assertions can compare and show with readable names. */
export function contentOf(document: Document): { fields: Record<string, string>; attributes: Attributes } {
  const fields = [...document.fields].map(([name, value]) => [name, value.reveal().toString('hex')] as const);
  return {
    fields: Object.fromEntries(fields.sort(([left], [right]) => (left < right ? -1 : 1))),
    attributes: document.attributes,
  };
}

export function presentIn(result: ReadResult): StoredDocument {
  if (result.state !== 'present') throw new Error(`expected a document, found ${result.state}`);
  return result.document;
}

export function versionIn(result: ReadResult): Version {
  if (result.state === 'absent') throw new Error('expected a version, found nothing');
  return result.state === 'present' ? result.document.version : result.version;
}

/** The error code of a call; `none` if it succeeds. */
export async function codeOf(call: Promise<unknown>): Promise<ErrorCode | 'none'> {
  return (await outcomeOf(call))?.code ?? 'none';
}

/** The error of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<OperatorError> {
  const error = await outcomeOf(call);
  if (error === undefined) throw new Error('expected a failure');
  return error;
}

async function outcomeOf(call: Promise<unknown>): Promise<OperatorError | undefined> {
  try {
    await call;
    return undefined;
  } catch (thrown) {
    return errorOf(thrown);
  }
}

/** Values of every kind that programs are known to corrupt: text, bytes, and text that looks like either. */
const value: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: 'binary', maxLength: 100 }).map((text) => Buffer.from(text, 'utf8')),
  fc.base64String({ maxLength: 80 }).map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(text)),
  fc.constantFrom(
    Buffer.alloc(0),
    Buffer.from('\uFEFFbom'),
    Buffer.from('nul\0inside'),
    Buffer.from('\uFFFD'),
    Buffer.from('<&>\u2028\u2029"\\\r\n\t'),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from('12345678901234567890'),
    Buffer.from('e\u0301 \u00e9'),
    Buffer.from([0xff, 0xfe, 0x00]),
  ),
);

/**
 * What documents of a store can contain. `bytes`: any keys, no attributes. `text`: at least one key, text only, no
 * attributes.
 */
export type Holdings = 'anything' | 'bytes' | 'text';

/** Documents with names of keys from `fieldName`. */
export function documents(
  fieldName: fc.Arbitrary<string>,
  holds: Holdings = 'anything',
): fc.Arbitrary<Record<string, Buffer>> {
  const bounds = { maxKeys: 8, noNullPrototype: true };
  if (holds !== 'text') return fc.dictionary(fieldName, value, bounds);
  return fc.dictionary(fieldName, value.filter(isUtf8), { ...bounds, minKeys: 1 });
}

/** Names that the keys of a Secret can have. */
export const secretKey: fc.Arbitrary<string> = fc
  .stringMatching(/^[-._a-zA-Z0-9]{1,40}$/)
  .filter((key) => key !== '.' && !key.startsWith('..'));
