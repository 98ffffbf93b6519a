import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import { hasRoundedNumber } from '#src/backends/openbao/json-values.ts';
import type { Document } from '#src/core/document.ts';
import { sameFields } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { explain } from '#src/errors/explain.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { codeOf, failureOf, presentIn } from '#test/support/documents.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { jsonNotString } from '#test/support/json-texts.ts';
import { permitted } from '#test/support/permit.ts';
import { rawKv } from '#test/support/raw-kv.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';

/*
 * JSON values that are not strings, on both versions of KV. What the servers do with numbers is written in
 * src/backends/openbao/json-values.ts; these tests show that it is so.
 */

const cluster = sharedCluster();
const kv = rawKv(cluster);
const { signal } = new AbortController();
let fixture: OpenBaoFixture;
let one: { readonly mount: string; readonly driver: Driver };
let two: { readonly mount: string; readonly driver: Driver };
let counter = 0;
let address = '';

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
  const v1 = await cluster.createV1Mount('json');
  const v2 = await cluster.createMount('json');
  const old = { kvVersion: 1, allowUnsafeWrites: true };
  const auth = [
    await fixture.tokenAuth(documentedPolicy(v1, 1)),
    await fixture.tokenAuth(documentedPolicy(v2)),
  ];
  one = { mount: v1, driver: fixture.driver({ mount: v1, auth: auth[0] ?? {}, kv: old }) };
  two = { mount: v2, driver: fixture.driver({ mount: v2, auth: auth[1] ?? {} }) };
  for (const { driver } of [one, two]) await driver.probe(signal);
});
beforeEach(() => {
  counter += 1;
  address = `doc-${counter}`;
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await cluster.dispose();
});

/** The keys that another client writes, and their texts once the server has sorted the names. */
const VALUES = {
  id: '12345678901234567890',
  money: '1.10',
  negative: '-0.0',
  nested: '{"10":{"b":[true,null,2.50]},"2":"<b> \\"ä\\n","a":[]}',
  off: 'false',
} as const;
const EXACT = `{${Object.entries(VALUES)
  .map(([key, text]) => `"${key}":${text}`)
  .join(',')},"text":"1"}`;

const textOf = (document: Document, key: string): string | undefined =>
  document.fields.get(key)?.reveal().toString();
const readAll = async (driver: Driver, from = address): Promise<Document> =>
  presentIn(await driver.read(from, signal));
const dataIn = (reply: string): string =>
  /.*"data":(\{.*?\}),"(?:metadata|wrap_info)"/.exec(reply)?.[1] ?? reply;

describe('JSON values of KV version 1', () => {
  it('are read and written with every digit, and the server returns the same text for the copy', async () => {
    await kv.post(`${one.mount}/${address}`, EXACT);
    const document = await readAll(one.driver);
    for (const [key, text] of Object.entries(VALUES)) expect(textOf(document, key)).toBe(text);
    expect(document.fields.get('text')?.isJson).toBe(false);
    const copy = { ...document, address: `${address}-copy` };
    await one.driver.write(copy, 'absent', permitted(signal));
    expect(sameFields(await readAll(one.driver, copy.address), document)).toBe(true);
    const replies = [await kv.get(`${one.mount}/${address}`), await kv.get(`${one.mount}/${copy.address}`)];
    expect(dataIn(replies[1] ?? '')).toBe(dataIn(replies[0] ?? ''));
    expect(replies[1]).toContain('12345678901234567890');
  });

  it('are another version if a string becomes the number with the same text', async () => {
    await kv.post(`${one.mount}/${address}`, '{"n":1}');
    const { version } = presentIn(await one.driver.read(address, signal));
    await kv.post(`${one.mount}/${address}`, '{"n":"1"}');
    expect(await codeOf(one.driver.delete(address, version, permitted(signal)))).toBe('VERSION_CONFLICT');
  });
});

