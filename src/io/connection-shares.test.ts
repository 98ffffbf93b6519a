import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { ConnectionShares, limitOf, Used, type Share } from './connection-shares.ts';
import { Deadline } from './deadline.ts';

const { signal } = new AbortController();

/** A share that counts what it was granted. */
class Asking {
  granted = 0;
  readonly share: Share;
  readonly #shares: ConnectionShares;

  constructor(shares: ConnectionShares, server: Share['server'], tenant: string) {
    this.#shares = shares;
    this.share = { server, tenant, used: 0 };
  }

  ask(times = 1): void {
    for (let time = 0; time < times; time += 1)
      void this.#shares.take(this.share, signal).then(() => (this.granted += 1));
  }

  give(): void {
    this.granted -= 1;
    this.#shares.give(this.share);
  }
}

const aServer = (most: number): Share['server'] => ({ most, used: new Used() });

describe('shares of connections', () => {
  it('are half of all for one backend, and equal parts for those that never stop asking', async () => {
    const [shares, server] = [new ConnectionShares(1000), aServer(64)];
    const backends = ['a', 'b', 'c'].map((tenant) => new Asking(shares, server, tenant));
    const [first, ...rest] = backends;
    first?.ask(1000);
    await settle();
    expect(first?.granted).toBe(32);
    for (const each of rest) each.ask(1000);
    for (let round = 0; round < 1000; round += 1) {
      const busy = backends.filter(({ granted }) => granted > 0);
      busy[round % busy.length]?.give();
      await settle();
    }
    expect(backends.map(({ granted }) => granted)).toEqual([16, 16, 16]);
  });

  it('grow with the server, for those that wait', async () => {
    const [shares, server] = [new ConnectionShares(1000), aServer(2)];
    const backend = new Asking(shares, server, 'a');
    backend.ask(10);
    await settle();
    expect(backend.granted).toBe(1);
    server.most = 10;
    shares.serve();
    await settle();
    expect(backend.granted).toBe(5);
  });

  it('cost a request that waits for them nothing of its time, and nothing if it gives up', async () => {
    const clock = new ManualClock();
    const [shares, server] = [new ConnectionShares(1000), aServer(2)];
    const other = new Asking(shares, server, 'a');
    other.ask();
    await settle();
    using deadline = new Deadline(clock, 1_000, signal);
    const leaving = new AbortController();
    const waiting = shares.take(other.share, deadline.signal);
    const given = shares.take(other.share, leaving.signal);
    leaving.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await clock.advance(10_000);
    other.give();
    await waiting;
    expect(deadline.remainingMs).toBe(1_000);
    expect(server.used.total).toBe(1);
  });
});

describe('shares of connections that others keep', () => {
  it('exceed no limit, are left for another tenant, and let none wait that may have one', async () => {
    const operation = fc.record({
      backend: fc.nat(11),
      asks: fc.integer({ min: 0, max: 40 }),
      gives: fc.nat(20),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
        const shares = new ConnectionShares(48);
        const servers = [aServer(40), aServer(40)] as const;
        // Four tenants, three backends each, at two servers.
        const backends = Array.from(
          { length: 12 },
          (_, at) => new Asking(shares, servers[at < 6 ? 0 : 1], `tenant-${at % 4}`),
        );
        const inUse = (): readonly number[] => servers.map(({ used }) => used.total);
        for (const { asks, backend, gives } of operations) {
          const chosen = backends[backend];
          chosen?.ask(asks);
          await settle();
          const back = Math.min(gives, chosen?.granted ?? 0);
          for (let give = 0; give < back; give += 1) chosen?.give();
          await settle();
          expect(backends.map(({ granted }) => granted)).toEqual(backends.map(({ share }) => share.used));
          expect(Math.max(...inUse())).toBeLessThanOrEqual(limitOf(40));
          expect(inUse().reduce((sum, used) => sum + used)).toBeLessThanOrEqual(limitOf(48));
        }
        const newcomer = new Asking(shares, servers[0], 'newcomer');
        newcomer.ask();
        await settle();
        expect(newcomer.granted).toBe(1);
      }),
      { numRuns: 100 },
    );
  });

  it('come to all that ask, whatever the others do not give back', async () => {
    const [shares, server] = [new ConnectionShares(1000), aServer(64)];
    const slow = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((tenant) => new Asking(shares, server, tenant));
    for (const each of slow) each.ask(100);
    await settle();
    expect(slow.every(({ granted }) => granted > 0)).toBe(true);
    const other = new Asking(shares, server, 'other');
    other.ask(50);
    let done = 0;
    for (; done < 50; done += 1) {
      await settle();
      if (other.granted === 0) break;
      other.give();
    }
    expect(done).toBe(50);
  });
});
