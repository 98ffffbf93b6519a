import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { conditionOf } from '#test/support/queries.ts';
import type { RequestMatch, Rule } from '#test/support/proxy-rules.ts';
import { isChange, type RecordedRequest } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import {
  plant,
  readStored,
  remainingSources,
  someDocuments,
  storedNames,
  type Documents,
} from './documents.ts';
import { Replicas, type Replica } from './replicas.ts';
import { report, Rig, withLogOf } from './rig.ts';
import { SOURCES, SUBJECT_VALUE, type Subject } from './subjects.ts';

/*
 * A leader that is stopped between every pair of requests from the write of the copy to the removal of the source. One
 * sleep serves all positions: each has a document, whose migration waits there for a reply when the process is stopped. The
 * replies arrive while it sleeps.
 */

const TAKEOVER_MS = 20_000;
const GRACE_SECONDS = 3;
/** From the moment at which it runs again. */
const EXIT_MS = (GRACE_SECONDS + 1) * 1000;
/** Of another migration, which the other replica finishes. */
const DOCUMENTS = 40;
const WRITES_BEFORE = 15;

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.open();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const nameOf = ({ method, path }: RecordedRequest): string => `${method} ${path}`;

/** The requests between the write of the copy and the removal, as a migration sends them that is not disturbed. */
async function requestsBetween(subject: Subject, source: string): Promise<readonly RecordedRequest[]> {
  await subject.start();
  await subject.tenant.untilReady('moving');
  const all = rig.history.requests.filter(subject.isRequest);
  const first = all.findIndex(isChange);
  // The removal of a file is no request.
  const last = source === 'a directory' ? all.length : all.findLastIndex(isChange);
  const between = all.slice(first + 1, last);
  report(`${source}: ${between.map(nameOf).join(', ')}`);
  return between;
}

interface Halted {
  readonly what: string;
  readonly subject: Subject;
  /** The request whose reply waits; undefined until it was sent. */
  readonly reached: () => RecordedRequest | undefined;
}

/** Starts a migration whose n-th request after its write gets a reply only after `until`. */
async function haltAt(leader: Replica, position: Position, until: Promise<unknown>): Promise<Halted> {
  const subject = await position.aSubject(rig);
  let isWritten = false;
  let seen = 0;
  let reached: RecordedRequest | undefined;
  const match: RequestMatch = (request) => {
    if (!subject.isRequest(request)) return false;
    if (isWritten) seen += 1;
    else isWritten = isChange(request);
    if (seen !== position.index + 1) return false;
    reached = request;
    return true;
  };
  for (const proxy of [leader.kube, rig.bao]) proxy.onRequest(match, { kind: 'answer-late', until }, 1);
  await subject.start();
  return { what: position.what, subject, reached: () => reached };
}

interface Position {
  readonly what: string;
  readonly aSubject: (rig: Rig) => Promise<Subject>;
  readonly index: number;
}

/** Every position of every kind of source. */
async function allPositions(): Promise<readonly Position[]> {
  const found = Object.entries(SOURCES).map(async ([source, aSubject]) => {
    const between = await requestsBetween(await aSubject(rig), source);
    // At least the read of the copy and the last proof.
    expect(between.length, source).toBeGreaterThanOrEqual(2);
    return between.map((request, index) => ({
      what: `${source}, after ${nameOf(request)}`,
      aSubject,
      index,
    }));
  });
  return (await Promise.all(found)).flat();
}

/** Starts a migration of many documents; resolves when the leader is in the middle of its writes. */
async function startWriting(tenant: Tenant, until: Promise<unknown>): Promise<Rule> {
  let writes = 0;
  const path = new RegExp(`/data/${tenant.namespace}/`);
  const isLate: RequestMatch = (request) =>
    request.method === 'POST' && path.test(request.path) && ++writes > WRITES_BEFORE;
  const rule = rig.bao.onRequest(isLate, { kind: 'hold', until });
  await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
  await rule.firstHit;
  return rule;
}

