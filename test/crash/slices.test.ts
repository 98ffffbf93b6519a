import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { leaseOfSlice, sliceOf } from '#src/runtime/slice-of.ts';
import { aMigration } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvPut } from '#test/support/queries.ts';
import { isChange } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import {
  FIELD,
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
import { report, Rig } from './rig.ts';

/*
 * Replicas that share the work by slices, each in the middle of migrations that remove their sources. Some of them are killed and
 * paused there: the others finish, and nothing is lost or written twice.
 */

const SLICES = 8;
const TENANTS = 6;
const DOCUMENTS = 12;
/** Writes of each tenant that pass before the rest is held back: every replica is in the middle of its migrations. */
const WRITES_BEFORE = 4;
const GRACE_SECONDS = 3;
/** From the moment at which a paused replica runs again. */
const EXIT_MS = (GRACE_SECONDS + 1) * 1000;
const SHARED = { deadlineMs: 60_000 };

interface Moving {
  readonly tenant: Tenant;
  readonly documents: Documents;
}

let rig: Rig;
let replicas: Replicas;
let all: readonly Moving[];

beforeAll(async () => {
  rig = await Rig.open();
});

beforeEach(async () => {
  replicas = new Replicas(rig);
  all = await Promise.all(
    Array.from({ length: TENANTS }, async () => {
      const tenant = await rig.tenant();
      const documents = someDocuments(DOCUMENTS);
      await plant(tenant, documents);
      return { tenant, documents };
    }),
  );
});

afterEach(async () => {
  await replicas[Symbol.asyncDispose]();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Starts replicas; resolves when each holds its part of the slices. */
async function startSharing(count: number): Promise<readonly Replica[]> {
  const args = [`--slices=${SLICES}`, `--graceful-shutdown-seconds=${GRACE_SECONDS}`];
  const started: Replica[] = [];
  for (let index = 0; index < count; index += 1)
    started.push(await replicas.start({ args: [...args, '--concurrent-migrations=16'] }));
  await eventually(
    'the slices are shared evenly',
    async () => {
      const held = new Map<Replica | undefined, number>();
      for (let slice = 0; slice < SLICES; slice += 1) {
        const holder = await replicas.holderOf(leaseOfSlice(LEASE, slice)).catch(() => undefined);
        held.set(holder, (held.get(holder) ?? 0) + 1);
      }
      return started.every((replica) => held.get(replica) === SLICES / count);
    },
    SHARED,
  );
  return started;
}

/** Starts all migrations; resolves when each of them waits for replies to its writes. */
async function startMoving(): Promise<() => void> {
  const release = Promise.withResolvers<void>();
  const rules = all.map(({ tenant }) => {
    const path = new RegExp(`/data/${tenant.namespace}/`);
    let writes = 0;
    return rig.bao.onRequest(
      (request) => request.method === 'POST' && path.test(request.path) && ++writes > WRITES_BEFORE,
      { kind: 'hold', until: release.promise },
    );
  });
  for (const { tenant } of all) await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
  await Promise.all(rules.map(async (rule) => rule.firstHit));
  return () => {
    for (const rule of rules) rule.remove();
    release.resolve();
  };
}

async function expectFinished({ documents, tenant }: Moving): Promise<void> {
  const done = await tenant.untilReady('moving', { status: 'True' }, 120_000);
  expect(done.status.summary).toMatchObject({ removed: DOCUMENTS });
  expect(await remainingSources(tenant, documents)).toEqual([]);
  expect(await storedNames(tenant)).toEqual([...documents.keys()]);
  for (const [name, value] of documents)
    expect(await readStored(tenant, name), name).toEqual({ value, versions: 1 });
}

/** The replicas that work on migrations, those with the most of them first. */
async function busiest(started: readonly Replica[]): Promise<readonly Replica[]> {
  const slices = all.map(({ tenant }) => leaseOfSlice(LEASE, sliceOf(tenant.namespace, SLICES)));
  const holders = await Promise.all(slices.map(async (slice) => replicas.holderOf(slice)));
  const workOf = (replica: Replica): number => holders.filter((holder) => holder === replica).length;
  return started.toSorted((left, right) => workOf(right) - workOf(left));
}

/** It runs again: it may send nothing that changes anything, and ends. */
async function expectNothingOf(paused: Replica): Promise<void> {
  const before = paused.kube.requests.length;
  paused.operator.resume();
  const exit = await Promise.race([paused.operator.exited, sleep(EXIT_MS, 'still there', { ref: false })]);
  const sent = paused.kube.requests.slice(before).filter(isChange);
  expect({ exit, sent: sent.map(({ method, path }) => `${method} ${path}`) }).toEqual({
    exit: { code: 1, signal: null },
    sent: [],
  });
}

it.each([
  { count: 2, kill: 1, pause: 0 },
  { count: 2, kill: 0, pause: 1 },
  { count: 4, kill: 1, pause: 1 },
  { count: 4, kill: 2, pause: 1 },
])(
  'of $count replicas, $kill killed and $pause paused lose and double nothing',
  async ({ count, kill, pause }) => {
    const observers = all.map(
      ({ documents, tenant }) =>
        new Observer(documents, [secretsOf(tenant), versionsOf(tenant)], changesIn(rig.history)),
    );
    await using watching = new AsyncDisposableStack();
    for (const observer of observers) watching.use(observer.start());
    const started = await startSharing(count);
    const letGo = await startMoving();
    const order = await busiest(started);
    const killed = order.slice(0, kill);
    const paused = order.slice(kill, kill + pause);

    await Promise.all(paused.map(async ({ operator }) => operator.pause()));
    await Promise.all(killed.map(async ({ operator }) => operator.kill()));
    const stoppedAt = performance.now();
    letGo();
    await Promise.all(all.map(expectFinished));
    report(
      `${count} replicas, ${kill} killed, ${pause} paused: finished after ${((performance.now() - stoppedAt) / 1000).toFixed(1)} s`,
    );

    for (const replica of paused) await expectNothingOf(replica);
    await Promise.all(all.map(expectFinished));
    await Promise.all(observers.map(async (observer) => observer.freshRound()));
    expect(observers.flatMap(({ violations }) => violations)).toEqual([]);
  },
);

const REMOVALS = `${LEASE}-removals`;
const PREFIXES = [{ from: 'doc-', to: 'new-', stripPrefix: false }];
const RE_KEYING = aMigration('renaming', {
  from: 'bao',
  to: 'bao',
  select: { prefix: 'doc-' },
  mapping: { path: '{namespace}/{name}', prefixes: PREFIXES },
  sourcePolicy: 'Delete',
});

it('replicas that remove sources between two shared stores do so by turns, and all of them come to an end', async () => {
  const started = await startSharing(2);
  for (const { documents, tenant } of all)
    for (const name of documents.keys())
      await kvPut(tenant, `${tenant.namespace}/${name}`, { [FIELD]: `value of ${name}` });
  for (const { tenant } of all) await tenant.apply(RE_KEYING);
  for (const { tenant } of all) {
    const done = await tenant.untilReady('renaming', { status: 'True' }, 120_000);
    expect(done.status.summary).toMatchObject({ removed: DOCUMENTS });
  }
  const workers = await busiest(started);
  const takers = workers.filter(
    ({ kube }) => kube.count({ method: 'PUT', path: new RegExp(`/leases/${REMOVALS}$`) }) > 0,
  );
  expect(takers).toHaveLength(2);
  await eventually(
    'the lock is given back',
    async () => (await replicas.lease(REMOVALS)).holderIdentity === '',
  );
});
