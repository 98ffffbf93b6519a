import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Document } from '#src/core/document.ts';
import { sameAttributes, sameFields } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { decodeFields, encodeFields, planStorage } from './codec.ts';
import { Base64Marks, BASE64_MARKER, metadataPatch } from './markers.ts';

const fieldName = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }).filter((name) => name.isWellFormed()),
  fc.constantFrom('__proto__', 'tls.key', 'a,b', '*', 'a@2', 'x'.repeat(300)),
);
const fieldValue = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string().map((text) => Buffer.from(text)),
);
const attributes = fc.record(
  {
    type: fc.constant('a/b'),
    immutable: fc.constant(true as const),
    metadata: fc
      .array(fc.tuple(fc.constantFrom('a', 'b', '__proto__'), fc.constantFrom('1', '2')), { minLength: 1 })
      .map((entries) => new Map(entries)),
  },
  { requiredKeys: [] },
);

const anyDocument: fc.Arbitrary<Document> = fc
  .record({
    fields: fc.array(fc.tuple(fieldName, fieldValue), { maxLength: 30 }),
    attributes,
  })
  .map(({ fields, attributes }) => ({
    address: 'a',
    fields: new Map(fields.map(([name, bytes]) => [name, SecretValue.fromBytes(Buffer.from(bytes))])),
    attributes,
  }));

/** Acts as the server: parses the JSON and writes it again. */
function throughServer(data: object): object {
  const parsed: object = JSON.parse(JSON.stringify(data));
  return parsed;
}

describe('the encoding of documents', () => {
  it('returns every document unchanged', () => {
    const check = (document: Document): void => {
      const plan = planStorage(document);
      const stored = throughServer(encodeFields(document, plan));
      const customMetadata = new Map(Object.entries(plan.customMetadata));
      const decoded = {
        address: 'a',
        ...decodeFields({ data: stored, customMetadata, version: 1, target: 'a' }),
      };
      expect(sameFields(decoded, document)).toBe(true);
      expect(sameAttributes(decoded, document)).toBe(true);
    };
    fc.assert(fc.property(anyDocument, check), { numRuns: 1_000 });
  });

  it('gives back every version of a name under the markers of its last one', () => {
    const check = (documents: readonly Document[]): void => {
      let marks = new Base64Marks([]);
      const versions = documents.map((document, index) => {
        const plan = planStorage(document, marks, index + 1);
        marks = plan.base64;
        return { document, data: throughServer(encodeFields(document, plan)) };
      });
      const customMetadata = new Map(marks.isEmpty ? [] : [[BASE64_MARKER, marks.format()]]);
      for (const [index, { document, data }] of versions.entries()) {
        const decoded = decodeFields({ data, customMetadata, version: index + 1, target: 'a' });
        expect(sameFields({ ...document, ...decoded }, document)).toBe(true);
      }
    };
    fc.assert(fc.property(fc.array(anyDocument, { minLength: 1, maxLength: 5 }), check), { numRuns: 500 });
  });

  it('keeps every marker within what the server takes', () => {
    const check = (documents: readonly Document[]): void => {
      let marks = new Base64Marks([]);
      for (const [index, document] of documents.entries()) {
        marks = planStorage(document, marks, index + 1).base64;
        expect(marks.format()).toMatch(/^[\x20-\x7e]*$/);
        expect(marks.format().length).toBeLessThanOrEqual(512);
      }
    };
    fc.assert(fc.property(fc.array(anyDocument, { maxLength: 20 }), check), { numRuns: 300 });
  });

  it('does not mark text', () => {
    const document = { address: 'a', fields: new Map([['a', SecretValue.fromUtf8('ä')]]), attributes: {} };
    expect(planStorage(document).markers).toEqual({});
  });

  it('patches only markers that differ, and removes others that exist', () => {
    const present = new Map([
      ['keyferry-base64', 'a'],
      ['keyferry-type', 'x'],
      ['owner', 'them'],
    ]);
    expect(metadataPatch(present, { 'keyferry-base64': 'a' })).toEqual({ 'keyferry-type': null });
    expect(metadataPatch(present, { 'keyferry-base64': 'a', 'keyferry-type': 'x' })).toBeUndefined();
  });
});
