import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';
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
import { changesIn, secretsOf, versionsOf } from './places.ts';
import { LEASE, Replicas, type Replica } from './replicas.ts';
import { report, Rig, withLogOf } from './rig.ts';

const DOCUMENTS = 60;
/** Writes that pass before the rest is held back: the leader is in the middle of it. */
const WRITES_BEFORE = 25;
/** What the issue promises. */
const TAKEOVER_MS = 20_000;
/** A lease that is given back is taken at the next try of the standby, which is 2.4 s away at most. */
const HANDOVER_MS = 6_000;

let rig: Rig;
let tenant: Tenant;
let documents: Documents;
let replicas: Replicas;

beforeAll(async () => {
  rig = await Rig.open();
});

beforeEach(async () => {
  replicas = new Replicas(rig);
  tenant = await rig.tenant();
  documents = someDocuments(DOCUMENTS);
  await plant(tenant, documents);
});

afterEach(async () => {
  await replicas[Symbol.asyncDispose]();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

async function isLeadingByMetric({ operator }: Replica): Promise<boolean> {
  const line = new RegExp(`^leader_election_master_status\\{name="${LEASE}"\\} ([01])$`, 'm');
  return line.exec(await operator.metrics())?.[1] === '1';
}

/** Starts a leader, then a standby, and a migration; returns when the leader hangs in the middle of its writes. */
async function startMidRun() {
  const leader = await replicas.start();
  await replicas.untilLeading(leader, TAKEOVER_MS);
  const standby = await replicas.start();
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

/** A review of the own rights is a POST and changes nothing. */
const REVIEWS = /\/selfsubjectaccessreviews$/;

/** A replica that does not lead looks at the Lease, asks what it may list and fills its caches; that is all. */
async function expectIdle(standby: Replica): Promise<void> {
  expect(await isLeadingByMetric(standby)).toBe(false);
  const changes = standby.kube.requests.filter(({ method, path }) => method !== 'GET' && !REVIEWS.test(path));
  expect(changes.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  expect(await standby.operator.metrics()).not.toMatch(/^secretmigration_backend_requests_total\{/m);
}

it('only one of two works, and when it is killed the other takes over in under 20 s and finishes', async () => {
  const observer = new Observer(documents, [secretsOf(tenant), versionsOf(tenant)], changesIn(rig.history));
  await using _watching = observer.start();
  const { leader, standby, letGo } = await startMidRun();
  await eventually('the metric names the leader', () => isLeadingByMetric(leader));
  await expectIdle(standby);

  await leader.operator.kill();
  const killedAt = performance.now();
  const left = await replicas.lease();
  letGo();
  const taken = await withLogOf(standby.operator, replicas.untilLeading(standby, TAKEOVER_MS));
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
  await withLogOf(standby.operator, replicas.untilLeading(standby, HANDOVER_MS));
  const handoverMs = performance.now() - askedAt;
  report(`asked the leader to stop: the other leads after ${(handoverMs / 1000).toFixed(1)} s`);

  expect(handoverMs).toBeLessThan(HANDOVER_MS);
  await expectFinished(standby.operator);
});
