import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { Deadline } from './deadline.ts';
import { ServerSlots, type Slot } from './server-slots.ts';
import { SlotsByServer } from './slots-by-server.ts';

const never = (): AbortSignal => new AbortController().signal;

/** Slots of a server, and who got one, in order. */
function aServer(most: number) {
  const clock = new ManualClock();
  const slots = new ServerSlots({ clock, most });
  const held: Slot[] = [];
  const log: string[] = [];
  const ask = async (name: string, run: AbortSignal): Promise<void> => {
    held.push(await slots.acquire(run));
    log.push(name);
  };
  return { clock, slots, held, log, ask };
}

describe('slots at a server', () => {
  it('go to all runs alternately, however many requests one of them has', async () => {
    const { ask, held, log } = aServer(1);
    const [large, small] = [never(), never()];
    const asked = Array.from('abcdefgh').map(async (name) => ask(`large ${name}`, large));
    asked.push(ask('small a', small), ask('small b', small));
    for (let each = 0; each < 5; each += 1) {
      await settle();
      held.shift()?.ended('answered');
    }
    await settle();
    expect(log.slice(0, 5)).toEqual(['large a', 'large b', 'small a', 'large c', 'small b']);
  });

  it('are never more than the width, and all requests get one, however they end', async () => {
    const ends = fc.constantFrom('answered', 'overloaded', 'unknown', 'abort' as const);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.array(ends, { maxLength: 60 }),
        async (most, all) => {
          const { clock, slots } = aServer(most);
          let atOnce = 0;
          const done = all.map(async (how, each) => {
            const stop = new AbortController();
            if (how === 'abort' && each % 2 === 0) stop.abort(new Error('stopped'));
            using slot = await slots.acquire(stop.signal);
            atOnce += 1;
            expect(atOnce).toBeLessThanOrEqual(most);
            await clock.sleep(each % 7, never());
            atOnce -= 1;
            if (how !== 'abort') slot.ended(how);
          });
          const settled = Promise.allSettled(done);
          await clock.advance(10_000);
          const failed = (await settled).filter(({ status }) => status === 'rejected');
          expect(failed.length).toBe(all.filter((how, each) => how === 'abort' && each % 2 === 0).length);
          expect(slots.underWay).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are given back by a waiter that is stopped, whose deadlines stood still', async () => {
    const { ask, clock, held, slots } = aServer(1);
    await ask('first', never());
    using deadline = new Deadline(clock, 1_000, never());
    const stop = new AbortController();
    const [stopped, waiting] = [slots.acquire(stop.signal), slots.acquire(deadline.signal)];
    await clock.advance(1_900);
    stop.abort(new Error('stopped'));
    await expect(stopped).rejects.toThrow('stopped');
    expect(deadline.expired).toBe(false);
    held[0]?.ended('answered');
    using slot = await waiting;
    slot.ended('answered');
    expect(slots.underWay).toBe(0);
  });
});

describe('slots of requests that are not answered', () => {
  /** A run with so many requests that hang, and another one. */
  async function hanging(requests: number) {
    const server = aServer(128);
    const [hangs, other] = [never(), never()];
    for (let each = 0; each < requests; each += 1) void server.ask(`hangs ${each}`, hangs);
    await settle();
    return { ...server, other };
  }

  it('do not stop another run: one request of it is sent at once, and the next one when that is answered', async () => {
    const { ask, held, log, other, slots } = await hanging(100);
    expect(log.length).toBe(slots.width);
    void ask('other a', other);
    void ask('other b', other);
    await settle();
    expect(log.slice(slots.width)).toEqual(['other a']);
    held.at(-1)?.ended('answered');
    await settle();
    expect(log.slice(slots.width)).toEqual(['other a', 'other b']);
  });

  it('are free for others after a while, although nobody knows what becomes of them', async () => {
    const { ask, clock, held, log, other, slots } = await hanging(32);
    for (let each = 0; each < 32; each += 1) void ask(`other ${each}`, other);
    await clock.advance(1_900);
    expect(log.length).toBe(33);
    await clock.advance(200);
    expect(log.length).toBe(64);
    expect(slots.underWay).toBe(32);
    for (const slot of held) slot.ended('unknown');
    expect(slots.underWay).toBe(0);
  });
});

describe('the slots of servers', () => {
  const tls = { ca: 'ca' };
  const server = { origin: 'https://bao:8200', serverName: undefined, tls };

  it('are shared by all clients of the same origin, certificates and name, and by no others', () => {
    const servers = new SlotsByServer(new ManualClock());
    const { slots } = servers.lease(server);
    expect(servers.lease({ ...server, tls: { ca: 'ca' } }).slots).toBe(slots);
    const others = [
      { ...server, origin: 'https://bao:8201' },
      { ...server, serverName: 'other' },
      { ...server, tls: { ca: 'another' } },
      { ...server, tls: { ca: 'ca', cert: 'c', key: 'k' } },
    ];
    for (const other of others) expect(servers.lease(other).slots).not.toBe(slots);
  });

  it('are forgotten with their last client', () => {
    const servers = new SlotsByServer(new ManualClock());
    const [first, second] = [servers.lease(server), servers.lease(server)];
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(servers.lease(server).slots).toBe(second.slots);
    expect([...servers.samples()].map(({ name, value }) => [name, value])).toEqual([
      ['keyferry_server_requests_allowed', 32],
      ['keyferry_server_requests_under_way', 0],
    ]);
    second[Symbol.dispose]();
    expect([...servers.samples()].length).toBe(2);
  });
});
