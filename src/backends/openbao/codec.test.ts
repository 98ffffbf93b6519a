import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Document } from '#src/core/document.ts';
import { sameAttributes, sameFields } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { errorOf, type OperatorError } from '#src/errors.ts';
import { explain } from '#src/errors/explain.ts';
import { jsonNotString } from '#test/support/json-texts.ts';
import { decodeFields, encodeFields, planStorage, storageRefusalOf } from './codec.ts';
import { JsonText, parseExactly } from './exact-json.ts';
import { hasRoundedNumber } from './json-values.ts';
import { markersOf, NO_MARKS } from './markers.ts';
import type { PathMarks } from './markers.ts';
import { V1ReadReply } from './wire.ts';
import { metadataPatch, metadataOf } from './metadata.ts';

const fieldName = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }).filter((name) => name.isWellFormed()),
  fc.constantFrom('__proto__', 'tls.key', 'a,b', '*', 'a@2', 'x'.repeat(300)),
);
const fieldValue = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string().map((text) => Buffer.from(text)),
);
const field = fc.oneof(
  { weight: 3, arbitrary: fieldValue.map((bytes) => SecretValue.fromBytes(Buffer.from(bytes))) },
  jsonNotString.map((text) => SecretValue.fromJson(text)).filter((value) => !hasRoundedNumber(value)),
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
    fields: fc.array(fc.tuple(fieldName, field), { maxLength: 30 }),
    attributes,
    isPrunable: fc.boolean(),
  })
  .map(({ fields, attributes, isPrunable }) => ({
    address: 'a',
    fields: new Map(fields),
    attributes,
    ...(isPrunable ? { prunable: true } : {}),
  }));

const aBinary: Document = { address: 'a', fields: new Map(), attributes: {} };

/** The custom metadata of the path after its writes. */
function customMetadataOf(marks: PathMarks, { attributes: own }: Document): ReadonlyMap<string, string> {
  const entries = Object.entries({ ...metadataOf(own), ...markersOf(marks) });
  return new Map(entries.flatMap(([name, text]) => (text === null ? [] : [[name, text] as const])));
}

/** Acts as the server: sends the JSON again, and the client parses it. */
function throughServer({ text }: JsonText): object {
  return V1ReadReply.parse(parseExactly(`{"data":${text}}`, ['data'])).data;
}

describe('the encoding of documents', () => {
  it('returns every document unchanged', () => {
    const check = (document: Document): void => {
      const plan = planStorage(document);
      const stored = throughServer(encodeFields(document, plan));
      const customMetadata = customMetadataOf(plan.marks, document);
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
      let marks = NO_MARKS;
      const versions = documents.map((document, index) => {
        const plan = planStorage(document, { marks, version: index + 1, oldest: 1 });
        ({ marks } = plan);
        return { document, data: throughServer(encodeFields(document, plan)) };
      });
      for (const [index, { document, data }] of versions.entries()) {
        const customMetadata = customMetadataOf(marks, document);
        const decoded = decodeFields({ data, customMetadata, version: index + 1, target: 'a' });
        expect(sameFields({ ...document, ...decoded }, document)).toBe(true);
        expect(sameAttributes({ ...document, ...decoded }, document)).toBe(true);
        expect(decoded.isMarked).toBe(document.prunable === true);
      }
    };
    fc.assert(fc.property(fc.array(anyDocument, { minLength: 1, maxLength: 5 }), check), { numRuns: 500 });
  });

  it('says nothing of versions that other clients wrote before, between and after', () => {
    const check = (documents: readonly Document[]): void => {
      let marks = NO_MARKS;
      for (const [index, document] of documents.entries()) {
        const plan = planStorage(document, { marks, version: 2 * (index + 1), oldest: 1 });
        ({ marks } = plan);
      }
      const customMetadata = customMetadataOf(marks, { address: 'a', fields: new Map(), attributes: {} });
      const names = new Set(documents.flatMap(({ fields }) => [...fields.keys()]));
      const data = Object.fromEntries([...names].map((name) => [name, 'cGFzc3dvcmQ=']));
      for (let version = 1; version <= 2 * documents.length + 1; version += 2) {
        const { fields, ...rest } = decodeFields({ data, customMetadata, version, target: 'a' });
        for (const value of fields.values()) expect(value.reveal().toString()).toBe('cGFzc3dvcmQ=');
        expect(rest).toEqual({ attributes: {}, isMarked: false });
      }
    };
    fc.assert(fc.property(fc.array(anyDocument, { minLength: 1, maxLength: 5 }), check), { numRuns: 300 });
  });

  it('keeps every marker within what the server takes', () => {
    const check = (documents: readonly Document[]): void => {
      let marks = NO_MARKS;
      for (const [index, document] of documents.entries()) {
        ({ marks } = planStorage(document, { marks, version: index + 1, oldest: 1 }));
        for (const text of Object.values(markersOf(marks))) {
          expect(text ?? '').toMatch(/^[\x20-\x7e]*$/);
          expect((text ?? '').length).toBeLessThanOrEqual(512);
        }
      }
    };
    fc.assert(fc.property(fc.array(anyDocument, { maxLength: 20 }), check), { numRuns: 300 });
  });
});

