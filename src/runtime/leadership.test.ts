import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { Leadership } from './leadership.ts';

const DEADLINE_MS = 10_000;
const LOST = { code: 'LEASE_LOST', target: 'Lease ns/name' };

function aTerm() {
  const clock = new ManualClock();
  return { clock, term: new Leadership({ clock, renewDeadlineMs: DEADLINE_MS, target: 'Lease ns/name' }) };
}

function holds(term: Leadership): boolean {
  try {
    term.assertHeld();
    return true;
  } catch {
    return false;
  }
}

describe('a term as the leader', () => {
  test('has not begun for a standby', () => {
    const { term } = aTerm();
    term.renew(0);
    expect(() => term.assertHeld()).toThrow(expect.objectContaining(LOST));
  });

  test('is over at its deadline, counted from before the request, for the first who asks, with no timer', async () => {
    const { clock, term } = aTerm();
    clock.jump(500);
    term.renew(clock.monotonic() - 400);
    term.begin();
    clock.jump(DEADLINE_MS - 401);
    term.assertHeld();
    clock.jump(1);
    expect(() => term.assertHeld()).toThrow(expect.objectContaining(LOST));
    await expect(term.over).rejects.toMatchObject(LOST);
    expect(clock.pending).toBe(0);
  });

  test('is not renewed by a reply that comes after it was over', () => {
    const { clock, term } = aTerm();
    term.renew(clock.monotonic());
    term.begin();
    const asked = clock.monotonic() + 5_000;
    clock.jump(DEADLINE_MS);
    expect(() => term.renew(asked)).toThrow(expect.objectContaining(LOST));
    expect(holds(term)).toBe(false);
  });

  test('that was ended stays over, with the first reason', async () => {
    const { clock, term } = aTerm();
    term.renew(clock.monotonic());
    term.begin();
    term.end('It gave the lease back.');
    term.end('The elector stopped.');
    term.begin();
    term.renew(clock.monotonic());
    expect(holds(term)).toBe(false);
    await expect(term.over).rejects.toThrow('gave the lease back');
  });

  test('holds exactly while each gap between renewals is below the deadline, and never again after that', () => {
    const gaps = fc.array(fc.record({ ms: fc.integer({ min: 0, max: 12_000 }), renews: fc.boolean() }));
    fc.assert(
      fc.property(gaps, (steps) => {
        const { clock, term } = aTerm();
        term.renew(0);
        term.begin();
        let renewedAt = 0;
        let expected = true;
        for (const { ms, renews } of steps) {
          clock.jump(ms);
          expected &&= clock.monotonic() - renewedAt < DEADLINE_MS;
          if (renews) {
            try {
              term.renew(clock.monotonic());
            } catch {
              expect(expected).toBe(false);
            }
            renewedAt = clock.monotonic();
          }
          expect(holds(term)).toBe(expected);
        }
      }),
    );
  });
});
