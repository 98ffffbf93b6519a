import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { aDocument, codeOf, contentOf, failureOf, presentIn, versionIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeDriver } from './driver-suite.ts';
import type { TestStore } from './suite/subject.ts';
import { CLOSED_PORT } from './kube-client.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { HOSTILE_KV_PATHS, ILLEGAL_KV_PATHS, kvFieldName, levels } from './kv-names.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { requestsTo } from './request-log.ts';
import { permitted } from '#test/support/permit.ts';

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

async function openTestStore(): Promise<TestStore> {
  const fixture = await OpenBaoFixture.open(cluster);
  const mount = await cluster.createMount('conformance');
  const auth = await fixture.tokenAuth(documentedPolicy(mount));
  const stranger = await fixture.tokenAuth(`path "${mount}/unrelated" { capabilities = ["read"] }`);
  const driver = fixture.driver({ mount, auth, pathPrefix: 'team/a' });
  // Opens the pools and logs in, so that the suite counts only the requests of a call itself.
  await driver.probe(AbortSignal.timeout(20_000));
  return {
    driver,
    denied: fixture.driver({ mount, auth: stranger, pathPrefix: 'team/a' }),
    unreachable: fixture.driver({ mount, auth, address: `https://127.0.0.1:${CLOSED_PORT}` }),
    traffic: (during) => requestsTo(cluster.baoUrl, during),
    recreate: async (address, field, text) => {
      await cluster.bao('DELETE', `${mount}/metadata/team/a/${address}`);
      await cluster.bao('POST', `${mount}/data/team/a/${address}`, { data: { [field]: text } });
    },
    createIllegal: async () => {
      for (const path of ILLEGAL_KV_PATHS.keys())
        await cluster.bao('POST', `${mount}/data/team/a/${path}`, { data: { a: 'b' } });
      return [...ILLEGAL_KV_PATHS.values()];
    },
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
}

describeDriver({
  kind: 'openbao',
  open: openTestStore,
  manyNames: 1_050,
  largeTextBytes: 1_000_000,
  tooLargeBytes: 1_048_576,
  fieldName: kvFieldName,
  hostileAddresses: HOSTILE_KV_PATHS,
  listsDeleted: true,
  undoesWrites: true,
});

let fixture: OpenBaoFixture;
let mount: string;
let auth: Record<string, unknown>;
let driver: Driver;
let counter = 0;
let address = '';
const { signal } = new AbortController();

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('kv');
  auth = await fixture.tokenAuth(documentedPolicy(mount));
  driver = fixture.driver({ mount, auth });
  await driver.probe(signal);
});
beforeEach(() => {
  counter += 1;
  address = `folder/doc-${counter}`;
});
afterAll(() => fixture[Symbol.asyncDispose]());

const rawData = async (name = address) => {
  const reply = await cluster.bao<{ data: { data: unknown; metadata: { custom_metadata: unknown } } }>(
    'GET',
    `${mount}/data/${name}`,
  );
  return { data: reply.data.data, customMetadata: reply.data.metadata.custom_metadata };
};

describe('the openbao driver, beyond what all drivers share,', () => {
  describeStorage();
  describeMetadata();
  describeForeignContent();
  describePaths();
  describeProbe();
  describeRetention();
});

function describeStorage(): void {
  describe('stores', () => {
    it('text as text, without any marker, in one request, and reads it back in one', async () => {
      const document = aDocument(address, { user: 'admin', note: 'ä\n"<&>' });
      let version = { identity: '', revision: '' };
      const writes = await requestsTo(cluster.baoUrl, async () => {
        version = await driver.write(document, 'absent', permitted(signal));
      });
      const reads = await requestsTo(cluster.baoUrl, () => driver.read(address, signal, version.revision));
      expect(writes.map(({ method, path }) => `${method} ${path}`)).toEqual([
        `POST /v1/${mount}/data/${address}`,
      ]);
      expect(reads.map(({ method, path }) => `${method} ${path}`)).toEqual([
        `GET /v1/${mount}/data/${address}?version=1`,
      ]);
      expect(await rawData()).toEqual({ data: { user: 'admin', note: 'ä\n"<&>' }, customMetadata: null });
    });

    it('only binary values as base64, and marks their keys', async () => {
      await driver.write(
        aDocument(address, { text: 't', blob: Buffer.from([255, 0]) }),
        'absent',
        permitted(signal),
      );
      expect(await rawData()).toEqual({
        data: { text: 't', blob: '/wA=' },
        customMetadata: { 'keyferry-base64': 'blob@1' },
      });
    });

    it('every value as base64 if the keys of the binary ones cannot be marked', async () => {
      await driver.write(
        aDocument(address, { text: 't', 'a,b': Buffer.from([255]) }),
        'absent',
        permitted(signal),
      );
      expect(await rawData()).toEqual({
        data: { text: 'dA==', 'a,b': '/w==' },
        customMetadata: { 'keyferry-base64': '*@1' },
      });
    });

    it('more binary values than one marker can name', async () => {
      const names = Array.from({ length: 60 }, (_, index) => `certificate-${index}`);
      const document = aDocument(
        address,
        Object.fromEntries(names.map((name) => [name, Buffer.from([128])])),
      );
      await driver.write(document, 'absent', permitted(signal));
      expect(contentOf(presentIn(await driver.read(address, signal)))).toEqual(contentOf(document));
    });
  });
}

