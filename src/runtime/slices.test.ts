import { afterEach, beforeEach, expect, it } from 'vitest';
import { LeaseServer } from '#test/support/lease-server.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { leaseOfSlice, sliceOf } from './slice-of.ts';
import { SliceWork } from './slice-work.ts';
import { Slices } from './slices.ts';
import { Terms } from './terms.ts';

const LEASE = 'keyferry';
/** At least one in each slice. */
const NAMESPACES = Array.from({ length: 40 }, (_, index) => `ns-${index}`);
const OUTLIVED_MS = 20_000;

let clock: ManualClock;
let server: LeaseServer;
let replicas: Replica[];

beforeEach(() => {
  clock = new ManualClock();
  server = new LeaseServer();
  replicas = [];
});

afterEach(() => {
  for (const { stop } of replicas) stop.abort();
});

class Replica {
  readonly identity: string;
  readonly count: number;
  readonly terms = new Terms('Lease keyferry');
  readonly work: SliceWork;
  readonly stop = new AbortController();
  readonly client = new ScriptedKubeClient(server.answer);
  readonly log = new RecordedLog();
  readonly slices: Slices;
  readonly outcome: Promise<string>;
  /** The work of the process, between its beginning and its end. */
  isWorking = false;

  constructor(identity: string, count: number) {
    this.identity = identity;
    this.count = count;
    this.work = new SliceWork(count, false);
    const { client, log: logger, terms, work } = this;
    const metrics = new RecordedMetrics();
    const about = { client, namespace: 'system', leaseName: LEASE, identity, logger, metrics, terms, work };
    this.slices = new Slices({ ...about, count, clock, random: () => 0.5 });
    const lead = async (leading: AbortSignal): Promise<void> => {
      this.isWorking = true;
      await new Promise<void>((resolve) => leading.addEventListener('abort', () => resolve()));
      this.isWorking = false;
    };
    this.outcome = this.slices.run(this.stop.signal, lead).then(
      () => 'stopped',
      (error: { code: string }) => error.code,
    );
  }

  /** The slices that it works on. */
  get open(): readonly number[] {
    const open = NAMESPACES.filter((namespace) => this.work.holds(namespace));
    return [...new Set(open.map((namespace) => sliceOf(namespace, this.count)))].toSorted(
      (left, right) => left - right,
    );
  }

  /** SIGKILL: nothing leaves it any more. */
  kill(): void {
    this.client.request = async () => new Promise(() => undefined);
    replicas.splice(replicas.indexOf(this), 1);
  }
}

function start(identity: string, count: number): Replica {
  const replica = new Replica(identity, count);
  replicas.push(replica);
  return replica;
}

