import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT, uniqueName } from '#test/cluster/cluster.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { fieldsOf, MANY, plantMany, sourceNames, wholeNames } from './documents.ts';
import { Gate, holdRemovals, holdWrites } from '#test/support/gate.ts';
import { untilNoticed } from './operator-state.ts';
import { SilentServers } from '#test/support/silent-server.ts';
import { kvNames } from '#test/support/queries.ts';
import { OtherServers } from '#test/support/other-servers.ts';
import { useStage } from '#test/support/stage.ts';

const stage = useStage();

/** How long a leader goes on without having renewed its Lease. */
const RENEW_DEADLINE_MS = 10_000;

function backendOf(tenant: Tenant, name: string, tokenSecret = 'bao-token', address = stage().bao.url) {
  const { cluster, mount } = tenant;
  return anOpenBaoBackend({ name, mount, tokenSecret, address, caBundle: cluster.baoCaPem });
}

/** A backend `login`, for which the operator gets a token of its own. */
async function applyLoginBackend(tenant: Tenant): Promise<void> {
  const { cluster, namespace, mount } = tenant;
  const mountPath = uniqueName('kubernetes');
  const role = uniqueName('role');
  await cluster.enableKubernetesAuth(mountPath);
  const audience = 'keyferry.io/openbao';
  const subjects = { serviceAccounts: ['default'], namespaces: [namespace], audience };
  await cluster.createKubernetesRole({ ...subjects, role, mountPath, policy: documentedPolicy(mount) });
  const account = { serviceAccountRef: { name: 'default' }, audiences: [audience] };
  const kubernetes = { mountPath, role, ...account };
  const server = { address: stage().bao.url, mount, caBundle: cluster.baoCaPem };
  await tenant.apply({
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name: 'login' },
    spec: { type: 'openbao', openbao: { ...server, auth: { kubernetes } } },
  });
}

