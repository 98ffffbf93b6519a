import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import { isProblem } from '#src/backends/listing-problem.ts';
import { guard } from '#src/backends/layers/guard.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { aDocument, codeOf, contentOf, failureOf, presentIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { FaultProxy } from './fault-proxy.ts';
import { noMetrics } from './kube-client.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { permitted } from '#test/support/permit.ts';

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

let proxy: FaultProxy;
let fixture: OpenBaoFixture;
let mount: string;
let driver: Driver;
const AUDIENCE = 'keyferry.io/openbao';
let counter = 0;
let address = '';
const { signal } = new AbortController();

beforeAll(async () => {
  proxy = await FaultProxy.start({ target: cluster.baoUrl, ca: cluster.baoCaPem });
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('faults');
  driver = await aDriver(await fixture.tokenAuth(documentedPolicy(mount)));
});
beforeEach(() => {
  counter += 1;
  address = `doc-${counter}`;
});
afterEach(() => {
  proxy.plan = () => 'pass';
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

/** A driver that uses the proxy and is logged in. */
async function aDriver(auth: Record<string, unknown>): Promise<Driver> {
  const made = fixture.driver({ mount, auth, address: proxy.origin });
  await made.read('warm-up', signal);
  return made;
}

const isWrite = (path: string) => path.startsWith(`/v1/${mount}/data/`);
const calls = (path: string) => proxy.seen.filter((request) => request.path.startsWith(`/v1/${path}`)).length;

/** `auth.kubernetes` with a new role for this test, with the policy of the driver. */
async function kubernetesAuth(role: string): Promise<Record<string, unknown>> {
  await cluster.createKubernetesRole({
    role: `${mount}-${role}`,
    serviceAccounts: ['default'],
    namespaces: [fixture.namespace],
    policy: documentedPolicy(mount),
    audience: AUDIENCE,
  });
  const account = { serviceAccountRef: { name: 'default' }, audiences: [AUDIENCE] };
  return { kubernetes: { role: `${mount}-${role}`, ...account } };
}

describe('the openbao driver in front of a failing server', () => {
  describeReplies();
  describeOrder();
  describeListing();
  describeConnections();
});

function describeReplies(): void {
  it.each([
    [404, 'ENDS_ABSENT', '{"errors":[]}'],
    [404, 'MOUNT_MISSING', '{"errors":["no handler for route"]}'],
    [404, 'REPLY_INVALID', '<html>not found</html>'],
    [404, 'REPLY_INVALID', ''],
    [200, 'REPLY_INVALID', '<html>please log in</html>'],
    [200, 'REPLY_INVALID', '{"data":{"data":{"a":"b"}}}'],
    [302, 'BACKEND_SEALED', ''],
    [307, 'BACKEND_SEALED', ''],
    [400, 'SERVER_ERROR', '{"errors":["Upgrading"]}'],
    [403, 'AUTH_DENIED', '{"errors":["permission denied"]}'],
    [500, 'SERVER_ERROR', '{"errors":["1 error occurred"]}'],
    [502, 'SERVER_ERROR', '<html>bad gateway</html>'],
    [503, 'BACKEND_SEALED', '{"errors":["Vault is sealed"]}'],
  ])('reads a %i as %s when the body is %j', async (status, code, body) => {
    proxy.plan = ({ path }) =>
      isWrite(path) ? { status, body, headers: { location: `${cluster.baoUrl}/v1/x` } } : 'pass';
    if (code === 'ENDS_ABSENT') expect(await driver.read(address, signal)).toEqual({ state: 'absent' });
    else expect(await codeOf(driver.read(address, signal))).toBe(code);
  });

  it('waits as long as the server asks after a 429, and sends the write again', async () => {
    const refused = await aDriver(await fixture.tokenAuth(documentedPolicy(mount)));
    let replies = 0;
    proxy.plan = ({ method }) => {
      replies += method === 'POST' ? 1 : 0;
      return method === 'POST' && replies === 1 ? { status: 429, headers: { 'retry-after': '1' } } : 'pass';
    };
    let asked = 0;
    const counting = { signal, require: () => void (asked += 1) };
    const startedAt = performance.now();
    expect(await refused.write(aDocument(address, { a: 'b' }), 'absent', counting)).toMatchObject({
      revision: '1',
    });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1_000);
    expect(replies).toBe(2);
    expect(asked).toBe(2); // A permit can be lost during the wait.
  });

  it('ends within 1.3 times of requests ÷ quota, with every document written once', async () => {
    const quota = 20;
    const limited = await cluster.createMount('quota');
    const made = fixture.driver({
      mount: limited,
      auth: await fixture.tokenAuth(documentedPolicy(limited)),
      address: cluster.baoUrl,
    });
    const names = Array.from({ length: 80 }, (_, i) => `d-${i}`);
    await collect(made.readMany(names, signal)); // Connects.
    await cluster.bao('POST', `sys/quotas/rate-limit/${limited}`, { path: `${limited}/`, rate: quota });
    const startedAt = performance.now();
    const written = await Promise.all(
      names.map(async (name) => made.write(aDocument(name, { a: 'b' }), 'absent', permitted(signal))),
    );
    expect(performance.now() - startedAt).toBeLessThan((1.3 * names.length * 1_000) / quota);
    expect(written.map(({ revision }) => revision)).toEqual(names.map(() => '1'));
    // Learnt, not exact: each second without a refusal asks for a little more than the last measure.
    expect(made.traits.concurrency).toBeLessThan(1.5 * quota);
    await cluster.bao('DELETE', `sys/quotas/rate-limit/${limited}`);
  });

  it.each([[500], [502], [503], [504], [200]])(
    'reports a write as indeterminate if its reply is a %i without a usable body',
    async (status) => {
      proxy.plan = ({ method }) => (method === 'POST' ? { status, body: '{}' } : 'pass');
      const error = await failureOf(
        driver.write(aDocument(address, { a: 'b' }), 'absent', permitted(signal)),
      );
      expect(error.indeterminate).toBe(true);
    },
  );

  it('reports a write with a lost reply as indeterminate, and a read finds it', async () => {
    proxy.plan = ({ method }) => (method === 'POST' ? 'lose-reply' : 'pass');
    const document = aDocument(address, { a: 'b' });
    const error = await failureOf(driver.write(document, 'absent', permitted(signal)));
    expect(error).toMatchObject({ code: 'BACKEND_UNREACHABLE', indeterminate: true });
    expect(contentOf(presentIn(await driver.read(address, signal)))).toEqual(contentOf(document));
  });
}

function describeOrder(): void {
  it('never writes data before its markers: an attempt that crashes in between leaves the name absent', async () => {
    proxy.plan = ({ path }) => (isWrite(path) ? { status: 500 } : 'pass');
    const binary = aDocument(address, { a: Buffer.from([255]) }, { type: 'kubernetes.io/basic-auth' });
    expect(await codeOf(driver.write(binary, 'absent', permitted(signal)))).toBe('SERVER_ERROR');
    proxy.plan = () => 'pass';
    expect(await driver.read(address, signal)).toEqual({ state: 'absent' });
    await driver.write(binary, 'absent', permitted(signal));
    expect(contentOf(presentIn(await driver.read(address, signal)))).toEqual(contentOf(binary));
  });

  it('keeps the current version readable if a replacement crashes between markers and data', async () => {
    const text = aDocument(address, { a: 'dGV4dA==' });
    const version = await driver.write(text, 'absent', permitted(signal));
    proxy.plan = ({ method, path }) => (method === 'POST' && isWrite(path) ? { status: 500 } : 'pass');
    const binary = aDocument(address, { a: Buffer.from([255]) });
    expect(await codeOf(driver.write(binary, version, permitted(signal)))).toBe('SERVER_ERROR');
    const document = presentIn(await driver.read(address, signal));
    expect(contentOf(document)).toEqual(contentOf(text));
    expect(document.version).toEqual(version);
  });

  it('detects a delete that did nothing', async () => {
    const version = await driver.write(aDocument(address, { a: 'b' }), 'absent', permitted(signal));
    proxy.plan = ({ path }) => (path.startsWith(`/v1/${mount}/delete/`) ? { status: 204 } : 'pass');
    const error = await failureOf(driver.delete(address, version, permitted(signal)));
    expect(error).toMatchObject({ code: 'SERVER_ERROR', indeterminate: true });
  });

  it('distinguishes a refused document from a failed precondition without reading the text of the 400', async () => {
    proxy.plan = ({ method, path }) =>
      method === 'POST' && isWrite(path) ? { status: 400, body: '{"errors":["check-and-set"]}' } : 'pass';
    expect(await codeOf(driver.write(aDocument(address, { a: 'b' }), 'absent', permitted(signal)))).toBe(
      'REQUEST_REJECTED',
    );
    proxy.plan = () => 'pass';
    const version = await driver.write(aDocument(address, { a: 'b' }), 'absent', permitted(signal));
    proxy.plan = ({ method, path }) =>
      method === 'POST' && isWrite(path) ? { status: 400, body: '{"errors":["too complex"]}' } : 'pass';
    expect(await codeOf(driver.write(aDocument(address, { a: 'c' }), version, permitted(signal)))).toBe(
      'REQUEST_REJECTED',
    );
    expect(await codeOf(driver.write(aDocument(address, { a: 'c' }), 'absent', permitted(signal)))).toBe(
      'ALREADY_EXISTS',
    );
  });
}

function describeListing(): void {
  it('reads the other addresses if one of many cannot be read', async () => {
    for (const name of ['one', 'two', 'three']) {
      await driver.write(aDocument(`${address}/${name}`, { name }), 'absent', permitted(signal));
    }
    proxy.plan = ({ path }) => (path.endsWith('/two') ? { status: 500 } : 'pass');
    const wanted = ['one', 'two', 'three'].map((name) => `${address}/${name}`);
    const outcomes = await collect(driver.readMany(wanted, signal));
    expect(outcomes.filter((outcome) => 'result' in outcome)).toHaveLength(2);
    expect(outcomes.find((outcome) => 'error' in outcome)).toMatchObject({
      address: `${address}/two`,
      error: { code: 'SERVER_ERROR' },
    });
  });

  it('lists hostile names and a folder without a usable reply as problems, and goes on', async () => {
    const tree: Readonly<Record<string, unknown>> = {
      'hostile/': { keys: ['', '..', '../', 'a/b', 'bell\u0007', 'broken/', 'gone/', 'good'] },
      'hostile/broken/': { keys: [1] },
    };
    proxy.plan = ({ path }) => {
      const url = new URL(path, proxy.origin);
      if (url.searchParams.get('list') !== 'true') return 'pass';
      const data = tree[`${url.pathname.split('/metadata/')[1] ?? ''}/`];
      return data === undefined
        ? { status: 404, body: '{"errors":[]}' }
        : { status: 200, body: JSON.stringify({ data }) };
    };
    const listed = await collect(driver.list({ folder: 'hostile' }, signal));
    const problems = listed.filter(isProblem).map(({ address: at }) => at);
    expect(problems.toSorted()).toEqual(
      [
        'hostile/',
        'hostile/..',
        'hostile/../',
        'hostile/a/b',
        'hostile/bell\\u{7}',
        'hostile/broken/',
      ].toSorted(),
    );
    expect(listed.filter((each) => !isProblem(each))).toEqual([{ address: 'hostile/good' }]);
  });

  it('follows pages that are shorter than requested, and stops if the server starts again', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const pages: string[] = [];
    proxy.plan = ({ path }) => {
      const url = new URL(path, proxy.origin);
      if (url.searchParams.get('list') !== 'true') return 'pass';
      const after = url.searchParams.get('after') ?? '';
      pages.push(after);
      const keys = names.filter((name) => name > after).slice(0, 2);
      return keys.length === 0
        ? { status: 404, body: '{"errors":[]}' }
        : { status: 200, body: JSON.stringify({ data: { keys } }) };
    };
    const entries = await collect(driver.list({ folder: 'paged' }, signal));
    expect(entries.map((entry) => entry.address)).toEqual(names.map((name) => `paged/${name}`));
    expect(pages).toEqual(['', 'b', 'd', 'e']);
  });
}