function describeMetadata(): void {
  it('refuses a binary value that is too large as base64', async () => {
    const document = aDocument(address, { blob: Buffer.alloc(900_000, 255) });
    expect(driver.refusalOf(document)?.reason).toBe('TooLarge');
    expect(driver.refusalOf(aDocument(address, { text: Buffer.alloc(900_000, 'a') }))).toBeUndefined();
    expect(driver.refusalOf(aDocument(address, { text: Buffer.alloc(200_000, '<') }))?.reason).toBe(
      'TooLarge',
    );
  });

  it('reads an older revision after a newer write, each with its own encoding', async () => {
    const states = [
      { a: 'text' },
      { a: Buffer.from([255]) },
      { a: 'dGV4dA==', b: 'x' },
      { b: Buffer.from([200]) },
    ];
    let version = await driver.write(aDocument(address, states[0]!), 'absent', permitted(signal));
    for (const fields of states.slice(1)) {
      version = await driver.write(aDocument(address, fields), version, permitted(signal));
    }
    for (const [index, fields] of states.entries()) {
      const stored = presentIn(await driver.read(address, signal, String(index + 1)));
      expect(contentOf(stored)).toEqual(contentOf(aDocument(address, fields)));
      expect(stored.version.revision).toBe(String(index + 1));
    }
    expect(await driver.read(address, signal, '9')).toEqual({ state: 'absent' });
  });

  it('reads what another client writes later as it is, without the marks of our version', async () => {
    const binary = aDocument(address, { a: Buffer.from([255]) }, { type: 'x/y', immutable: true });
    const ours = await driver.write(binary, 'absent', permitted(signal));
    await cluster.bao('POST', `${mount}/data/${address}`, { data: { a: 'cGFzc3dvcmQ=' } });
    const theirs = presentIn(await driver.read(address, signal));
    expect(contentOf(theirs)).toEqual(contentOf(aDocument(address, { a: 'cGFzc3dvcmQ=' })));
    expect(contentOf(presentIn(await driver.read(address, signal, ours.revision)))).toEqual(
      contentOf(binary),
    );
    const text = aDocument(address, { a: 'text' });
    await driver.write(text, theirs.version, permitted(signal));
    expect(contentOf(presentIn(await driver.read(address, signal)))).toEqual(contentOf(text));
    expect(contentOf(presentIn(await driver.read(address, signal, ours.revision)))).toEqual(
      contentOf(binary),
    );
  });

  it('keeps custom metadata of other clients', async () => {
    await cluster.bao('POST', `${mount}/metadata/${address}`, { custom_metadata: { owner: 'payments' } });
    const first = await driver.write(
      aDocument(address, { a: Buffer.from([255]) }),
      'absent',
      permitted(signal),
    );
    await driver.write(aDocument(address, { b: Buffer.from([255]) }), first, permitted(signal));
    expect(await rawData()).toMatchObject({
      customMetadata: { owner: 'payments', 'keyferry-base64': 'a@1,b@2' },
    });
  });

  it('clears the markers of an attempt that crashed before its data', async () => {
    await cluster.bao('POST', `${mount}/metadata/${address}`, {
      custom_metadata: { 'keyferry-base64': '*', 'keyferry-type': 'kubernetes.io/tls', owner: 'x' },
    });
    expect(await driver.read(address, signal)).toEqual({ state: 'absent' });
    await driver.write(aDocument(address, { a: 'text' }), 'absent', permitted(signal));
    const withNote = aDocument(address, { a: 'text' }, { metadata: new Map([['owner', 'x']]) });
    expect(contentOf(presentIn(await driver.read(address, signal)))).toEqual(contentOf(withNote));
    expect((await rawData()).customMetadata).toEqual({ owner: 'x' });
  });

  it('does not change the metadata of a taken name that it should create', async () => {
    await driver.write(aDocument(address, { a: 'dGV4dA==' }), 'absent', permitted(signal));
    const binary = aDocument(address, { a: Buffer.from([255]) }, { type: 'kubernetes.io/basic-auth' });
    expect(await codeOf(driver.write(binary, 'absent', permitted(signal)))).toBe('ALREADY_EXISTS');
    expect(await rawData()).toEqual({ data: { a: 'dGV4dA==' }, customMetadata: null });
  });
}