function leasePath(): string {
  const { namespace } = OPERATOR_ACCOUNT;
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/keyferry-operator`;
}

/** As if another replica had taken over. */
async function takeLease({ cluster }: Tenant): Promise<void> {
  const taken = { spec: { holderIdentity: 'another-replica' } };
  await cluster.kube('PATCH', leasePath(), taken, { 'content-type': 'application/merge-patch+json' });
}

/** It changes something; giving a token back does not. */
function isChange({ method, path }: RecordedRequest): boolean {
  return !['GET', 'LIST'].includes(method) && !/\/(capabilities-self|revoke-self)$/.test(path);
}

/** As if the time had passed in which nobody may take the Lease of an operator that vanished. */
async function loseLease({ cluster }: Tenant): Promise<void> {
  await cluster.kube('DELETE', leasePath());
}

/**
 * Kills the API server, and hides the new one until it is ready, as any balancer does: before that it refuses what it has
 * not read the roles for. `restore` says how many milliseconds it was away.
 */
async function cutOff({ cluster }: Tenant): Promise<{ restore(): Promise<number> }> {
  stage().allowErrors(/"LEASE_LOST".*"operator failed"/);
  const startedAt = performance.now();
  const cut = stage().api.onRequest(() => true, { kind: 'drop-before' });
  await cluster.kill('apiserver');
  return {
    restore: async () => {
      await cluster.restart('apiserver');
      cut.remove();
      return performance.now() - startedAt;
    },
  };
}

/** The reasons and messages of Ready that were seen until `isOver`. */
async function saidUntil(tenant: Tenant, name: string, isOver: (reason: string) => boolean) {
  const seen: { readonly reason: string; readonly message: string; readonly verified: number }[] = [];
  await eventually(
    `${name} is over`,
    async () => {
      const { status } = await tenant.migration(name);
      const { reason = '', message = '' } = status.conditions?.find(({ type }) => type === 'Ready') ?? {};
      seen.push({ reason, message, verified: status.summary?.verified ?? 0 });
      return isOver(reason);
    },
    { deadlineMs: 30_000 },
  );
  return seen;
}

describe('a server with a quota', () => {
  it('is obeyed: the run goes on, shows the rate and ends in time', async () => {
    const tenant = await stage().tenant();
    const { cluster, mount } = tenant;
    await plantMany(tenant, 'db', 30);
    const quota = `sys/quotas/rate-limit/${mount}`;
    await cluster.bao('POST', quota, { path: `${mount}/`, rate: 20 });
    await tenant.apply(aMigration('slow'));
    const seen = await saidUntil(tenant, 'slow', (reason) => reason === 'Completed');
    await cluster.bao('DELETE', quota);

    const requests = stage().bao.requests.filter(({ path }) => path.startsWith(`/v1/${mount}/data/`));
    const accepted = requests.filter(({ status }) => status !== 429).map(({ arrivedAt }) => arrivedAt);
    const tookMs = Math.max(...accepted) - Math.min(...accepted);
    expect(tookMs).toBeLessThan((1.3 * accepted.length * 1_000) / 20);
    expect(new Set(seen.map(({ reason }) => reason))).toEqual(new Set(['', 'Progressing', 'Completed']));
    expect(seen.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/keys verified; SecretBackend .*bao accepts about \d+ requests a second\.$/),
    );
    expect(seen.map(({ verified }) => verified)).toEqual(
      seen.map(({ verified }) => verified).toSorted((a, b) => a - b),
    );
    expect(await wholeNames(tenant)).toHaveLength(30);
  });
});

describe('forty backends of servers that never answer', () => {
  it('do not delay a new backend and migration of another namespace', async () => {
    await using silent = await SilentServers.open(40);
    const hostile = await stage().tenant();
    const server = { mount: 'kv', caBundle: hostile.cluster.baoCaPem };
    const backends = silent.addresses.map((address, index) =>
      anOpenBaoBackend({ ...server, name: `silent-${index}`, address }),
    );
    for (const backend of backends) await hostile.apply(backend);
    await eventually('the operator waits for answers', () => silent.connections > 0);

    const victim = await stage().tenant();
    await victim.apply(aSecret('db', fieldsOf('db')));
    await victim.apply(aMigration('quick'));
    await victim.untilReady('quick', { status: 'True', reason: 'Completed' }, 5_000);
    for (const { metadata } of backends) await hostile.delete('SecretBackend', metadata.name);
  });
});

async function reasonOf(tenant: Tenant, name: string): Promise<string | undefined> {
  const { conditions = [] } = (await tenant.migration(name)).status;
  return conditions.find(({ type }) => type === 'Ready')?.reason;
}

describe('a worker', () => {
  it('is not held by servers that hang: a migration of another namespace is done meanwhile', async () => {
    const hostile = await Promise.all(Array.from({ length: 4 }, async () => stage().tenant()));
    const victim = await stage().tenant();
    await plantMany(victim, 'small', 5);
    for (const tenant of hostile) await plantMany(tenant, 'doc', 6);
    const gates = hostile.map((tenant) => holdWrites(stage(), tenant));
    for (const tenant of hostile) await tenant.apply(aMigration('hangs'));
    await Promise.all(gates.map(async ({ arrival }) => arrival));
    await victim.apply(aMigration('quick'));
    await victim.untilReady('quick', { status: 'True', reason: 'Completed' }, 5_000);

    for (const tenant of hostile) expect(await reasonOf(tenant, 'hangs')).not.toBe('Completed');
    for (const gate of gates) gate.open();
    for (const tenant of hostile) {
      await tenant.untilReady('hangs', { status: 'True', reason: 'Completed' });
      expect(await wholeNames(tenant)).toHaveLength(6);
    }
  });

  it('is handed on by large migrations, which go on where they were', async () => {
    const tenants = await Promise.all(Array.from({ length: 4 }, async () => stage().tenant()));
    for (const tenant of tenants) {
      await plantMany(tenant, 'doc', 40);
      const quota = { path: `${tenant.mount}/`, rate: 10 };
      await tenant.cluster.bao('POST', `sys/quotas/rate-limit/${tenant.mount}`, quota);
      await tenant.apply(aMigration('large', { select: { prefix: 'doc' } }));
    }
    const firstWrite = (mount: string) => async () =>
      stage().bao.requests.some(({ path }) => path.startsWith(`/v1/${mount}/data/`));
    for (const { mount } of tenants) await eventually('all four have begun', firstWrite(mount));
    const victim = await stage().tenant();
    await plantMany(victim, 'small', 5);
    await victim.apply(aMigration('quick', { select: { prefix: 'small' } }));
    await victim.untilReady('quick', { status: 'True', reason: 'Completed' });
    for (const tenant of tenants) expect(await reasonOf(tenant, 'large')).not.toBe('Completed');
    for (const tenant of tenants) {
      await tenant.cluster.bao('DELETE', `sys/quotas/rate-limit/${tenant.mount}`);
      await tenant.untilReady('large', { status: 'True', reason: 'Completed' }, 30_000);
      expect(await wholeNames(tenant)).toHaveLength(40);
    }
  });
});

describe('a backend', () => {
  it('that is not there yet is waited for: the migration goes on when it is created', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', fieldsOf('db')));
    await tenant.apply(aMigration('early', { to: 'later' }));
    const waiting = await tenant.untilReady('early', { status: 'False', reason: 'BackendNotFound' });
    const [ready] = waiting.status.conditions ?? [];
    expect(ready?.message).toContain(`SecretBackend ${tenant.namespace}/later`);

    await tenant.apply(backendOf(tenant, 'later'));
    await tenant.untilReady('early', { status: 'True', reason: 'Completed' });
    expect(await wholeNames(tenant)).toEqual(['db']);
  });

  it('that has come is no longer complained of while the run goes on', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', fieldsOf('db')));
    using removals = holdRemovals(stage(), tenant);
    await tenant.apply(aMigration('early', { to: 'later', sourcePolicy: 'Delete' }));
    await tenant.untilReady('early', { status: 'False', reason: 'BackendNotFound' });
    await tenant.apply(backendOf(tenant, 'later'));
    await removals.arrival;
    const [ready] = (await tenant.migration('early')).status.conditions ?? [];
    expect(ready).toMatchObject({ type: 'Ready', status: 'Unknown', reason: 'Progressing' });

    removals.open();
    await tenant.untilReady('early', { status: 'True', reason: 'Completed' });
  });

  it('that lacks its credentials is waited for: the migration goes on when they are created', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', fieldsOf('db')));
    await tenant.apply(backendOf(tenant, 'locked', 'key-ring'));
    await tenant.apply(
      aMigration('early', { to: 'locked', select: { names: ['db'] }, sourcePolicy: 'Delete' }),
    );
    await tenant.untilReady('early', { status: 'False', reason: 'BackendNotReady' });

    const token = (await tenant.secret('bao-token'))?.data?.['token'] ?? '';
    await tenant.apply(aSecret('key-ring', { token: Buffer.from(token, 'base64') }));
    await tenant.untilReady('early', { status: 'True', reason: 'Completed' });
    expect(await wholeNames(tenant)).toEqual(['db']);
    expect(await sourceNames(tenant)).toEqual(['key-ring']);
  });

  it('that is deleted in the middle of a run ends it between two documents, until there is one again', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using writes = holdWrites(stage(), tenant);
    await tenant.apply(aMigration('orphan', { sourcePolicy: 'Delete' }));
    await writes.arrival;
    await untilNoticed(stage().operator, async () => tenant.delete('SecretBackend', 'bao'));
    writes.open();
    const waiting = await tenant.untilReady('orphan', { status: 'False', reason: 'BackendNotFound' });
    const written = await wholeNames(tenant);
    expect(written.length).toBe(writes.arrivals);
    expect(written.length).toBeLessThan(MANY);
    expect(waiting.status.summary).toMatchObject({ verified: 2 * written.length, removed: 0 });
    expect(await sourceNames(tenant)).toEqual(names);

    await tenant.apply(backendOf(tenant, 'bao'));
    await tenant.untilReady('orphan', { status: 'True', reason: 'Completed' });
    expect(await wholeNames(tenant)).toEqual(names);
    expect(await sourceNames(tenant)).toEqual([]);
  });

  it('whose spec changes in the middle of a run ends it; the next one goes where the new spec says', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using writes = holdWrites(stage(), tenant);
    await tenant.apply(aMigration('moved'));
    await writes.arrival;
    await untilNoticed(stage().operator, async () =>
      tenant.mergePatch('SecretBackend', 'bao', { spec: { openbao: { pathPrefix: 'new/home' } } }),
    );
    writes.open();
    await tenant.untilReady('moved', { status: 'True', reason: 'Completed' });
    expect((await wholeNames(tenant)).length).toBeLessThan(MANY);
    expect(await kvNames(tenant, `new/home/${tenant.namespace}`)).toEqual(names);
  });
});

// Before the API server is killed: after that, the controller manager takes long to make a namespace ready.
describe('the address of a backend', () => {
  it('that leads to the machine of the operator is refused, unless an administrator allows it', async () => {
    await stage().restartOperator({ KEYFERRY_ALLOW_CONNECT_TO: '' });
    const tenant = await stage().tenant();
    const asked = stage().bao.requests.length;
    // Other notations are not on the list of the admission policy; src/io/connect-rules.test.ts has them.
    const address = `https://[::1]:${new URL(stage().bao.url).port}`;
    await tenant.apply(backendOf(tenant, 'six', 'bao-token', address));
    for (const name of ['bao', 'six']) {
      const { message } = await readyOfBackend(tenant, name, 'AddressForbidden');
      expect(message).toContain('ask an administrator to allow it with --allow-connect-to');
    }
    expect(stage().bao.requests.length).toBe(asked);
    await stage().restartOperator();
    await readyOfBackend(tenant, 'bao', 'Available');
  });
});

