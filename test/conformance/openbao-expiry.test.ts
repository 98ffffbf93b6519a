import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import { EXPIRY_TOLERANCE_MS, keepsAttributes, type Attributes, type Document } from '#src/core/document.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import { aDocument, codeOf, contentOf, failureOf, presentIn } from '#test/support/documents.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { requestsTo } from './request-log.ts';
import { permitted } from '#test/support/permit.ts';

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

const HOUR_MS = 3_600_000;

interface RawMetadata {
  readonly current_version: number;
  readonly delete_version_after: string;
  readonly custom_metadata: Record<string, string> | null;
  readonly versions: Record<string, { readonly deletion_time: string }>;
}

let fixture: OpenBaoFixture;
let mount: string;
let auth: Record<string, unknown>;
let driver: Driver;
let counter = 0;
let address = '';
const { signal } = new AbortController();

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('lives');
  auth = await fixture.tokenAuth(documentedPolicy(mount));
  driver = fixture.driver({ mount, auth });
  await driver.probe(signal);
});
beforeEach(() => {
  counter += 1;
  address = `doc-${counter}`;
});
afterAll(() => fixture[Symbol.asyncDispose]());

const metadata = async (name = address) =>
  (await cluster.bao<{ data: RawMetadata }>('GET', `${mount}/metadata/${name}`)).data;
const setMetadata = (body: Record<string, unknown>, name = address) =>
  cluster.bao('POST', `${mount}/metadata/${name}`, body);
const writeRaw = (value: string, name = address) =>
  cluster.bao('POST', `${mount}/data/${name}`, { data: { a: value } });
const at = (fromNowMs: number) => new Date(Date.now() + fromNowMs).toISOString();
const expiring = (fromNowMs: number, lifetime?: number, name = address): Document =>
  aDocument(name, { a: '1' }, { expiresAt: at(fromNowMs), ...(lifetime === undefined ? {} : { lifetime }) });
const stored = async (name = address) => presentIn(await driver.read(name, signal));
const offsetOf = (copy: Document, original: Document) =>
  Math.abs(Date.parse(copy.attributes.expiresAt ?? '') - Date.parse(original.attributes.expiresAt ?? ''));

describe('an openbao mount', () => {
  describeMetadata();
  describeSecretMetadata();
  describeExpiry();
  describeExpired();
  describeKilledAttempts();
});

