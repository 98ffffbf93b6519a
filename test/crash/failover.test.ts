import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';
import type { OperatorOptions, OperatorProcess } from '#test/support/operator-process.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import type { Tenant } from '#test/support/tenant.ts';
import {
  plant,
  readStored,
  remainingSources,
  someDocuments,
  storedNames,
  type Documents,
} from './documents.ts';
import { Observer } from './observer.ts';
import { report, Rig, withLogOf } from './rig.ts';

const LEASE = 'keyferry-operator';
const DOCUMENTS = 90;
/** Writes that pass before the rest is held back: the leader is in the middle of it. */
const WRITES_BEFORE = 40;
/** What the issue promises. */
const TAKEOVER_MS = 20_000;
/** A lease that is given back is taken at the next try of the standby, which is 2.4 s away at most. */
const HANDOVER_MS = 6_000;
/** From the moment at which a leader that slept too long runs again. */
const EXIT_MS = 5_000;

let rig: Rig;
let tenant: Tenant;
let documents: Documents;
const proxies: RecordingProxy[] = [];
const operators: OperatorProcess[] = [];

beforeAll(async () => {
  rig = await Rig.open();
});

beforeEach(async () => {
  tenant = await rig.tenant();
  documents = someDocuments(DOCUMENTS);
  await plant(tenant, documents);
});