describe('JSON values of KV version 2', () => {
  it('are read back as the same values, and the server returns the same text for the copy', async () => {
    const { id: _id, ...values } = VALUES;
    const members = Object.entries(values).map(([key, text]) => `"${key}":${text}`);
    await kv.post(`${two.mount}/data/${address}`, `{"data":{${members.join(',')}}}`);
    const document = await readAll(two.driver);
    expect(document.fields.get('money')?.equals(SecretValue.fromJson('1.10'))).toBe(true);
    expect(textOf(document, 'nested')).toBe(VALUES.nested.replace('2.50', '2.5'));
    const copy = { ...document, address: `${address}-copy` };
    await two.driver.write(copy, 'absent', permitted(signal));
    expect(sameFields(await readAll(two.driver, copy.address), document)).toBe(true);
    const replies = [
      await kv.get(`${two.mount}/data/${address}`),
      await kv.get(`${two.mount}/data/${copy.address}`),
    ];
    expect(dataIn(replies[1] ?? '')).toBe(dataIn(replies[0] ?? ''));
  });

  it('are refused by key where the server rounds a number, as a source and as a destination', async () => {
    await kv.post(`${two.mount}/data/${address}`, `{"data":{"fine":1,"id":${VALUES.id}}}`);
    expect(await kv.get(`${two.mount}/data/${address}`)).toContain('"id":12345678901234567000');
    const failure = await failureOf(two.driver.read(address, signal));
    expect(failure.code).toBe('DOCUMENT_REFUSED');
    expect(explain(failure)).toMatch(/"id" has a number beyond 2\^53.*Store it as a string/);
    expect(explain(failure)).not.toContain('12345');
    const document = { address, fields: new Map([['id', SecretValue.fromJson(VALUES.id)]]), attributes: {} };
    expect(two.driver.refusalOf(document)?.reason).toBe('NotRepresentable');
    expect(one.driver.refusalOf(document)).toBeUndefined();
  });

  it('of any kind travel from mount to mount unchanged, or are refused before they are written', async () => {
    let index = 0;
    const check = async (text: string): Promise<void> => {
      index += 1;
      const value = SecretValue.fromJson(text);
      const document = {
        address: `any/${counter}-${index}`,
        fields: new Map([['v', value]]),
        attributes: {},
      };
      const isRefused = two.driver.refusalOf(document) !== undefined;
      expect(isRefused).toBe(hasRoundedNumber(value));
      if (isRefused) return;
      await two.driver.write(document, 'absent', permitted(signal));
      const first = await readAll(two.driver, document.address);
      const copy = { ...first, address: `${document.address}-copy` };
      await two.driver.write(copy, 'absent', permitted(signal));
      expect(sameFields(await readAll(two.driver, copy.address), first)).toBe(true);
      expect(textOf(first, 'v')).toBe(textOf(await readAll(two.driver, copy.address), 'v'));
    };
    await fc.assert(fc.asyncProperty(jsonNotString, check), { numRuns: 60 });
  });
});

describe('names with escapes', () => {
  it('are those of their own document, whatever was read before', async () => {
    const earlier = String.raw`{"a":"1","b\\":"2"}`;
    const later = String.raw`{"a":"1","b\"":"2"}`;
    const stores = [
      { driver: one.driver, at: one.mount, bodyOf: (keys: string) => keys },
      { driver: two.driver, at: `${two.mount}/data`, bodyOf: (keys: string) => `{"data":${keys}}` },
    ];
    for (const { at, bodyOf, driver } of stores) {
      await kv.post(`${at}/${address}-earlier`, bodyOf(earlier));
      await kv.post(`${at}/${address}`, bodyOf(later));
      expect([...(await readAll(driver, `${address}-earlier`)).fields.keys()]).toEqual(['a', 'b\\']);
      expect([...(await readAll(driver)).fields.keys()]).toEqual(['a', 'b"']);
    }
  });
});