function describeMetadata(): void {
  describe('keeps metadata', () => {
    it('as custom metadata, and returns it unchanged', async () => {
      const character = fc.oneof(
        fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }),
        fc.constantFrom('ä', 'ø', '世', '界', 'Ω', '\u{1F310}', 'e\u0301', '<', '"', '\\'),
      );
      const text = fc.string({ unit: character, minLength: 1, maxLength: 40 });
      const entry = fc.tuple(fc.oneof(text, fc.constantFrom('__proto__', 'a/b', 'constructor', ' ')), text);
      let run = 0;
      const check = async (entries: [string, string][]) => {
        run += 1;
        const metadata = new Map(entries);
        const document = aDocument(`${address}-${run}`, { a: Buffer.from([255]) }, { metadata });
        expect(driver.refusalOf(document)).toBeUndefined();
        await driver.write(document, 'absent', permitted(signal));
        expect(contentOf(await stored(document.address))).toEqual(contentOf(document));
      };
      const entries = fc.array(entry, { minLength: 1, maxLength: 20 });
      await fc.assert(fc.asyncProperty(entries, check), { numRuns: 60 });
    });

    it('in as few requests as the server allows, and reads them back in one', async () => {
      const document = aDocument(address, { a: '1' }, { metadata: new Map([['owner', 'payments']]) });
      const writes = await requestsTo(cluster.baoUrl, () =>
        driver.write(document, 'absent', permitted(signal)),
      );
      expect(writes.map(({ method, path }) => `${method} ${path}`)).toEqual([
        `GET /v1/${mount}/metadata/${address}`,
        `POST /v1/${mount}/metadata/${address}`,
        // Without metadata_cas, only a patch is safe for what another client wrote meanwhile.
        ...(cluster.isOpenBao ? [] : [`PATCH /v1/${mount}/metadata/${address}`]),
        `POST /v1/${mount}/data/${address}`,
        `PATCH /v1/${mount}/metadata/${address}`,
      ]);
      expect(await requestsTo(cluster.baoUrl, () => driver.read(address, signal))).toHaveLength(1);
    });

    it('and adds it to the existing metadata when it replaces', async () => {
      await setMetadata({ custom_metadata: { theirs: 'x', owner: 'nobody' } });
      await writeRaw('0');
      const { version } = await stored();
      const document = aDocument(address, { a: '1' }, { metadata: new Map([['owner', 'payments']]) });
      await driver.write(document, version, permitted(signal));
      expect((await metadata()).custom_metadata).toEqual({ theirs: 'x', owner: 'payments' });
      expect(keepsAttributes(document, await stored())).toBe(true);
    });

    it.each<[string, [string, string][]]>([
      ['more than 64', Array.from({ length: 65 }, (_, index) => [`n${index}`, 'x'])],
      ['a name of 129 bytes', [['ä'.repeat(64).concat('x'), 'x']]],
      ['a value of 513 bytes', [['x', 'ä'.repeat(256).concat('x')]]],
      ['an empty value', [['x', '']]],
      ['a line break', [['x', 'a\nb']]],
      ['a no-break space', [['x', 'a\u00A0b']]],
      ['the name of a marker', [['keyferry-type', 'x']]],
    ])('but refuses %s, as the server would, before a request is sent', async (_what, metadata) => {
      const document = aDocument(address, { a: '1' }, { metadata: new Map(metadata) });
      expect(driver.refusalOf(document)?.reason).toBe('MetadataRefused');
      const requests = await requestsTo(cluster.baoUrl, async () => {
        expect(await codeOf(driver.write(document, 'absent', permitted(signal)))).toBe('DOCUMENT_REFUSED');
      });
      expect(requests).toEqual([]);
    });

    it('of the largest size', async () => {
      const metadata = new Map([
        ...Array.from({ length: 63 }, (_, index) => [`n${index}`, 'x'] as const),
        ['ä'.repeat(64), 'ä'.repeat(256)] as const,
      ]);
      const document = aDocument(address, { a: '1' }, { metadata });
      await driver.write(document, 'absent', permitted(signal));
      expect(contentOf(await stored())).toEqual(contentOf(document));
    });
  });
}

function describeSecretMetadata(): void {
  it('keeps labels and annotations of a Secret, of any text, and drops those of an older version', async () => {
    const secret = {
      labels: new Map([['example.org/empty', '']]),
      annotations: new Map([['note', `a\nb \u00A0 ${'ä'.repeat(2_000)}`]]),
    };
    const document = aDocument(address, { a: '1' }, secret);
    const writes = await requestsTo(cluster.baoUrl, () =>
      driver.write(document, 'absent', permitted(signal)),
    );
    expect(writes).toHaveLength(cluster.isOpenBao ? 4 : 5);
    const first = await stored();
    expect(contentOf(first)).toEqual(contentOf(document));
    const plain = aDocument(address, { a: '2' }, { labels: new Map([['team', 'web']]) });
    await driver.write(plain, first.version, permitted(signal));
    expect(contentOf(await stored())).toEqual(contentOf(plain));
    expect((await metadata()).custom_metadata).toEqual({
      'keyferry-secret-1': '{"labels":{"team":"web"}}',
    });
  });

  it('refuses more labels and annotations than fit', () => {
    const annotations = new Map([['note', 'x'.repeat(64 * 512)]]);
    expect(driver.refusalOf(aDocument(address, { a: '1' }, { annotations }))?.reason).toBe('MetadataRefused');
  });
}