afterEach(async () => {
  for (const operator of operators.splice(0)) await operator.kill();
  for (const proxy of proxies.splice(0)) await proxy[Symbol.asyncDispose]();
  // Who was killed holds it for 15 s; the next test starts without.
  await rig.cluster.kubeClient.reply('DELETE', leasePath());
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** A replica with a proxy of its own in front of the apiserver, so that its requests are told from the others'. */
interface Replica {
  readonly operator: OperatorProcess;
  readonly kube: RecordingProxy;
}

async function startReplica(options: OperatorOptions = {}): Promise<Replica> {
  const kube = await startProxy(rig.cluster, 'apiserver');
  proxies.push(kube);
  const operator = await rig.operator({ apiserverUrl: kube.url, ...options });
  operators.push(operator);
  return { operator, kube };
}

function leasePath(): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/leases/${LEASE}`;
}

interface Lease {
  readonly spec: {
    readonly holderIdentity: string;
    readonly acquireTime: string;
    readonly renewTime: string;
    readonly leaseTransitions: number;
  };
}

async function readLease(): Promise<Lease['spec']> {
  return (await rig.cluster.kube<Lease>('GET', leasePath())).spec;
}

function holds(lease: Lease['spec'], { operator }: Replica): boolean {
  return lease.holderIdentity.startsWith(`${operator.identity}_`);
}

async function untilLeading(replica: Replica, deadlineMs: number): Promise<Lease['spec']> {
  return await eventually(
    `${replica.operator.identity} holds the lease`,
    async () => {
      const lease = await readLease();
      return holds(lease, replica) ? lease : undefined;
    },
    { deadlineMs },
  );
}

async function isLeadingByMetric({ operator }: Replica): Promise<boolean> {
  const line = new RegExp(`^leader_election_master_status\\{name="${LEASE}"\\} ([01])$`, 'm');
  return line.exec(await operator.metrics())?.[1] === '1';
}

/** Starts a leader, then a standby, and a migration; returns when the leader hangs in the middle of its writes. */
async function startMidRun() {
  const leader = await startReplica();
  await untilLeading(leader, TAKEOVER_MS);
  const standby = await startReplica();
  let writes = 0;
  const isLateWrite = { method: 'POST', path: new RegExp(`/data/${tenant.namespace}/`) };
  const release = Promise.withResolvers<void>();
  const rule = rig.bao.onRequest(
    ({ method, path }) =>
      method === isLateWrite.method && isLateWrite.path.test(path) && ++writes > WRITES_BEFORE,
    { kind: 'hold', until: release.promise },
  );
  await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
  await withLogOf(
    leader.operator,
    eventually('the leader is in the middle of it', () => rule.hits > 0),
  );
  /** Lets the held writes go, and all later ones. */
  const letGo = (): void => {
    rule.remove();
    release.resolve();
  };
  return { leader, standby, letGo };
}

async function expectFinished(operator: OperatorProcess): Promise<void> {
  const done = await withLogOf(operator, tenant.untilReady('moving'));
  expect(done.status.progress).toBe(`${DOCUMENTS}/${DOCUMENTS}`);
  expect(done.status.summary).toMatchObject({ removed: DOCUMENTS });
  expect(await remainingSources(tenant, documents)).toEqual([]);
  await expectEachOnce();
}

async function expectEachOnce(): Promise<void> {
  expect(await storedNames(tenant)).toEqual([...documents.keys()]);
  for (const [name, value] of documents) {
    expect(await readStored(tenant, name), name).toEqual({ value, versions: 1 });
  }
}

/** A replica that does not lead looks at the Lease and fills its caches; that is all. */
async function expectIdle(standby: Replica): Promise<void> {
  expect(await isLeadingByMetric(standby)).toBe(false);
  const changes = standby.kube.requests.filter(({ method }) => method !== 'GET');
  expect(changes.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  expect(await standby.operator.metrics()).not.toMatch(/^secretmigration_backend_requests_total\{/m);
}

it('only one of two works, and when it is killed the other takes over in under 20 s and finishes', async () => {
  const observer = new Observer(tenant, documents);
  await using _watching = observer.start();
  const { leader, standby, letGo } = await startMidRun();
  await eventually('the metric names the leader', () => isLeadingByMetric(leader));
  await expectIdle(standby);

  await leader.operator.kill();
  const killedAt = performance.now();
  const left = await readLease();
  letGo();
  const taken = await withLogOf(standby.operator, untilLeading(standby, TAKEOVER_MS));
  const takeoverMs = performance.now() - killedAt;
  report(`killed the leader: the other leads after ${(takeoverMs / 1000).toFixed(1)} s`);

  expect(takeoverMs).toBeLessThan(TAKEOVER_MS);
  // Not too early, either: the lease of the dead had to run out first.
  expect(Date.parse(taken.acquireTime) - Date.parse(left.renewTime)).toBeGreaterThanOrEqual(15_000);
  expect(taken.leaseTransitions).toBe(left.leaseTransitions + 1);
  // The lease is written before the replica hears that it was: its own word may follow a moment later.
  await eventually('the metric says so too', () => isLeadingByMetric(standby));
  await expectFinished(standby.operator);
  await observer.freshRound();
  expect(observer.violations).toEqual([]);
});

it('a leader that is asked to stop ends its work, hands over at once and exits with 0', async () => {
  const { leader, standby, letGo } = await startMidRun();
  const stopped = leader.operator.stop();
  const askedAt = performance.now();
  letGo();
  expect(await stopped).toEqual({ code: 0, signal: null });
  await withLogOf(standby.operator, untilLeading(standby, HANDOVER_MS));
  const handoverMs = performance.now() - askedAt;
  report(`asked the leader to stop: the other leads after ${(handoverMs / 1000).toFixed(1)} s`);

  expect(handoverMs).toBeLessThan(HANDOVER_MS);
  await expectFinished(standby.operator);
});

it('a leader that slept past its lease exits by itself when it wakes up, and nothing is written twice', async () => {
  const { leader, standby, letGo } = await startMidRun();
  leader.operator.signal('SIGSTOP');
  // Its writes under way arrive while it sleeps; it learns of them when another has taken over long ago.
  letGo();
  const taken = await withLogOf(standby.operator, untilLeading(standby, TAKEOVER_MS));
  await expectFinished(standby.operator);

  const asleep = leader.kube.requests.length;
  leader.operator.signal('SIGCONT');
  const wokenAt = performance.now();
  expect(await withLogOf(leader.operator, leader.operator.exited)).toEqual({ code: 1, signal: null });
  const exitMs = performance.now() - wokenAt;
  report(`woke the old leader: it exited after ${(exitMs / 1000).toFixed(1)} s`);
  expect(exitMs).toBeLessThan(EXIT_MS);
  expect(leader.operator.logs()).toContain('LEASE_LOST');
  const changes = leader.kube.requests.slice(asleep).filter(({ method }) => method !== 'GET');
  expect(changes.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  const now = await readLease();
  expect(now.holderIdentity).toBe(taken.holderIdentity);
  expect(now.leaseTransitions).toBe(taken.leaseTransitions);
  await expectEachOnce();
});