function describeForeignContent(): void {
  describe('treats a soft-deleted version', () => {
    it('as taken: neither absent nor free to create, but replaceable by its version', async () => {
      const version = await driver.write(aDocument(address, { a: '1' }), 'absent', permitted(signal));
      await cluster.bao('DELETE', `${mount}/data/${address}`);
      const result = await driver.read(address, signal);
      expect(result).toEqual({ state: 'deleted', version });
      expect(await codeOf(driver.write(aDocument(address, { a: '2' }), 'absent', permitted(signal)))).toBe(
        'ALREADY_EXISTS',
      );
      const typed = aDocument(address, { a: '2' }, { type: 'x/y' });
      expect(await codeOf(driver.write(typed, 'absent', permitted(signal)))).toBe('ALREADY_EXISTS');
      expect(await driver.read(address, signal)).toEqual(result);
      await driver.write(aDocument(address, { a: '2' }), versionIn(result), permitted(signal));
      expect(presentIn(await driver.read(address, signal)).version.revision).toBe('2');
    });

    it('of its own as recoverable: history stays', async () => {
      const version = await driver.write(aDocument(address, { a: '1' }), 'absent', permitted(signal));
      await driver.delete(address, version, permitted(signal));
      await cluster.bao('POST', `${mount}/undelete/${address}`, { versions: [1] });
      expect(presentIn(await driver.read(address, signal)).version).toEqual(version);
    });

    it('also if it was destroyed', async () => {
      await driver.write(aDocument(address, { a: '1' }), 'absent', permitted(signal));
      await cluster.bao('POST', `${mount}/destroy/${address}`, { versions: [1] });
      expect((await driver.read(address, signal)).state).toBe('deleted');
    });
  });

  it.each([
    ['a number', { n: 1 }],
    ['an object', { n: { a: 'b' } }],
    ['null', { n: null }],
  ])('reads %s of another client as JSON, not as the string with the same text', async (_what, data) => {
    await cluster.bao('POST', `${mount}/data/${address}`, { data });
    const { fields } = presentIn(await driver.read(address, signal));
    expect(fields.get('n')?.isJson).toBe(true);
    expect(fields.get('n')?.reveal().toString()).toBe(JSON.stringify(data.n));
    expect(await codeOf(driver.write(aDocument(address, { n: 'x' }), 'absent', permitted(signal)))).toBe(
      'ALREADY_EXISTS',
    );
  });

  it.each([
    ['is no base64', { 'keyferry-base64': 'a' }, { a: 'not base64!' }],
    ['is base64 that decodes loosely only', { 'keyferry-base64': 'a' }, { a: 'YWJ=' }],
    ['has a marker that cannot be understood', { 'keyferry-base64': 'a;b' }, { a: 'hunter2' }],
    ['says neither yes nor no', { 'keyferry-immutable': 'perhaps' }, { a: 'hunter2' }],
  ])('reports as corrupt a document that %s, without quoting it', async (_what, marker, data) => {
    await cluster.bao('POST', `${mount}/metadata/${address}`, { custom_metadata: marker });
    await cluster.bao('POST', `${mount}/data/${address}`, { data });
    const error = await failureOf(driver.read(address, signal));
    expect(error.code).toBe('ENCODING_CORRUPT');
    expect(error.message).not.toContain(Object.values(data)[0]);
  });
}

