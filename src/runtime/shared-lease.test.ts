import { afterEach, beforeEach, expect, it } from 'vitest';
import { LeaseServer } from '#test/support/lease-server.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { SharedLease } from './shared-lease.ts';
import { Terms } from './terms.ts';

const NAME = 'keyferry-removals';

let clock: ManualClock;
let server: LeaseServer;
let running: string[];
let opened: Terms[];

beforeEach(() => {
  clock = new ManualClock();
  server = new LeaseServer();
  running = [];
  opened = [];
});

afterEach(async () => {
  for (const terms of opened) terms.end();
  await clock.advance(1_000);
});

function process(identity: string) {
  const client = new ScriptedKubeClient(server.answer);
  const terms = new Terms('Lease keyferry');
  opened.push(terms);
  const about = { client, namespace: 'system', name: NAME, identity, logger: new RecordedLog(), terms };
  const lock = new SharedLease({ ...about, clock, random: () => 0.5 });
  const ended: string[] = [];
  /** A task of so many milliseconds, with the mandate; no task of another process may run meanwhile. */
  const run = async (ms: number, signal = new AbortController().signal): Promise<void> =>
    lock.run(async () => {
      terms.assertHeld();
      running.push(identity);
      expect(new Set(running).size, running.join()).toBe(1);
      await clock.sleep(ms, new AbortController().signal);
      running.splice(running.indexOf(identity), 1);
      ended.push(identity);
    }, signal);
  return { client, ended, run, terms };
}

it('runs tasks of one process side by side, under one Lease that is given back once there are none', async () => {
  const { client, ended, run } = process('a');
  const all = Promise.all([run(200), run(200), run(200)]);
  await clock.advance(400);
  await all;
  expect(ended).toHaveLength(3);
  expect(server.holderOf(NAME)).toBe('a');
  expect(client.requests.map(({ method }) => method)).toEqual(['GET', 'POST']);
  await clock.advance(3_000);
  expect(server.holderOf(NAME)).toBe('');
  const sent = client.requests.length;
  await clock.advance(60_000);
  expect(client.requests).toHaveLength(sent);
});

it('lets processes with tasks without end take turns, and never runs tasks of two of them', async () => {
  const all = ['a', 'b', 'c'].map(process);
  const stop = new AbortController();
  const busy = async ({ run }: (typeof all)[number]): Promise<void> => {
    while (!stop.signal.aborted) await run(300);
  };
  const working = all.flatMap((each) => [busy(each), busy(each)]);
  await clock.advance(90_000);
  stop.abort();
  await clock.advance(40_000);
  await Promise.all(working);
  for (const { ended } of all) expect(ended.length).toBeGreaterThan(40);
});

it('takes the lock of a process that was killed once its Lease was not renewed for its duration', async () => {
  const dead = process('a');
  void dead.run(1_000_000);
  await clock.advance(500);
  dead.client.request = async () => new Promise(() => undefined);
  running = [];
  const { ended, run } = process('b');
  const task = run(100);
  await clock.advance(14_000);
  expect(ended).toEqual([]);
  await clock.advance(6_000);
  await task;
  expect(ended).toEqual(['b']);
});

it('a task that is stopped while it waits never begins, and nobody competes for it any more', async () => {
  const holder = process('a');
  const long = holder.run(30_000);
  await clock.advance(500);
  const { client, ended, run } = process('b');
  const stop = new AbortController();
  const refused = run(100, stop.signal).catch((thrown: unknown) => thrown);
  await clock.advance(2_000);
  stop.abort(new Error('stopped'));
  expect(await refused).toMatchObject({ message: 'stopped' });
  await clock.advance(2_000);
  const sent = client.requests.length;
  await clock.advance(28_000);
  await long;
  expect(ended).toEqual([]);
  expect(client.requests).toHaveLength(sent);
});

it('a process that lost the lock to another one has no mandate for anything', async () => {
  const { run, terms } = process('a');
  const lost = terms.lost.catch((thrown: unknown) => thrown);
  void run(60_000);
  await clock.advance(500);
  server.hold(NAME, 'thief');
  await clock.advance(2_500);
  expect(() => terms.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_LOST' }));
  expect(await lost).toMatchObject({ code: 'LEASE_LOST' });
});
