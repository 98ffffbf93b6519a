import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LearntRate, type Ticket, type QuotaHints } from './learnt-rate.ts';

/** A server that counts: true if it accepts a request that arrives at `now`. */
type Limiter = (now: number) => { readonly accepts: boolean; readonly hints?: QuotaHints };

interface Job {
  readonly requests: number;
  /** Requests that can be under way at once. */
  readonly width: number;
  readonly latencyMs: number;
  readonly limiter: Limiter;
  readonly rate?: LearntRate;
  readonly from?: number;
}

interface Done {
  readonly endedAt: number;
  readonly accepted: number;
  readonly refused: number;
}

/** Vault and OpenBao: `limit` requests in each interval, all of them at once if the client wants (go-limiter). */
function windows({
  limit,
  intervalMs = 1_000,
  phaseMs = 0,
  names = false,
}: {
  readonly limit: number;
  readonly intervalMs?: number;
  readonly phaseMs?: number;
  /** Sends the headers that `enable_rate_limit_response_headers` turns on. */
  readonly names?: boolean;
}): Limiter {
  let window = -1;
  let left = 0;
  return (now) => {
    const current = Math.floor((now + phaseMs) / intervalMs);
    if (current !== window) [window, left] = [current, limit];
    // Rounded down; a little less than the whole interval is left when a request arrives.
    const resetMs = (Math.ceil(((window + 1) * intervalMs - phaseMs - now) / 1_000) - 1) * 1_000;
    const accepts = left > 0;
    if (accepts) left -= 1;
    return {
      accepts,
      ...(names ? { hints: { limit, resetMs, retryAfterMs: accepts ? undefined : resetMs } } : {}),
    };
  };
}

/** A proxy in front of a server: tokens drip, and only `burst` of them are kept. */
function dripping({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }): Limiter {
  let tokens = burst;
  let last = 0;
  return (now) => {
    tokens = Math.min(burst, tokens + ((now - last) * perSecond) / 1_000);
    last = now;
    const accepts = tokens >= 1;
    if (accepts) tokens -= 1;
    return { accepts };
  };
}

/** Sends all requests as fast as the rate permits, in virtual time; a refused one is sent again. */
class Client {
  readonly #job: Job;
  readonly #rate: LearntRate;
  readonly #underWay: {
    readonly at: number;
    readonly ticket: Ticket;
    readonly verdict: ReturnType<Limiter>;
  }[] = [];
  #now: number;
  #waiting: number;
  #hasWaited = false;
  #accepted = 0;
  #refused = 0;

  constructor(job: Job) {
    this.#job = job;
    this.#rate = job.rate ?? new LearntRate(() => 0.5);
    this.#now = job.from ?? 0;
    this.#waiting = job.requests;
  }

  run(): Done {
    const { from = 0, requests } = this.#job;
    while (this.#accepted < requests) this.#step();
    return { endedAt: this.#now - from, accepted: this.#accepted, refused: this.#refused };
  }

  #step(): void {
    while (this.#canSend() && this.#rate.nextAt() <= this.#now) this.#send();
    const sendAt = this.#canSend() ? this.#rate.nextAt() : Number.POSITIVE_INFINITY;
    const replyAt = this.#underWay[0]?.at ?? Number.POSITIVE_INFINITY;
    this.#hasWaited ||= this.#waiting > 0 && this.#rate.nextAt() > this.#now;
    this.#now = Math.min(sendAt, replyAt);
    if (!Number.isFinite(this.#now)) throw new Error('nothing is left to wait for');
    if (replyAt <= sendAt) this.#receive();
  }

  #canSend(): boolean {
    return this.#waiting > 0 && this.#underWay.length < this.#job.width;
  }

  #send(): void {
    const { latencyMs, limiter } = this.#job;
    const ticket = this.#rate.send(this.#now, this.#hasWaited);
    this.#underWay.push({ at: this.#now + latencyMs, ticket, verdict: limiter(this.#now + latencyMs / 2) });
    this.#waiting -= 1;
    this.#hasWaited = false;
  }

  #receive(): void {
    const reply = this.#underWay.shift();
    if (reply === undefined) return;
    const { ticket, verdict } = reply;
    if (verdict.accepts) {
      this.#accepted += 1;
      this.#rate.accepted(ticket, this.#now, verdict.hints);
    } else {
      this.#refused += 1;
      this.#waiting += 1;
      this.#rate.refused(ticket, this.#now, verdict.hints);
    }
  }
}

function run(job: Job): Done {
  return new Client(job).run();
}

const transport = { width: fc.integer({ min: 4, max: 32 }), latencyMs: fc.integer({ min: 1, max: 20 }) };

/** What a perfect client needs, in milliseconds. */
function idealMs(job: { requests: number; width: number; latencyMs: number }, perSecond: number): number {
  return (
    Math.max((job.requests * 1_000) / perSecond, (job.requests * job.latencyMs) / job.width) + job.latencyMs
  );
}