function describePaths(): void {
  it('lists nested folders below the requested folder', async () => {
    for (const name of ['tree/a', 'tree/b/c', 'tree/b', 'tree/b/d/e', 'other/x']) {
      await driver.write(aDocument(name, { name }), 'absent', permitted(signal));
    }
    const below = await collect(driver.list({ folder: 'tree' }, signal));
    expect(below.map((entry) => entry.address).toSorted()).toEqual([
      'tree/a',
      'tree/b',
      'tree/b/c',
      'tree/b/d/e',
    ]);
    const inside = await collect(driver.list({ folder: 'tree/b' }, signal));
    expect(inside.map((entry) => entry.address).toSorted()).toEqual(['tree/b/c', 'tree/b/d/e']);
    expect(await collect(driver.list({ folder: 'nowhere' }, signal))).toEqual([]);
    expect(await codeOf(collect(driver.list({ folder: '', labelSelector: 'a=b' }, signal)))).toBe(
      'CAPABILITY_MISSING',
    );
  });

  it('reads, writes and lists a document at the deepest address', async () => {
    const address = `${levels(15)}/deepest`;
    await driver.write(aDocument(address, { a: 'b' }), 'absent', permitted(signal));
    expect(presentIn(await driver.read(address, signal)).fields.size).toBe(1);
    expect(await collect(driver.list({ folder: levels(13) }, signal))).toEqual([{ address }]);
  });

  it('lists a folder that the policy denies as a problem of that folder, and goes on', async () => {
    for (const name of ['parts/open/x', 'parts/closed/y', 'parts/z'])
      await driver.write(aDocument(name, { name }), 'absent', permitted(signal));
    const denying = `path "${mount}/metadata/parts/closed/*" { capabilities = ["deny"] }`;
    const held = await fixture.tokenAuth(`${documentedPolicy(mount)}\n${denying}`);
    const listed = await collect(fixture.driver({ mount, auth: held }).list({ folder: 'parts' }, signal));
    expect(listed.toSorted((left, right) => left.address.localeCompare(right.address))).toEqual([
      { address: 'parts/closed/', problem: expect.objectContaining({ code: 'AUTH_DENIED' }) },
      { address: 'parts/open/x' },
      { address: 'parts/z' },
    ]);
  });

  it('is confined to its prefix', async () => {
    const confined = fixture.driver({ mount, auth, pathPrefix: 'team/b' });
    await confined.write(aDocument('x', { a: '1' }), 'absent', permitted(signal));
    expect((await rawData('team/b/x')).data).toEqual({ a: '1' });
    expect(await collect(confined.list({ folder: '' }, signal))).toEqual([{ address: 'x' }]);
  });

  it('names the verb that the policy lacks', async () => {
    const readOnly = fixture.driver({
      mount,
      auth: await fixture.tokenAuth(`path "${mount}/data/*" { capabilities = ["read"] }`),
    });
    const needs = [
      { address: 'a', verbs: ['read'] as const },
      { address: 'b', verbs: ['read', 'create'] as const },
      { address: 'c', verbs: ['delete'] as const },
    ];
    const refusals = await readOnly.denied(needs, signal);
    expect([...refusals.keys()]).toEqual(['b', 'c']);
    expect(refusals.get('c')?.message).toContain(`"update" on ${mount}/delete/c`);
  });

  it('asks for capabilities in batches', async () => {
    const needs = Array.from({ length: 900 }, (_, index) => ({
      address: `batch/${index}`,
      verbs: ['read'] as const,
    }));
    const requests = await requestsTo(cluster.baoUrl, () => driver.denied(needs, signal));
    expect(requests).toHaveLength(3);
  });
}

