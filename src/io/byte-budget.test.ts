import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { ByteBudget } from './byte-budget.ts';
import { Deadline } from './deadline.ts';

const { signal } = new AbortController();
const settled = async (): Promise<void> => new Promise(setImmediate);

/** Starts to wait for a reservation; `held` is it once it is granted. */
function asking(budget: ByteBudget, bytes: number, holder: string) {
  const state: { held: Disposable | undefined } = { held: undefined };
  void budget.reserve(bytes, holder, signal).then((held) => (state.held = held));
  return state;
}

describe('a budget of bytes', () => {
  it('grants no more than the total, and goes on when bytes are given back', async () => {
    const budget = new ByteBudget({ total: 10, perHolder: 10 });
    const first = await budget.reserve(6, 'a', signal);
    const second = asking(budget, 5, 'b');
    await settled();
    expect(second.held).toBeUndefined();
    first[Symbol.dispose]();
    first[Symbol.dispose](); // Gives back once only.
    await settled();
    expect(second.held).toBeDefined();
    const third = asking(budget, 6, 'c');
    await settled();
    expect(third.held).toBeUndefined();
  });

  it('leaves room for others whatever one holder keeps', async () => {
    const budget = new ByteBudget({ total: 100, perHolder: 25 });
    const greedy = Array.from({ length: 50 }, () => asking(budget, 5, 'greedy'));
    const innocent = asking(budget, 25, 'innocent');
    await settled();
    expect(greedy.filter(({ held }) => held !== undefined)).toHaveLength(5);
    expect(innocent.held).toBeDefined();
  });

  it('serves waiting holders alternately, and a large reservation before smaller ones that came later', async () => {
    const budget = new ByteBudget({ total: 10, perHolder: 10 });
    const blocker = await budget.reserve(10, 'blocker', signal);
    const many = Array.from({ length: 3 }, () => asking(budget, 1, 'many'));
    const large = asking(budget, 10, 'large');
    const late = asking(budget, 1, 'late');
    blocker[Symbol.dispose]();
    await settled();
    expect(many.map(({ held }) => held !== undefined)).toEqual([true, false, false]);
    expect(late.held).toBeUndefined();
    many[0]?.held?.[Symbol.dispose]();
    await settled();
    expect(large.held).toBeDefined();
  });

  it('does not count the wait as time of the request, and forgets a waiter that gives up', async () => {
    const clock = new ManualClock();
    const budget = new ByteBudget({ total: 10, perHolder: 10 });
    const held = await budget.reserve(10, 'a', signal);
    using deadline = new Deadline(clock, 1_000, signal, { op: 'test' });
    const waiting = budget.reserve(10, 'b', deadline.signal);
    await clock.advance(5_000);
    expect(deadline.expired).toBe(false);
    const quitter = new AbortController();
    const refused = budget.reserve(10, 'c', quitter.signal);
    const reason = new OperatorError('LEASE_LOST', { op: 'test' });
    quitter.abort(reason);
    await expect(refused).rejects.toBe(reason);
    held[Symbol.dispose]();
    using _reservation = await waiting;
    await clock.advance(1_000);
    expect(deadline.expired).toBe(true);
  });
});