describe('a backend that gives no usable answer', () => {
  it('looks the same whatever is at its address, and the log tells the administrator what it is', async () => {
    await using replies = await OtherServers.start();
    const tenant = await stage().tenant();
    const { mount, cluster } = tenant;
    const other = { 'wrong-ca': stage().bao.url, 'another-api': cluster.apiserverUrl };
    const addresses = { ...replies.addresses, ...other };
    for (const [name, address] of Object.entries(addresses)) {
      const caBundle = name in other ? cluster.apiserverCaPem : cluster.baoCaPem;
      const backend = anOpenBaoBackend({ name, mount, address, caBundle });
      const openbao = { ...backend.spec.openbao, requestTimeoutSeconds: 1 };
      await tenant.apply({ ...backend, spec: { ...backend.spec, openbao } });
    }
    const shown: string[] = [];
    for (const [name, address] of Object.entries(addresses)) {
      const { message } = await readyOfBackend(tenant, name, 'BackendUnavailable');
      shown.push(message.replace(address, 'ADDRESS'));
    }
    expect(new Set(shown)).toEqual(
      new Set([
        'The server cannot be reached, or it is not the server that the settings describe (ADDRESS). Check address, port, CA and network policy; an administrator finds the cause in the log of the operator. See https://keyferry.io/docs/reasons#backendunavailable.',
      ]),
    );
    const logs = stage().operator.logs();
    expect(logs).toMatch(
      /"TLS_FAILED".*UNABLE_TO_VERIFY_LEAF_SIGNATURE|"TLS_FAILED".*SELF_SIGNED|"TLS_FAILED".*UNABLE_TO/,
    );
    expect(logs).toMatch(/ECONNREFUSED at 127\.0\.0\.1:/);
    expect(logs).toContain('"DEADLINE"');
  });
});