function describeExpiry(): void {
  describe('keeps the expiry of a document', () => {
    it('from its path, and gives the path of the copy the same lifetime for later versions', async () => {
      await setMetadata({ delete_version_after: '90m' });
      await writeRaw('1');
      const source = await stored();
      expect(source.attributes.lifetime).toBe(5_400);

      const copy = `${address}-copy`;
      const requests = await requestsTo(cluster.baoUrl, () =>
        driver.write({ ...source, address: copy }, 'absent', permitted(signal)),
      );
      expect(requests.map(({ method, path }) => `${method} ${path.replace(/^.*lives[^/]*\//, '')}`)).toEqual([
        `GET metadata/${copy}`,
        `POST metadata/${copy}`,
        ...(cluster.isOpenBao ? [] : [`PATCH metadata/${copy}`]),
        `POST data/${copy}`,
        `PATCH metadata/${copy}`,
      ]);
      const found = await stored(copy);
      expect(offsetOf(found, source)).toBeLessThanOrEqual(EXPIRY_TOLERANCE_MS);
      expect(keepsAttributes(source, found)).toBe(true);
      expect(found.unfinished).toBeUndefined();
      expect(found.attributes.lifetime).toBe(5_400);
      const { custom_metadata: left, delete_version_after: lifetime } = await metadata(copy);
      expect({ left, lifetime }).toEqual({ left: null, lifetime: '1h30m0s' });
    });

    it('from its mount, and leaves later versions of the copy to the mount', async () => {
      const short = await cluster.createMount('short');
      await cluster.bao('POST', `${short}/config`, { delete_version_after: '1h' });
      await cluster.bao('POST', `${short}/data/a`, { data: { a: '1' } });
      const there = fixture.driver({
        mount: short,
        auth: await fixture.tokenAuth(documentedPolicy(short)),
      });
      await there.probe(signal);
      const source = presentIn(await there.read('a', signal));
      expect(source.attributes.lifetime).toBeUndefined();

      for (const destination of [driver, there]) {
        await destination.write({ ...source, address }, 'absent', permitted(signal));
        const found = presentIn(await destination.read(address, signal));
        expect(keepsAttributes(source, found)).toBe(true);
      }
      expect((await metadata()).delete_version_after).toBe('0s');
      await writeRaw('later');
      expect((await stored()).attributes.expiresAt).toBeUndefined();
    });

    it('by the clock of the server, even if the local clock is wrong', async () => {
      for (const [name, offMs] of [
        [`${address}-fast`, 5 * HOUR_MS],
        [`${address}-slow`, -5 * HOUR_MS],
      ] as const) {
        const clock = { ...systemClock, now: () => Date.now() + offMs };
        const document = expiring(HOUR_MS, undefined, name);
        await fixture.driver({ mount, auth, clock }).write(document, 'absent', permitted(signal));
        expect(offsetOf(await stored(name), document)).toBeLessThanOrEqual(EXPIRY_TOLERANCE_MS);
      }
    });

    it('if it replaces a version that stays', async () => {
      await writeRaw('0');
      const document = expiring(HOUR_MS, 7_200);
      await driver.write(document, (await stored()).version, permitted(signal));
      const found = await stored();
      expect(keepsAttributes(document, found)).toBe(true);
      expect(found.version.revision).toBe('2');
      expect(await metadata()).toMatchObject({ delete_version_after: '2h0m0s', custom_metadata: null });
    });

    it('below one second, rounded up to one', async () => {
      const document = expiring(600);
      expect(['none', 'EXPIRED']).toContain(
        await codeOf(driver.write(document, 'absent', permitted(signal))),
      );
      await eventually('it is gone', async () => (await driver.read(address, signal)).state !== 'present');
    });
  });
}