function describeConnections(): void {
  describe('keeps a token', () => {
    it('and does not log in again because a policy denies a path', async () => {
      const held = await aDriver(await kubernetesAuth('denied'));
      const before = calls('auth/kubernetes/login');
      const other = fixture.driver({
        mount: 'sys',
        auth: await kubernetesAuth('denied'),
        address: proxy.origin,
      });
      expect(await codeOf(other.read(address, signal))).toBe('AUTH_DENIED');
      expect(await codeOf(other.read(address, signal))).toBe('AUTH_DENIED');
      expect(await held.read(address, signal)).toEqual({ state: 'absent' });
      expect(calls('auth/kubernetes/login') - before).toBe(1);
    });

    it('only if the role exists', async () => {
      const account = { serviceAccountRef: { name: 'default' }, audiences: [AUDIENCE] };
      const auth = { kubernetes: { role: 'nobody', ...account } };
      expect(await codeOf(fixture.driver({ mount, auth }).read(address, signal))).toBe('AUTH_DENIED');
    });
  });

  it('probes everything again after a probe that failed: the server may have other settings now', async () => {
    const probing = await aDriver(await fixture.tokenAuth(documentedPolicy(mount)));
    await probing.probe(signal);
    proxy.plan = ({ path }) => (path === '/v1/sys/health' ? { status: 503 } : 'pass');
    expect(await codeOf(probing.probe(signal))).toBe('BACKEND_SEALED');
    proxy.plan = () => 'pass';
    const before = calls('sys/capabilities-self');
    await probing.probe(signal);
    expect(calls('sys/capabilities-self')).toBeGreaterThan(before);
  });

  describe('trusts', () => {
    it('the bundle in a Secret', async () => {
      const caSecretRef = await fixture.storeSecret('ca.crt', cluster.baoCaPem);
      const auth = await fixture.tokenAuth(documentedPolicy(mount));
      const trusting = fixture.driver({ mount, auth, ca: { caSecretRef } });
      expect(await trusting.read(address, signal)).toEqual({ state: 'absent' });
    });

    it('no other authority, and no other name', async () => {
      const auth = await fixture.tokenAuth(documentedPolicy(mount));
      const wrongCa = fixture.driver({ mount, auth, ca: { caBundle: cluster.apiserverCaPem } });
      expect(await codeOf(wrongCa.read(address, signal))).toBe('TLS_FAILED');
      const ca = { caBundle: cluster.baoCaPem, tlsServerName: 'bao.example.org' };
      expect(await codeOf(fixture.driver({ mount, auth, ca }).read(address, signal))).toBe('TLS_FAILED');
    });
  });

  describe('when guarded', () => {
    const guarded = () =>
      guard(driver, {
        clock: systemClock,
        random: () => 0,
        metrics: noMetrics,
        deadlineMs: 10_000,
      });

    it('retries a read, but never a write', async () => {
      let failures = 2;
      proxy.plan = () => (failures-- > 0 ? { status: 503 } : 'pass');
      expect(await guarded().read(address, signal)).toEqual({ state: 'absent' });
      let writes = 0;
      proxy.plan = ({ method }) => {
        if (method === 'POST') writes += 1;
        return { status: 503 };
      };
      expect(await codeOf(guarded().write(aDocument(address, { a: 'b' }), 'absent', permitted(signal)))).toBe(
        'BACKEND_SEALED',
      );
      expect(writes).toBe(1);
    });
  });
}
