import { describe, expect, it } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { Fresh } from './fresh.ts';

const QUERY = { maxAgeMs: 5_000, since: 0, signal: new AbortController().signal };

/** Counts what is asked; each answer is the number of the question. */
function rig() {
  const clock = new ManualClock();
  const fresh = new Fresh<number>(clock);
  const asked = { count: 0 };
  const get = async (
    ask: () => Promise<void> = async () => Promise.resolve(),
    query = QUERY,
  ): Promise<number> =>
    fresh.get('key', query, async () => {
      asked.count += 1;
      const number = asked.count;
      await ask();
      return number;
    });
  return { clock, asked, get };
}

describe('a fresh answer', () => {
  it('is asked for once by many at the same time', async () => {
    const { asked, get } = rig();
    expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
    expect(asked.count).toBe(1);
  });

  it('is valid for its time, and then asked for again', async () => {
    const { clock, get } = rig();
    await get();
    await clock.advance(5_000);
    expect(await get()).toBe(1);
    await clock.advance(1);
    expect(await get()).toBe(2);
  });

  it('that took long is valid for as long again', async () => {
    const { clock, get } = rig();
    const asking = get(async () => clock.sleep(10_000, QUERY.signal));
    await clock.advance(10_000);
    await asking;
    await clock.advance(10_000);
    expect(await get()).toBe(1);
    await clock.advance(1);
    expect(await get()).toBe(2);
  });

  it('is not from before the time that is wanted, also if it is on its way', async () => {
    const { clock, get } = rig();
    const early = get(async () => clock.sleep(1_000, QUERY.signal));
    await clock.advance(500);
    const late = get(undefined, { ...QUERY, since: clock.monotonic() });
    await clock.advance(500);
    expect(await early).toBe(1);
    expect(await late).toBe(2);
  });

  it('is fresh enough for a plan and not for a removal', async () => {
    const { clock, get } = rig();
    await get();
    await clock.advance(30_000);
    expect(await get(undefined, { ...QUERY, maxAgeMs: 60_000 })).toBe(1);
    expect(await get()).toBe(2);
  });
});

describe('a question that fails', () => {
  it('fails for who asked, and the others ask again', async () => {
    const { asked, get } = rig();
    const failing = get(async () => Promise.reject(new Error('aborted')));
    const waiting = get();
    await expect(failing).rejects.toThrow('aborted');
    expect(await waiting).toBe(2);
    expect(asked.count).toBe(2);
  });

  it('keeps nobody whose own work ended', async () => {
    const { get } = rig();
    const mine = new AbortController();
    const asking = Promise.withResolvers<void>();
    const first = get(async () => asking.promise);
    const second = get(undefined, { ...QUERY, signal: mine.signal });
    mine.abort(new Error('stopped'));
    await expect(second).rejects.toThrow('stopped');
    asking.resolve();
    expect(await first).toBe(1);
  });
});