describe('the learnt rate', () => {
  it('ends every job within 1.3 times its ideal, for any quota', () => {
    const jobs = fc.record({
      ...transport,
      limit: fc.integer({ min: 1, max: 2_000 }),
      seconds: fc.double({ min: 0.01, max: 60, noNaN: true }),
      phaseMs: fc.integer({ min: 0, max: 999 }),
      names: fc.boolean(),
    });
    fc.assert(
      fc.property(jobs, ({ limit, seconds, phaseMs, names, ...rest }) => {
        const job = { ...rest, requests: Math.ceil(limit * seconds) };
        const { endedAt } = run({ ...job, limiter: windows({ limit, phaseMs, names }) });
        expect(endedAt).toBeLessThanOrEqual(1.3 * idealMs(job, limit));
      }),
      { numRuns: 200 },
    );
  });

  it('does so for an interval of a minute, which no reply names', () => {
    const jobs = fc.record({
      ...transport,
      perSecond: fc.integer({ min: 1, max: 100 }),
      intervalMs: fc.constantFrom(2_000, 10_000, 60_000),
      intervals: fc.integer({ min: 2, max: 6 }),
      names: fc.boolean(),
    });
    fc.assert(
      fc.property(jobs, ({ perSecond, intervalMs, intervals, names, ...rest }) => {
        const limit = (perSecond * intervalMs) / 1_000;
        const job = { ...rest, requests: limit * intervals };
        const { endedAt } = run({ ...job, limiter: windows({ limit, intervalMs, names }) });
        expect(endedAt).toBeLessThanOrEqual(1.3 * idealMs(job, perSecond));
      }),
      { numRuns: 100 },
    );
  });

  it('does so for a proxy that lets requests through one by one', () => {
    // Keeps the unused requests of 0.1 to 1 second.
    const limits = {
      perSecond: fc.integer({ min: 1, max: 2_000 }),
      keptSeconds: fc.double({ min: 0.1, max: 1, noNaN: true }),
    };
    fc.assert(
      fc.property(fc.record({ ...transport, ...limits }), ({ perSecond, keptSeconds, ...rest }) => {
        const burst = Math.max(2, perSecond * keptSeconds);
        const job = { ...rest, requests: perSecond * 20 };
        const { endedAt } = run({ ...job, limiter: dripping({ perSecond, burst }) });
        expect(endedAt).toBeLessThanOrEqual(1.3 * idealMs(job, perSecond));
      }),
      { numRuns: 100 },
    );
  });

  it.each([5, 20, 100, 1_000])('has few requests refused, at %i a second', (limit) => {
    const requests = limit * 120;
    const { refused } = run({ requests, width: 32, latencyMs: 5, limiter: windows({ limit, phaseMs: 300 }) });
    expect(refused).toBeLessThan(60 + requests / 100);
  });

  it('has almost none refused where the server names its limit', () => {
    const limiter = windows({ limit: 100, names: true });
    expect(run({ requests: 2_000, width: 32, latencyMs: 5, limiter }).refused).toBeLessThan(10);
  });

  it('is fast again soon after the quota is gone', () => {
    const rate = new LearntRate(() => 0.5);
    const transport = { width: 32, latencyMs: 5, rate };
    const slow = run({ ...transport, requests: 50, limiter: windows({ limit: 5 }) });
    expect(rate.perSecond).toBeLessThan(6);
    const free: Limiter = () => ({ accepts: true });
    const { endedAt } = run({ ...transport, requests: 20_000, limiter: free, from: slow.endedAt });
    expect(endedAt).toBeLessThan(30_000);
    expect(rate.perSecond).toBeUndefined();
  });

  it('follows a quota that becomes smaller', () => {
    const rate = new LearntRate(() => 0.5);
    const transport = { width: 8, latencyMs: 5, rate };
    const fast = run({ ...transport, requests: 400, limiter: windows({ limit: 40 }) });
    const slow = run({ ...transport, requests: 80, limiter: windows({ limit: 4 }), from: fast.endedAt });
    expect(slow.endedAt).toBeLessThan(1.3 * 20_000);
    expect(rate.perSecond).toBeLessThan(5);
  });

  it('waits as long as the server asks before it tries again', () => {
    const rate = new LearntRate(() => 0);
    const ticket = rate.send(0, false);
    rate.refused(ticket, 10, { retryAfterMs: 9_000 });
    expect(rate.nextAt()).toBe(9_010);
  });
});

it('never waits longer than a minute and a tenth, whatever the server names', () => {
  const seconds = fc.oneof(fc.nat({ max: 999_999 }), fc.constant(Number.POSITIVE_INFINITY), fc.constant(-1));
  const hints = fc.record({
    retryAfterMs: fc.option(
      seconds.map((each) => each * 1_000),
      { nil: undefined },
    ),
    limit: fc.option(fc.nat(), { nil: undefined }),
    resetMs: fc.option(fc.nat({ max: 999_999_000 }), { nil: undefined }),
  });
  const replies = fc.array(fc.record({ accepts: fc.boolean(), hints }), { maxLength: 30 });
  fc.assert(
    fc.property(replies, (all) => {
      const rate = new LearntRate(() => 0.999);
      let now = 0;
      for (const { accepts, hints: named } of all) {
        const ticket = rate.send(now, true);
        if (accepts) rate.accepted(ticket, now, named);
        else rate.refused(ticket, now, named);
        const waitMs = Math.max(0, rate.nextAt() - now);
        expect(waitMs).toBeLessThanOrEqual(66_000);
        now += waitMs;
      }
    }),
  );
});
