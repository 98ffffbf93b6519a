import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import type { Attributes } from '#src/core/document.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { aDocument, codeOf, contentOf, failureOf, presentIn, versionIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { describeDriver } from './driver-suite.ts';
import type { TestStore } from './suite/subject.ts';
import { FaultProxy } from './fault-proxy.ts';
import { CLOSED_PORT } from './kube-client.ts';
import { HOSTILE_KV_PATHS, ILLEGAL_KV_PATHS, kvFieldName } from './kv-names.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { requestsTo } from './request-log.ts';
import { permitted } from '#test/support/permit.ts';

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

const READ_ONLY = { kvVersion: 1 };
const WRITABLE = { kvVersion: 1, allowUnsafeWrites: true };

async function openTestStore(): Promise<TestStore> {
  const fixture = await OpenBaoFixture.open(cluster);
  const mount = await cluster.createV1Mount('conformance');
  const auth = await fixture.tokenAuth(documentedPolicy(mount, 1));
  const stranger = await fixture.tokenAuth(`path "${mount}/unrelated" { capabilities = ["read"] }`);
  const options = { mount, auth, pathPrefix: 'team/a', kv: WRITABLE };
  const driver = fixture.driver(options);
  // Opens the pools and logs in, so that the suite counts only the requests of a call itself.
  await driver.probe(AbortSignal.timeout(20_000));
  return {
    driver,
    denied: fixture.driver({ ...options, auth: stranger }),
    unreachable: fixture.driver({ ...options, address: `https://127.0.0.1:${CLOSED_PORT}` }),
    traffic: (during) => requestsTo(cluster.baoUrl, during),
    recreate: async (address, field, text) => {
      await cluster.bao('DELETE', `${mount}/team/a/${address}`);
      await cluster.bao('POST', `${mount}/team/a/${address}`, { [field]: text });
    },
    createIllegal: async () => {
      for (const path of ILLEGAL_KV_PATHS.keys())
        await cluster.bao('POST', `${mount}/team/a/${path}`, { a: 'b' });
      return [...ILLEGAL_KV_PATHS.values()];
    },
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
}

describeDriver({
  kind: 'openbao KV version 1',
  open: openTestStore,
  manyNames: 1_050,
  largeTextBytes: 1_000_000,
  tooLargeBytes: 1_048_576,
  fieldName: kvFieldName,
  hostileAddresses: HOSTILE_KV_PATHS,
  holds: 'text',
  tellsVersions: false,
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
  mount = await cluster.createV1Mount('old');
  auth = await fixture.tokenAuth(documentedPolicy(mount, 1));
  driver = fixture.driver({ mount, auth, kv: WRITABLE });
  await driver.probe(signal);
});
beforeEach(() => {
  counter += 1;
  address = `doc-${counter}`;
});
afterAll(() => fixture[Symbol.asyncDispose]());

const raw = async (): Promise<unknown> =>
  (await cluster.bao<{ data: unknown }>('GET', `${mount}/${address}`)).data;

describe('KV version 1, beyond what all drivers share,', () => {
  describeStorage();
  describeVersions();
  describeMounts();
  describeFaults();
});

function describeStorage(): void {
  it('stores the plain keys, so that any other client can use them', async () => {
    await driver.write(aDocument(address, { user: 'admin', note: 'ä\n"<&>' }), 'absent', permitted(signal));
    expect(await raw()).toEqual({ user: 'admin', note: 'ä\n"<&>' });
  });

  describe('without allowUnsafeWrites', () => {
    let readOnly: Driver;
    beforeAll(() => {
      readOnly = fixture.driver({ mount, auth, kv: READ_ONLY });
    });

    it('reads and lists everything', async () => {
      await cluster.bao('POST', `${mount}/${address}`, { a: 'b' });
      expect(contentOf(presentIn(await readOnly.read(address, signal)))).toEqual(
        contentOf(aDocument(address, { a: 'b' })),
      );
      expect(await collect(readOnly.list({ folder: '' }, signal))).toContainEqual({ address });
      expect((await readOnly.probe(signal)).capabilities).not.toContain('UnsafeWrites');
    });

    it('neither writes nor deletes, and sends nothing', async () => {
      await cluster.bao('POST', `${mount}/${address}`, { a: 'b' });
      const version = versionIn(await readOnly.read(address, signal));
      const changes = await requestsTo(cluster.baoUrl, async () => {
        const document = aDocument(address, { a: 'c' });
        expect(await codeOf(readOnly.write(document, 'absent', permitted(signal)))).toBe(
          'CAPABILITY_MISSING',
        );
        expect(await codeOf(readOnly.write(document, version, permitted(signal)))).toBe('CAPABILITY_MISSING');
        const error = await failureOf(readOnly.delete(address, version, permitted(signal)));
        expect(error.code).toBe('CAPABILITY_MISSING');
        expect(error.hint).toContain('allowUnsafeWrites');
      });
      expect(changes).toEqual([]);
      expect(await raw()).toEqual({ a: 'b' });
    });
  });

  it('does not report capabilities that it lacks', async () => {
    const { capabilities } = await driver.probe(signal);
    expect(capabilities).toContain('UnsafeWrites');
    for (const missing of ['ConditionalWrite', 'Versions', 'SelfDestructs', 'Expiry']) {
      expect(capabilities).not.toContain(missing);
    }
  });

  it('probes again with two requests', async () => {
    const first = await driver.probe(signal);
    const requests = await requestsTo(cluster.baoUrl, async () => {
      expect(await driver.probe(signal)).toEqual(first);
    });
    expect(requests.map(({ path }) => path)).toEqual([
      '/v1/sys/health',
      `/v1/sys/internal/ui/mounts/${mount}`,
    ]);
  });

  it('names its server', async () => {
    const { server } = await driver.probe(signal);
    expect(server.product).toBe(cluster.isOpenBao ? 'OpenBao' : 'Vault');
  });
}

function describeVersions(): void {
  describe('shows no version that is derived from the value', () => {
    it('in the part for the status', async () => {
      const first = await driver.write(aDocument(address, { a: 'one' }), 'absent', permitted(signal));
      const second = await driver.write(aDocument(address, { a: 'two' }), first, permitted(signal));
      expect([first.revision, second.revision]).toEqual(['unversioned', 'unversioned']);
    });

    it('in the part for comparison, which differs between processes', async () => {
      const version = await driver.write(aDocument(address, { a: 'one' }), 'absent', permitted(signal));
      const another = fixture.driver({ mount, auth, kv: READ_ONLY });
      expect(versionIn(await driver.read(address, signal))).toEqual(version);
      expect(versionIn(await another.read(address, signal)).identity).not.toBe(version.identity);
    });

    it('and is the same for two backends of one process, which never overwrite each other', async () => {
      const [one, two] = fixture.twins({ mount, auth, kv: WRITABLE });
      await Promise.all([one.probe(signal), two.probe(signal)]);
      const writes = await Promise.allSettled([
        one.write(aDocument(address, { a: 'one' }), 'absent', permitted(signal)),
        two.write(aDocument(address, { a: 'two' }), 'absent', permitted(signal)),
      ]);
      expect(writes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      const [stored] = writes.flatMap((write) => (write.status === 'fulfilled' ? [write.value] : []));
      expect(versionIn(await one.read(address, signal))).toEqual(stored);
      expect(versionIn(await two.read(address, signal))).toEqual(stored);
    });

    it('but distinguishes any two contents', async () => {
      const contents = [{ a: 'bc' }, { ab: 'c' }, { a: 'b', c: '' }, { a: '', c: 'b' }, { a: 'bd' }];
      const seen = new Set<string>();
      for (const fields of contents) {
        await cluster.bao('POST', `${mount}/${address}`, fields);
        seen.add(versionIn(await driver.read(address, signal)).identity);
      }
      expect(seen.size).toBe(contents.length);
    });
  });

  it.each<[string, Record<string, string | Buffer>, Attributes, string]>([
    ['binary fields', { a: Buffer.from([255]) }, {}, 'NotRepresentable'],
    ['no field at all', {}, {}, 'NotRepresentable'],
    ['a type', { a: 'b' }, { type: 'kubernetes.io/basic-auth' }, 'TypeRefused'],
    ['immutability', { a: 'b' }, { immutable: true }, 'NotRepresentable'],
    ['an end', { a: 'b' }, { expiresAt: '2030-01-01T00:00:00Z' }, 'ExpiryRefused'],
    ['labels', { a: 'b' }, { metadata: new Map([['team', 'payments']]) }, 'NotRepresentable'],
    ['labels of a Secret', { a: 'b' }, { labels: new Map([['team', 'web']]) }, 'NotRepresentable'],
  ])('refuses %s, which it cannot store', async (_what, fields, attributes, reason) => {
    const document = aDocument(address, fields, attributes);
    expect(driver.refusalOf(document)?.reason).toBe(reason);
    const requests = await requestsTo(cluster.baoUrl, async () => {
      expect(await codeOf(driver.write(document, 'absent', permitted(signal)))).toBe('DOCUMENT_REFUSED');
    });
    expect(requests).toEqual([]);
  });

  it.each([
    ['a number', { n: 1 }],
    ['an object', { n: { a: 'b' } }],
    ['null', { n: null }],
  ])('reads %s of another client as JSON, and does not overwrite it', async (_what, data) => {
    await cluster.bao('POST', `${mount}/${address}`, data);
    const { fields } = presentIn(await driver.read(address, signal));
    expect(fields.get('n')?.isJson).toBe(true);
    expect(fields.get('n')?.reveal().toString()).toBe(JSON.stringify(data.n));
    expect(await codeOf(driver.write(aDocument(address, { n: 'x' }), 'absent', permitted(signal)))).toBe(
      'ALREADY_EXISTS',
    );
    expect(await raw()).toEqual(data);
  });
}

function describeMounts(): void {
  describe('refuses a mount of the other version and says what to set', () => {
    it('when it is version 2', async () => {
      const newer = await cluster.createMount('newer');
      const root = await fixture.tokenAuthWith(cluster.rootToken);
      const mistaken = fixture.driver({ mount: newer, auth: root, kv: WRITABLE });
      const error = await failureOf(mistaken.probe(signal));
      expect(error.code).toBe('CAPABILITY_MISSING');
      expect(error.message).toContain('The mount is KV version 2.');
      expect(error.hint).toBe('Set spec.openbao.kvVersion to 2.');
      // Also without a probe: its paths are not documents there, neither present nor absent.
      expect(await codeOf(mistaken.read('a', signal))).toBe('MOUNT_MISSING');
      expect(await codeOf(mistaken.write(aDocument('a', { a: 'b' }), 'absent', permitted(signal)))).toBe(
        'MOUNT_MISSING',
      );
      expect(await codeOf(collect(mistaken.list({ folder: '' }, signal)))).toBe('MOUNT_MISSING');
    });

    it('when it is version 1', async () => {
      const error = await failureOf(fixture.driver({ mount, auth }).probe(signal));
      expect(error.code).toBe('CAPABILITY_MISSING');
      expect(error.message).toContain('The mount is KV version 1.');
      expect(error.hint).toBe('Set spec.openbao.kvVersion to 1.');
    });

    it('and distinguishes a missing mount from a denied one', async () => {
      const root = await fixture.tokenAuthWith(cluster.rootToken);
      const lost = fixture.driver({ mount: 'no-such-mount', auth: root, kv: READ_ONLY });
      expect(await codeOf(lost.probe(signal))).toBe('MOUNT_MISSING');
      const stranger = await fixture.tokenAuth(`path "elsewhere/*" { capabilities = ["read"] }`);
      const denied = fixture.driver({ mount, auth: stranger, kv: READ_ONLY });
      expect(await codeOf(denied.probe(signal))).toBe('AUTH_DENIED');
    });
  });

  it('names the verb that the policy lacks', async () => {
    const readOnly = fixture.driver({
      mount,
      auth: await fixture.tokenAuth(`path "${mount}/*" { capabilities = ["read", "list"] }`),
      kv: WRITABLE,
    });
    const verbs = ['read', 'create', 'delete'] as const;
    const refusals = await readOnly.denied([{ address: 'a', verbs }], signal);
    expect(refusals.get('a')?.message).toBe(`The policy must allow "create" on ${mount}/a to create it.`);
  });
}

function describeFaults(): void {
  describe('in front of a failing server', () => {
    let proxy: FaultProxy;
    let failing: Driver;

    beforeAll(async () => {
      proxy = await FaultProxy.start({ target: cluster.baoUrl, ca: cluster.baoCaPem });
      failing = fixture.driver({ mount, auth, address: proxy.origin, kv: WRITABLE });
      await failing.probe(signal);
    });
    beforeEach(() => {
      proxy.plan = () => 'pass';
    });
    afterAll(() => proxy[Symbol.asyncDispose]());

    it.each([['POST'], ['DELETE']])('reports a %s with a lost reply as indeterminate', async (verb) => {
      await cluster.bao('POST', `${mount}/${address}`, { a: 'b' });
      const version = versionIn(await failing.read(address, signal));
      proxy.plan = ({ method }) => (method === verb ? 'lose-reply' : 'pass');
      const change =
        verb === 'POST'
          ? failing.write(aDocument(address, { a: 'c' }), version, permitted(signal))
          : failing.delete(address, version, permitted(signal));
      expect(await failureOf(change)).toMatchObject({ code: 'BACKEND_UNREACHABLE', indeterminate: true });
      const found = await failing.read(address, signal);
      if (verb === 'POST') expect(contentOf(presentIn(found)).fields).toEqual({ a: '63' });
      else expect(found).toEqual({ state: 'absent' });
    });

    it('detects a delete that did nothing', async () => {
      const version = await failing.write(aDocument(address, { a: 'b' }), 'absent', permitted(signal));
      proxy.plan = ({ method }) => (method === 'DELETE' ? { status: 204 } : 'pass');
      const error = await failureOf(failing.delete(address, version, permitted(signal)));
      expect(error).toMatchObject({ code: 'SERVER_ERROR', indeterminate: true });
    });

    it.each([
      [404, 'MOUNT_MISSING', '{"errors":["no handler for route"]}'],
      [404, 'REPLY_INVALID', '<html>not found</html>'],
      [200, 'REPLY_INVALID', '<html>please log in</html>'],
      [403, 'AUTH_DENIED', '{"errors":["permission denied"]}'],
      [500, 'SERVER_ERROR', '{"errors":[]}'],
      [503, 'BACKEND_SEALED', '{"errors":[]}'],
    ])('reads a %i as %s, never as absent, and then writes nothing', async (status, code, body) => {
      proxy.plan = ({ method }) => (method === 'GET' ? { status, body } : 'pass');
      expect(await codeOf(failing.read(address, signal))).toBe(code);
      const before = proxy.seen.length;
      expect(await codeOf(failing.write(aDocument(address, { a: 'b' }), 'absent', permitted(signal)))).toBe(
        code,
      );
      const changes = proxy.seen
        .slice(before)
        .filter(({ path, method }) => method === 'POST' && !path.includes('auth'));
      expect(changes).toEqual([]);
    });
  });
}