function describeExpired(): void {
  describe('does not restore', () => {
    it('a document that expired while it moved: it writes no new version and overwrites none', async () => {
      await setMetadata({ delete_version_after: '2s' });
      await writeRaw('1');
      const source = await stored();
      const end = Date.parse(source.attributes.expiresAt ?? '');
      await eventually(
        'the source has expired',
        async () => (await driver.read(address, signal)).state === 'deleted',
      );
      expect(await driver.read(address, signal)).toMatchObject({ state: 'deleted', expired: true });
      const copy = `${address}-copy`;
      // The server reports its time in whole seconds: until the next second, the last lifetime is one second.
      await eventually('its time has passed by the clock of the server', () => Date.now() >= end + 1_000);
      expect(await codeOf(driver.write({ ...source, address: copy }, 'absent', permitted(signal)))).toBe(
        'EXPIRED',
      );
      expect(await driver.read(copy, signal)).toEqual({ state: 'absent' });

      await writeRaw('other', copy);
      const { version } = await stored(copy);
      expect(await codeOf(driver.write({ ...source, address: copy }, version, permitted(signal)))).toBe(
        'EXPIRED',
      );
      expect((await stored(copy)).version).toEqual(version);
      expect((await stored(copy)).attributes.expiresAt).toBeUndefined();
    });

    it('a document that a user deleted, and reports it as deleted, not expired', async () => {
      await setMetadata({ delete_version_after: '1h' });
      await writeRaw('1');
      await driver.delete(address, (await stored()).version, permitted(signal));
      expect(await driver.read(address, signal)).toMatchObject({ state: 'deleted' });
      expect(await driver.read(address, signal)).not.toHaveProperty('expired');
    });

    it('a document on a mount whose versions never expire', async () => {
      const eternal = await cluster.createMount('eternal');
      await cluster.bao('POST', `${eternal}/config`, { delete_version_after: '-1s' });
      const there = fixture.driver({
        mount: eternal,
        auth: await fixture.tokenAuth(documentedPolicy(eternal)),
      });
      const { capabilities } = await there.probe(signal);
      expect(capabilities).not.toContain('Expiry');
      expect(capabilities).not.toContain('SelfDestructs');
      expect(there.refusalOf(expiring(HOUR_MS))?.reason).toBe('ExpiryRefused');
      expect(await codeOf(there.write(expiring(HOUR_MS), 'absent', permitted(signal)))).toBe(
        'DOCUMENT_REFUSED',
      );
    });

    it('a document on a mount that was set so after its probe: it deletes the version again', async () => {
      const changing = await cluster.createMount('changing');
      const there = fixture.driver({
        mount: changing,
        auth: await fixture.tokenAuth(documentedPolicy(changing)),
      });
      expect((await there.probe(signal)).capabilities).toContain('Expiry');
      await cluster.bao('POST', `${changing}/config`, { delete_version_after: '-1s' });
      const failure = await failureOf(there.write(expiring(HOUR_MS), 'absent', permitted(signal)));
      expect(failure.code).toBe('DOCUMENT_REFUSED');
      expect((await there.read(address, signal)).state).toBe('deleted');
    });
  });
}

function describeKilledAttempts(): void {
  describe('after an attempt that was killed', () => {
    it('between metadata and data, sets the lifetime that remains now, not the one of the attempt', async () => {
      await setMetadata({
        custom_metadata: { 'keyferry-lifetime': '5400', owner: 'x' },
        delete_version_after: '5h',
      });
      expect(await driver.read(address, signal)).toEqual({ state: 'absent' });
      const document = expiring(HOUR_MS, 5_400);
      await driver.write(document, 'absent', permitted(signal));
      expect(keepsAttributes(document, await stored())).toBe(true);
      expect(await metadata()).toMatchObject({
        current_version: 1,
        delete_version_after: '1h30m0s',
        custom_metadata: { owner: 'x' },
      });
    });

    it.each<[string, Attributes]>([
      ['plain', {}],
      ['with a note', { metadata: new Map([['owner', 'x']]) }],
    ])(
      'there, writes a version that does not expire if its source stays now (%s)',
      async (_what, attributes) => {
        await setMetadata({
          custom_metadata: { 'keyferry-lifetime': '5400' },
          delete_version_after: '30s',
        });
        const document = aDocument(address, { a: '1' }, attributes);
        const version = await driver.write(document, 'absent', permitted(signal));
        const found = await stored();
        expect(found.version).toEqual(version);
        expect(contentOf(found)).toEqual(contentOf(document));
        expect(await metadata()).toMatchObject({
          delete_version_after: '0s',
          custom_metadata: Object.fromEntries(attributes.metadata ?? []),
        });
      },
    );

    it.each([
      ['a life of its own', 5_400, '1h30m0s'],
      ['none', 0, '0s'],
    ])(
      'before it set the lifetime of the path back to %s, reports this and can finish',
      async (_what, lifetime, restored) => {
        await setMetadata({
          custom_metadata: { 'keyferry-lifetime': String(lifetime) },
          delete_version_after: '100s',
        });
        await writeRaw('1');
        const found = await stored();
        expect(found.unfinished).toBe(true);
        expect(found.attributes.metadata).toBeUndefined();
        const other = { ...found.version, revision: '2' };
        const plain = aDocument(address, { a: '1' });
        expect(await codeOf(driver.finish?.(plain, other, permitted(signal)) ?? Promise.resolve())).toBe(
          'VERSION_CONFLICT',
        );
        await driver.finish?.(plain, found.version, permitted(signal));
        const after = await stored();
        expect(after.unfinished).toBeUndefined();
        expect(after.version).toEqual(found.version);
        expect(after.attributes.expiresAt).toBe(found.attributes.expiresAt);
        expect((await metadata()).delete_version_after).toBe(restored);
      },
    );
  });
}