function describeProbe(): void {
  describe('probes', () => {
    it('a mount that does not exist or has another type', async () => {
      const root = await fixture.tokenAuthWith(cluster.rootToken);
      expect(await codeOf(fixture.driver({ mount: 'no-such-mount', auth: root }).probe(signal))).toBe(
        'MOUNT_MISSING',
      );
      expect(await codeOf(fixture.driver({ mount: 'cubbyhole', auth: root }).probe(signal))).toBe(
        'MOUNT_MISSING',
      );
    });

    it('a path without a mount as missing, not as an absent document', async () => {
      const root = await fixture.tokenAuthWith(cluster.rootToken);
      const lost = fixture.driver({ mount: 'no-such-mount', auth: root });
      expect(await codeOf(lost.read('a', signal))).toBe('MOUNT_MISSING');
      expect(await codeOf(collect(lost.list({ folder: '' }, signal)))).toBe('MOUNT_MISSING');
      expect(await codeOf(lost.write(aDocument('a', { a: 'b' }), 'absent', permitted(signal)))).toBe(
        'MOUNT_MISSING',
      );
    });

    it('whether the mount deletes its contents later, and assumes so without the right to know', async () => {
      expect((await driver.probe(signal)).capabilities).not.toContain('SelfDestructs');
      const shortLived = await cluster.createMount('short');
      await cluster.bao('POST', `${shortLived}/config`, { delete_version_after: '1h' });
      const short = fixture.driver({
        mount: shortLived,
        auth: await fixture.tokenAuth(documentedPolicy(shortLived)),
      });
      expect((await short.probe(signal)).capabilities).toContain('SelfDestructs');
      const blind = fixture.driver({
        mount,
        auth: await fixture.tokenAuth(`path "${mount}/data/*" { capabilities = ["read"] }`),
      });
      expect((await blind.probe(signal)).capabilities).toContain('SelfDestructs');
    });

    it('whether the mount keeps overwritten versions, and assumes not without the right to know', async () => {
      expect((await driver.probe(signal)).capabilities).toContain('Versions');
      const forgetful = await cluster.createMount('forgetful');
      await cluster.bao('POST', `${forgetful}/config`, { max_versions: 1 });
      const auth = await fixture.tokenAuth(documentedPolicy(forgetful));
      const { capabilities } = await fixture.driver({ mount: forgetful, auth }).probe(signal);
      expect(capabilities).not.toContain('Versions');
      const blind = fixture.driver({
        mount,
        auth: await fixture.tokenAuth(`path "${mount}/data/*" { capabilities = ["read"] }`),
      });
      expect((await blind.probe(signal)).capabilities).not.toContain('Versions');
    });

    it('the limit of keys, and refuses a document above it only if there is a limit', async () => {
      const limited = (await driver.probe(signal)).capabilities.includes('KeyLimit498');
      const names = Array.from({ length: 499 }, (_, index) => [`f${index}`, 'x'] as const);
      const document = aDocument(address, Object.fromEntries(names));
      expect(driver.refusalOf(document)?.reason).toBe(limited ? 'TooManyKeys' : undefined);
      expect(await codeOf(driver.write(document, 'absent', permitted(signal)))).toBe(
        limited ? 'DOCUMENT_REFUSED' : 'none',
      );
      // How the server itself handles such a request, without the check of the driver.
      const reply = await cluster.baoClient.reply(
        'POST',
        `/v1/${mount}/data/${address}-raw`,
        { data: Object.fromEntries(names), options: { cas: 0 } },
        { 'x-vault-token': cluster.rootToken },
      );
      expect(reply.status).toBe(limited ? 400 : 200);
    });

    it('again what can change, and nothing else', async () => {
      const first = await driver.probe(signal);
      const requests = await requestsTo(cluster.baoUrl, async () => {
        expect(await driver.probe(signal)).toEqual(first);
      });
      expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
        'GET /v1/sys/health',
        `GET /v1/sys/internal/ui/mounts/${mount}`,
        `GET /v1/${mount}/config`,
      ]);
    });

    it('everything again of a mount that was replaced', async () => {
      const replaced = await cluster.createMount('replaced');
      const changing = fixture.driver({
        mount: replaced,
        auth: await fixture.tokenAuth(documentedPolicy(replaced)),
      });
      const { identity } = await changing.probe(signal);
      await cluster.bao('DELETE', `sys/mounts/${replaced}`);
      await cluster.bao('POST', `sys/mounts/${replaced}`, { type: 'kv', options: { version: '2' } });
      // Until its upgrade of itself is done, it refuses requests.
      await eventually('the mount serves', async () => cluster.bao('GET', `${replaced}/config`));
      const paths = await requestsTo(cluster.baoUrl, async () => {
        expect((await changing.probe(signal)).identity).not.toBe(identity);
      });
      expect(paths.map(({ path }) => path)).toContain('/v1/sys/capabilities-self');
    });
  });
}

function describeRetention(): void {
  describe('tells whether the version there would survive an overwrite', () => {
    it.each([
      ['of the path alone', 1, 0, false],
      ['of neither', 0, 0, true],
      ['of the mount, which keeps more', 1, 10, true],
      ['of the path, which keeps more', 5, 1, true],
      ['of the mount alone', 0, 1, false],
    ])('from max_versions %s', async (_which, ofPath, ofMount, survives) => {
      const kept = await cluster.createMount('kept');
      await cluster.bao('POST', `${kept}/config`, { max_versions: ofMount });
      await cluster.bao('POST', `${kept}/metadata/a`, { max_versions: ofPath });
      const there = fixture.driver({
        mount: kept,
        auth: await fixture.tokenAuth(documentedPolicy(kept)),
      });
      await there.probe(signal);
      const first = await there.write(aDocument('a', { k: 'v' }), 'absent', permitted(signal));
      expect((await there.overwriteRefusal?.('a', signal))?.reason).toBe(
        survives ? undefined : 'CapabilityMissing',
      );
      // How the server itself decides.
      await there.write(aDocument('a', { k: 'w' }), first, permitted(signal));
      expect((await there.read('a', signal, first.revision)).state).toBe(survives ? 'present' : 'absent');
    });

    it('and assumes that it does not, without the right to know', async () => {
      const blind = fixture.driver({
        mount,
        auth: await fixture.tokenAuth(`path "${mount}/data/*" { capabilities = ["read", "update"] }`),
      });
      expect((await blind.overwriteRefusal?.(address, signal))?.reason).toBe('CapabilityMissing');
    });
  });
}
