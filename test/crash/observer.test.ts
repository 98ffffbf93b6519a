import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { Observer, type Place } from './observer.ts';

type Name = 'a' | 'b';

/** A value that is in one of two places, and can move before each read. */
class Traveler {
  readonly #movesBefore: (read: Name, at: Name) => boolean;
  #at: Name | 'nowhere' = 'a';
  changes = 0;

  constructor(movesBefore: (read: Name, at: Name) => boolean) {
    this.#movesBefore = movesBefore;
  }

  observed(): Observer {
    const places = [this.#place('a'), this.#place('b')];
    return new Observer(new Map([['doc', Buffer.from('value')]]), places, () => `${this.changes}`);
  }

  lose(): void {
    this.#at = 'nowhere';
    this.changes += 1;
  }

  #place(name: Name): Place {
    return {
      find: async (values) => {
        await turn();
        this.#mayMove(name);
        return this.#at === name ? new Set(values.keys()) : new Set();
      },
    };
  }

  #mayMove(read: Name): void {
    if (this.#at === 'nowhere' || !this.#movesBefore(read, this.#at)) return;
    this.#at = this.#at === 'a' ? 'b' : 'a';
    this.changes += 1;
  }
}

describe('the Observer', () => {
  it('raises no alarm for a value that moves before any reads', async () => {
    const moves = fc.array(fc.boolean(), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(moves, async (chosen) => {
        const left = [...chosen];
        const observer = new Traveler(() => left.shift() ?? false).observed();
        await using _watching = observer.start();
        await eventually('the value stays', () => left.length === 0, { pollMs: 0 });
        await observer.freshRound();
        expect(observer.violations).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it('raises no alarm for a value that evades every read, and counts no round', async () => {
    const traveler = new Traveler((read, at) => read === at);
    const observer = traveler.observed();
    await using _watching = observer.start();
    await eventually('it has moved often', () => traveler.changes > 200, { pollMs: 0 });
    expect(observer.violations).toEqual([]);
    expect(observer.rounds).toBe(0);
  });

  it('reports a value that is lost', async () => {
    const traveler = new Traveler(() => false);
    const observer = traveler.observed();
    await using _watching = observer.start();
    await observer.freshRound();
    traveler.lose();
    await observer.freshRound();
    expect(observer.violations).toContain('doc is nowhere');
  });
});
