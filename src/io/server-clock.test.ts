import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { ServerClock, setBy } from './server-clock.ts';

const HOUR_MS = 3_600_000;
const TOLERANCE_MS = 30_000;

/** A server whose clock is ahead of the true time, which the own monotonic clock keeps. */
class Server {
  readonly own = new ManualClock();
  readonly seen = new ServerClock(this.own);
  aheadMs = 0;

  /** One request: its way there, then the server writes the date, then its way back. */
  reply(there = 1, back = 1): void {
    const sentAt = this.own.monotonic();
    this.own.jump(there);
    const date = new Date(Date.UTC(2026, 0, 1) + this.own.monotonic() + this.aheadMs).toUTCString();
    this.own.jump(back);
    this.seen.note(date, sentAt);
  }

  replies(count: number): void {
    for (let index = 0; index < count; index += 1) this.reply();
  }
}

describe('the clock of a server', () => {
  it('does not differ before a reply has told it', () => {
    const { seen } = new Server();
    expect([seen.skewMs(), seen.differs()]).toEqual([undefined, false]);
    for (const date of [undefined, '', 'yesterday', ['a', 'b']]) seen.note(date, 0);
    expect(seen.skewMs()).toBeUndefined();
  });

  it('never differs between equal clocks, whatever the delay and the part of the second', () => {
    const delay = fc.integer({ min: 0, max: 10_000 });
    fc.assert(
      fc.property(fc.array(fc.tuple(delay, delay), { minLength: 1, maxLength: 8 }), (exchanges) => {
        const server = new Server();
        for (const [there, back] of exchanges) server.reply(there, back);
        expect(server.seen.skewMs() ?? 0).toBe(0);
      }),
    );
  });

  it('differs when either clock is off by more than the tolerance, told to the second', () => {
    const off = fc.integer({ min: TOLERANCE_MS + 1_500, max: 30 * 24 * HOUR_MS });
    fc.assert(
      fc.property(off, fc.constantFrom(1, -1), fc.boolean(), (ms, sign, isOwn) => {
        const server = new Server();
        if (isOwn) server.own.setWallAhead(sign * ms);
        else server.aheadMs = -sign * ms;
        server.reply();
        expect(server.seen.differs()).toBe(true);
        expect(Math.abs((server.seen.skewMs() ?? 0) - sign * ms)).toBeLessThanOrEqual(1_002);
      }),
    );
  });

  it.each([1, -1])('does not differ within the tolerance (%s)', (sign) => {
    const server = new Server();
    server.own.setWallAhead(sign * (TOLERANCE_MS - 1));
    server.replies(5);
    expect(server.seen.differs()).toBe(false);
  });

  it('differs at once when the own clock jumps, without another reply', () => {
    const server = new Server();
    server.replies(5);
    server.own.jump(HOUR_MS);
    expect(server.seen.differs()).toBe(false);
    server.own.setWallAhead(2 * HOUR_MS);
    expect(server.seen.differs()).toBe(true);
    server.own.setWallAhead(0);
    expect(server.seen.differs()).toBe(false);
  });

  it.each([
    ['wrong', 2 * HOUR_MS, false],
    ['right', 0, true],
  ])('is not what one or two odd replies say: %s', (_what, odd, differs) => {
    const server = new Server();
    const usual = 2 * HOUR_MS - odd;
    server.aheadMs = usual;
    server.replies(5);
    server.aheadMs = odd;
    server.replies(2);
    expect(server.seen.differs()).toBe(differs);
    server.replies(1);
    expect(server.seen.differs()).toBe(!differs);
  });

  it('is not learnt from a reply that took long: it could hide a difference', () => {
    const server = new Server();
    server.aheadMs = 60_000;
    server.replies(5);
    for (let index = 0; index < 5; index += 1) server.reply(60_000, 60_000);
    expect(server.seen.differs()).toBe(true);
  });
});

describe('a clock that is set by a server', () => {
  it('has the own time while both agree, and the time of the server while they differ', () => {
    const server = new Server();
    const clock = setBy(server.seen, server.own);
    const trueTime = (): number => Date.UTC(2026, 0, 1) + server.own.monotonic();
    server.own.setWallAhead(-2 * HOUR_MS);
    expect(clock.now()).toBe(trueTime() - 2 * HOUR_MS);
    server.reply();
    expect(Math.abs(clock.now() - trueTime())).toBeLessThanOrEqual(1_002);
    server.own.setWallAhead(20_000);
    expect(clock.now()).toBe(trueTime() + 20_000);
    expect(clock.monotonic()).toBe(server.own.monotonic());
  });
});
