import { describe, expect, it } from 'vitest';
import { Deadline } from '#src/io/deadline.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import type { Driver } from '../driver.ts';
import type { Listed, ListedVersion } from '../listing.ts';
import { layered } from '../layer.ts';
import { LISTING_LIMITS, type ListingLimits } from '../listing-meter.ts';
import { MemoryDriver } from '../memory/driver.ts';
import { MemoryStore } from '../memory/store.ts';
import { bounded } from './bounded.ts';

const { signal } = new AbortController();

/** A store with these documents, in a tree. */
function aStore(clock: ManualClock, names: readonly string[]): Driver {
  const store = new MemoryStore({ name: 's', addressing: 'tree', clock });
  for (const name of names) store.put(name, { a: 'b' });
  return new MemoryDriver({ store });
}

async function listing(
  driver: Driver,
  operation: 'list' | 'versions' = 'list',
): Promise<{ readonly listed: readonly (Listed | ListedVersion)[]; readonly failure: unknown }> {
  const listed: (Listed | ListedVersion)[] = [];
  try {
    for await (const each of driver[operation]({ folder: '' }, signal)) listed.push(each);
    return { listed, failure: undefined };
  } catch (failure) {
    return { listed, failure };
  }
}

describe('a bounded listing', () => {
  it.each<[string, Partial<ListingLimits>]>([
    ['entries', { entries: 2 }],
    ['characters', { characters: 5 }],
  ])('ends with SELECTION_TOO_LARGE at its limit of %s, and not before', async (what, limits) => {
    const clock = new ManualClock();
    const atLimit = bounded(aStore(clock, ['aa', 'bb']), { clock, limits: { ...LISTING_LIMITS, ...limits } });
    expect(await listing(atLimit)).toMatchObject({ failure: undefined, listed: { length: 2 } });
    const above = bounded(aStore(clock, ['aa', 'bb', 'cc']), {
      clock,
      limits: { ...LISTING_LIMITS, ...limits },
    });
    const { failure, listed } = await listing(above);
    expect(failure).toMatchObject({ code: 'SELECTION_TOO_LARGE' });
    expect(String(failure)).toContain(
      what === 'entries' ? 'the limit of 2 names, after 3 names' : '5 characters',
    );
    expect(listed).toHaveLength(2);
  });

  it.each<[string, Partial<ListingLimits>]>([
    ['entries', { entries: 2 }],
    ['characters', { characters: 5 }],
  ])('of versions ends at the limit of %s, too', async (_what, limits) => {
    const clock = new ManualClock();
    const bounds = { clock, limits: { ...LISTING_LIMITS, ...limits } };
    const atLimit = bounded(aStore(clock, ['aa', 'bb']), bounds);
    expect(await listing(atLimit, 'versions')).toMatchObject({ failure: undefined, listed: { length: 2 } });
    const above = bounded(aStore(clock, ['aa', 'bb', 'cc']), bounds);
    expect(await listing(above, 'versions')).toMatchObject({
      failure: { code: 'SELECTION_TOO_LARGE' },
      listed: { length: 2 },
    });
  });

  it('starts to count again for each listing', async () => {
    const clock = new ManualClock();
    const driver = bounded(aStore(clock, ['a', 'b']), { clock, limits: { ...LISTING_LIMITS, entries: 2 } });
    for (let round = 0; round < 3; round += 1) expect((await listing(driver)).listed).toHaveLength(2);
  });

  it('ends after its time, without the time in which a request waits for its turn', async () => {
    const clock = new ManualClock();
    const [turn, reply] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let asked = signal;
    const slow = layered(aStore(clock, ['a']), {
      iterate: (call, next) => {
        asked = call.signal;
        return afterWaiting(call.signal, { turn: turn.promise, reply: reply.promise }, next());
      },
    });
    const ended = listing(bounded(slow, { clock }));
    await clock.advance(LISTING_LIMITS.ms * 10);
    turn.resolve();
    await clock.advance(LISTING_LIMITS.ms - 1);
    expect(asked.aborted).toBe(false);
    await clock.advance(1);
    reply.resolve();
    const { failure } = await ended;
    expect(failure).toMatchObject({ code: 'SELECTION_TOO_LARGE' });
    expect(String(failure)).toContain('600 seconds, after 0 names');
  });
});

/** A request that waits for its turn, and then for its reply. */
async function* afterWaiting<T>(
  given: AbortSignal,
  waits: { readonly turn: Promise<void>; readonly reply: Promise<void> },
  items: AsyncIterable<T>,
): AsyncGenerator<T> {
  const paused = Deadline.pause(given);
  await waits.turn;
  paused[Symbol.dispose]();
  await waits.reply;
  yield* items;
}