describe('a marker', () => {
  it('refuses a document whose marks do not fit, and forgets those of versions that are gone', () => {
    const binary = { ...aBinary, fields: new Map([['a,b', SecretValue.fromBytes(Buffer.from([255]))]]) };
    let { marks } = planStorage(binary);
    for (let version = 3; version < 200; version += 2) {
      const plan = planStorage(binary, { marks, version, oldest: 1 });
      ({ marks } = plan);
    }
    const next = { marks, version: 201, oldest: 1 };
    expect(storageRefusalOf(binary, planStorage(binary, next))?.reason).toBe('MetadataRefused');
    expect(storageRefusalOf(binary, planStorage(binary, { ...next, oldest: 191 }))).toBeUndefined();
  });

  it.each(['a,b', 'a@2', '100%', '%2C', 'kubernetes.io/tls'])('returns the type %s unchanged', (type) => {
    const document = { ...aBinary, attributes: { type } };
    const { marks } = planStorage(document);
    const stored = { data: {}, customMetadata: customMetadataOf(marks, document), version: 1, target: 'a' };
    expect(decodeFields(stored).attributes).toEqual({ type });
  });

  it('takes a marker without versions for the first version, and calls it unclear for a later one', () => {
    const stored = { data: { a: '/w==' }, customMetadata: new Map([['keyferry-base64', 'a']]), target: 'a' };
    expect(
      decodeFields({ ...stored, version: 1 })
        .fields.get('a')
        ?.reveal(),
    ).toEqual(Buffer.from([255]));
    expect(() => decodeFields({ ...stored, version: 2 })).toThrow(
      expect.objectContaining({ code: 'ENCODING_CORRUPT' }),
    );
  });

  it('does not mark text', () => {
    const document = { address: 'a', fields: new Map([['a', SecretValue.fromUtf8('ä')]]), attributes: {} };
    expect(planStorage(document).marks).toEqual(NO_MARKS);
  });

  it('patches only markers that differ, and removes others that exist', () => {
    const present = new Map([
      ['keyferry-base64', 'a'],
      ['keyferry-type', 'x'],
      ['owner', 'them'],
    ]);
    expect(metadataPatch(present, { 'keyferry-base64': 'a', 'keyferry-type': null, absent: null })).toEqual({
      'keyferry-type': null,
    });
    expect(metadataPatch(present, { 'keyferry-base64': 'a', 'keyferry-type': 'x' })).toEqual({});
  });
});

describe('a value of another client that is not a string', () => {
  const stored = { customMetadata: new Map<string, string>(), version: 1, target: 'kv/a' };
  const dataWith = (text: string): object => ({ fine: 'v', ['bad\n']: new JsonText(text) });

  it.each(['1', 'true', 'null', '["hunter2"]', '{"a":"hunter2","10":1,"2":[1.10,-0]}'])(
    'is read with its text: %s',
    (text) => {
      const value = decodeFields({ ...stored, data: dataWith(text) }).fields.get('bad\n');
      expect(value?.isJson).toBe(true);
      expect(value?.reveal().toString()).toBe(text);
    },
  );

  it.each(['12345678901234567000', '["hunter2",1e+21]'])(
    'is refused with its key and what to do, if the server can have rounded it: %s',
    (text) => {
      const failure = catchError(() => decodeFields({ ...stored, data: dataWith(text) }));
      expect(failure.code).toBe('DOCUMENT_REFUSED');
      expect(explain(failure, 256)).toContain(String.raw`Key "bad\u{a}" has a number beyond 2^53`);
      expect(failure.hint).toMatch(/^Store it as a string/);
      expect(explain(failure)).not.toMatch(/hunter2|1234|e\+21/);
      const exact = decodeFields({ ...stored, data: dataWith(text), keepsNumbers: true });
      expect(exact.fields.get('bad\n')?.reveal().toString()).toBe(text);
    },
  );

  it('is not what a marker of base64 says of its key', () => {
    const marked = { ...stored, customMetadata: new Map([['keyferry-base64', 'a@1']]) };
    const failure = catchError(() => decodeFields({ ...marked, data: { a: new JsonText('1') } }));
    expect(failure.code).toBe('ENCODING_CORRUPT');
    const all = new Map([['keyferry-base64', '*@1']]);
    const { fields } = decodeFields({
      ...stored,
      customMetadata: all,
      data: { '*': new JsonText('1'), b: '/w==' },
    });
    expect([...fields.values()].map((value) => value.isJson)).toEqual([true, false]);
  });
});

function catchError(act: () => unknown): OperatorError {
  try {
    act();
  } catch (failure) {
    return errorOf(failure);
  }
  throw new Error('expected a failure');
}