/** Lets the time pass; at no moment do two replicas work on one namespace, or one without its mandate. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    await clock.advance(250);
    for (const namespace of NAMESPACES) {
      const workers = replicas.filter(({ work }) => work.holds(namespace));
      expect(workers.length, `at ${clock.monotonic()} ms, ${namespace}`).toBeLessThanOrEqual(1);
      for (const { terms } of workers) terms.assertHeld();
    }
  }
}

const sharesOf = (all: readonly Replica[]): readonly number[] => all.map(({ open }) => open.length);

it('sends what the election of one leader sends, with one slice: two requests, then a renewal every two seconds', async () => {
  const alone = start('a', 1);
  await pass(10_000);
  const sent = alone.client.requests.map(({ method, path }) => `${method} ${path.split('/').at(-1)}`);
  expect(sent.slice(0, 2)).toEqual(['GET keyferry', 'POST leases']);
  expect(new Set(sent.slice(2))).toEqual(new Set(['PUT keyferry']));
  expect(sent).toHaveLength(7);
  expect(server.leases.get(LEASE)?.metadata.annotations).toBeUndefined();
  expect(alone.work.holds('any')).toBe(true);
});

it('one replica works on all slices, within seconds, and gives all of them back at its end', async () => {
  const alone = start('a', 4);
  await pass(2_000);
  expect(alone.open).toEqual([0, 1, 2, 3]);
  alone.stop.abort();
  await pass(1_000);
  expect(await alone.outcome).toBe('stopped');
  for (const slice of [0, 1, 2, 3]) expect(server.holderOf(leaseOfSlice(LEASE, slice))).toBe('');
});

it('four replicas share eight slices evenly, whichever came first, and none gives more than it must', async () => {
  const first = start('a', 8);
  await pass(3_000);
  expect(first.open).toHaveLength(8);
  const all = [first, start('b', 8), start('c', 8), start('d', 8)];
  await pass(40_000);
  expect(sharesOf(all)).toEqual([2, 2, 2, 2]);
  const before = all.map(({ open }) => open);
  await pass(60_000);
  expect(all.map(({ open }) => open)).toEqual(before);
});

it('what a killed replica held is worked on by the others before 20 seconds are over, and shared evenly then', async () => {
  const all = ['a', 'b', 'c'].map((identity) => start(identity, 6));
  await pass(40_000);
  expect(sharesOf(all)).toEqual([2, 2, 2]);
  const [killed, ...others] = all;
  killed?.kill();
  await pass(OUTLIVED_MS);
  expect(others.flatMap(({ open }) => open).toSorted((left, right) => left - right)).toEqual([
    0, 1, 2, 3, 4, 5,
  ]);
  await pass(20_000);
  expect(sharesOf(others)).toEqual([3, 3]);
});

it('a slice that was given to a replica that is gone comes back to those that work', async () => {
  const first = start('a', 2);
  await pass(3_000);
  const second = start('b', 2);
  const isAsked = (): boolean =>
    [...server.leases.values()].some(
      ({ metadata }) => metadata.annotations?.['keyferry.io/asked-by'] !== undefined,
    );
  while (!isAsked()) await pass(250);
  second.kill();
  await pass(5_000);
  expect(first.open).toHaveLength(1);
  await pass(10_000);
  expect(first.open).toEqual([0, 1]);
});

it('a process that lost one slice has no mandate for any other, and ends', async () => {
  const robbed = start('a', 2);
  await pass(3_000);
  server.hold(leaseOfSlice(LEASE, 1), 'thief');
  replicas = [];
  await pass(2_500);
  expect(await robbed.outcome).toBe('LEASE_LOST');
  expect(() => robbed.terms.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_LOST' }));
});

it('a process that was paused holds no mandate from its first instruction on', async () => {
  const paused = start('a', 2);
  await pass(3_000);
  clock.jump(11_000);
  expect(() => paused.terms.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_LOST' }));
  replicas = [];
  await pass(1_000);
  expect(await paused.outcome).toBe('LEASE_LOST');
});

it.each([
  [1, 4],
  [4, 1],
  [2, 8],
  [8, 2],
])('replicas with %i and with %i slices never work at the same time', async (before, after) => {
  const old = start('old', before);
  await pass(5_000);
  expect(old.open).toHaveLength(before);
  const fresh = start('new', after);
  await pass(40_000);
  expect(fresh.open).toEqual([]);
  expect(old.open).toHaveLength(before);
  old.stop.abort();
  await pass(20_000);
  expect(fresh.open).toHaveLength(after);
});

it('waits for an operator that knows no slices, and for one that died with more of them', async () => {
  server.hold(LEASE, 'of an earlier version');
  const fresh = start('a', 4);
  await pass(10_000);
  expect(fresh.open).toEqual([]);
  await pass(40_000);
  expect(fresh.open).toHaveLength(4);
  fresh.kill();
  const whole = start('b', 1);
  await pass(14_000);
  expect(whole.open).toEqual([]);
  await pass(40_000);
  expect(whole.open).toEqual([0]);
  expect(server.leases.get(LEASE)?.metadata.annotations).toEqual({});
});