async function readyOfBackend(tenant: Tenant, name: string, reason: string) {
  return await eventually(`${name} is ${reason}`, async () => {
    const { conditions = [] } = (await tenant.backend(name)).status;
    const ready = conditions.find((condition) => condition.type === 'Ready');
    if (ready?.reason === reason) return ready;
    throw new Error(JSON.stringify(ready));
  });
}

describe('the loss of the Lease', () => {
  it('ends the process at once: a reconcile in flight opens no backend, logs in nowhere and writes nothing', async () => {
    const tenant = await stage().tenant();
    await applyLoginBackend(tenant);
    const isReady = async (): Promise<boolean> =>
      (await tenant.backend('login')).status.conditions?.[0]?.status === 'True';
    await eventually('the backend is Ready', isReady);
    using reads = new Gate(stage().api, { method: 'GET', path: /\/secretbackends\/login$/ });
    await tenant.mergePatch('SecretBackend', 'login', { spec: { openbao: { pathPrefix: 'other' } } });
    await reads.arrival;
    const { operator, api, bao } = stage();
    stage().allowErrors(/"LEASE_LOST".*"operator failed"/);
    await takeLease(tenant);
    await eventually('it notices', () => operator.logs().includes('LEASE_LOST'));
    const [seenByApi, seenByBao] = [api.requests.length, bao.requests.length];
    reads.open();

    await eventually('the process is gone', () => !operator.isRunning, { deadlineMs: 5_000 });
    expect(await operator.exited).toEqual({ code: 1, signal: null });
    const after = [...api.requests.slice(seenByApi), ...bao.requests.slice(seenByBao)];
    expect(after.filter(isChange).map(({ method, path }) => `${method} ${path}`)).toEqual([]);

    await loseLease(tenant);
    await stage().restartOperator();
  });
});