async function expectEachOnce(tenant: Tenant, documents: Documents): Promise<void> {
  expect(await remainingSources(tenant, documents)).toEqual([]);
  expect(await storedNames(tenant)).toEqual([...documents.keys()]);
  for (const [name, value] of documents) {
    expect(await readStored(tenant, name), name).toEqual({ value, versions: 1 });
  }
}

/** The user suspends, trusts the status, and removes the copies. */
async function removeCopies(halted: readonly Halted[]): Promise<void> {
  for (const { subject, what } of halted) {
    await eventually(`suspended: ${what}`, async () => {
      const migration = await subject.tenant.migration('moving');
      return conditionOf(migration, 'Suspended')?.status === 'True';
    });
    expect(await subject.atSource(), what).toBe(SUBJECT_VALUE);
    await subject.removeCopy();
  }
}

/**
 * Resolves while the leader waits for the reply to a renewal of its lease, which comes only after `until`. Stopped there,
 * no timer of its own tells it at once that the lease is over: when it runs again, that renewal fails, and the next one is
 * two seconds away.
 */
async function untilRenewing({ kube }: Replica, until: Promise<unknown>): Promise<void> {
  const match = { method: 'PUT', path: /\/leases\/[^/]+$/ };
  await kube.onRequest(match, { kind: 'hold', until }, 1).firstHit;
}

/** Where the value is no longer at its source. */
async function lostOf(halted: readonly Halted[]): Promise<readonly string[]> {
  const lost: string[] = [];
  for (const { subject, what } of halted) {
    const value = await subject.atSource().catch(() => undefined);
    if (value !== SUBJECT_VALUE) lost.push(what);
  }
  return lost;
}

it('a leader that slept anywhere before a removal removes nothing, writes nothing and exits', async () => {
  await using replicas = new Replicas(rig);
  const leader = await replicas.start({
    args: ['--concurrent-migrations=64', `--graceful-shutdown-seconds=${GRACE_SECONDS}`],
  });
  await replicas.untilLeading(leader, TAKEOVER_MS);
  const positions = await withLogOf(leader.operator, allPositions());
  const standby = await replicas.start({ args: ['--concurrent-migrations=64'] });
  const tenant = await rig.tenant();
  const documents = someDocuments(DOCUMENTS);
  await plant(tenant, documents);
  const wake = Promise.withResolvers<void>();
  const writing = await startWriting(tenant, wake.promise);
  const halted = await Promise.all(positions.map(async (each) => haltAt(leader, each, wake.promise)));
  for (const { reached, what } of halted) await eventually(what, () => reached()?.status !== undefined);

  const end = Promise.withResolvers<void>();
  await untilRenewing(leader, end.promise);
  await leader.operator.pause();
  writing.remove();
  wake.resolve();
  for (const { subject } of halted)
    await subject.tenant.mergePatch('SecretMigration', 'moving', { spec: { suspend: true } });
  const taken = await withLogOf(standby.operator, replicas.untilLeading(standby, TAKEOVER_MS));
  await withLogOf(standby.operator, removeCopies(halted));
  await withLogOf(standby.operator, tenant.untilReady('moving'));
  await expectEachOnce(tenant, documents);

  const before = { kube: leader.kube.requests.length, bao: rig.bao.requests.length };
  leader.operator.resume();
  const wokenAt = performance.now();
  const exit = await Promise.race([leader.operator.exited, sleep(EXIT_MS, 'still there', { ref: false })]);
  const exitMs = (performance.now() - wokenAt).toFixed(0);
  report(`${positions.length} positions; the old leader: ${JSON.stringify(exit)} ${exitMs} ms after it woke`);
  end.resolve();
  const sent = [...leader.kube.requests.slice(before.kube), ...rig.bao.requests.slice(before.bao)];
  // All at once: each of them shows what the others mean.
  expect({ exit, sent: sent.filter(isChange).map(nameOf), lost: await lostOf(halted) }).toEqual({
    exit: { code: 1, signal: null },
    sent: [],
    lost: [],
  });
  expect(leader.operator.logs()).toContain('LEASE_LOST');
  expect(await replicas.lease()).toMatchObject({
    holderIdentity: taken.holderIdentity,
    leaseTransitions: taken.leaseTransitions,
  });
  await expectEachOnce(tenant, documents);
});