describe('an outage', () => {
  it('of OpenBao, sealed in the middle of a run, is waited for', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using writes = holdWrites(stage(), tenant);
    await tenant.apply(aMigration('sealed', { sourcePolicy: 'Delete' }));
    await writes.arrival;
    await tenant.cluster.seal();
    writes.open();
    const waiting = await tenant.untilReady('sealed', { status: 'False', reason: 'BackendNotReady' });
    expect(waiting.status.conditions?.[0]?.message).toContain('BackendSealed');
    expect(waiting.status.summary).toMatchObject({ removed: 0 });
    expect(await sourceNames(tenant)).toEqual(names);

    await tenant.cluster.unseal();
    await tenant.untilReady('sealed', { status: 'True', reason: 'Completed' });
    expect(await wholeNames(tenant)).toEqual(names);
    expect(await sourceNames(tenant)).toEqual([]);
  });

  it('of the API server for some seconds in the middle of a run is survived', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using removals = holdRemovals(stage(), tenant);
    await tenant.apply(aMigration('cut-off', { sourcePolicy: 'Delete' }));
    await removals.arrival;
    const outage = await cutOff(tenant);
    removals.open();
    const lastedMs = await outage.restore();
    const survived = stage().operator.isRunning;
    expect(survived || lastedMs > RENEW_DEADLINE_MS, `operator after ${lastedMs} ms`).toBe(true);
    // On a machine that slow the Lease ran out, and a kubelet would do this.
    if (!survived) await stage().restartOperator();

    const done = await tenant.untilReady('cut-off', { status: 'True', reason: 'Completed' });
    expect(done.status.summary).toMatchObject({ total: 2 * MANY, removed: 2 * MANY });
    expect(await wholeNames(tenant)).toEqual(names);
    expect(await sourceNames(tenant)).toEqual([]);
  });

  it('of the API server that outlasts the Lease ends the operator; the next one completes the work', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using removals = holdRemovals(stage(), tenant);
    await tenant.apply(aMigration('abandoned', { sourcePolicy: 'Delete' }));
    await removals.arrival;
    const outage = await cutOff(tenant);
    removals.open();
    expect(await stage().operator.exited).toEqual({ code: 1, signal: null });

    await outage.restore();
    expect(await wholeNames(tenant)).toEqual(names);
    await loseLease(tenant);
    await stage().restartOperator();
    const done = await tenant.untilReady('abandoned', { status: 'True', reason: 'Completed' });
    expect(done.status.summary).toMatchObject({ total: 2 * MANY, removed: 2 * MANY });
    expect(await wholeNames(tenant)).toEqual(names);
    expect(await sourceNames(tenant)).toEqual([]);
  });
});
