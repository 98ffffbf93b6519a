import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { LeftOutReason } from '#src/errors/reasons.ts';
import { collect } from '#test/support/collect.ts';
import type { Driver } from '../driver.ts';
import type { Listed, ListQuery } from '../listing.ts';
import { ranged } from './ranged.ts';

const { signal } = new AbortController();

/** A source that lists this, and leaves one backup out. */
function sourceOf(listed: readonly Listed[]): Driver {
  const driver: Pick<Driver, 'list'> = {
    async *list({ leftOut }: ListQuery) {
      leftOut?.('Backup');
      yield* listed;
    },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only what a listing needs
  return driver as unknown as Driver;
}

/** What each of the ranges lists, and what all of them count as left out. */
async function listedBy(source: Driver, count: number, recorded: readonly string[] = []) {
  const leftOut: LeftOutReason[] = [];
  const ranges: (readonly Listed[])[] = [];
  for (let index = 0; index < count; index += 1) {
    const query = { folder: '', leftOut: (reason: LeftOutReason) => leftOut.push(reason) };
    ranges.push(await collect(ranged(source, { index, count }, () => recorded).list(query, signal)));
  }
  return { ranges, leftOut };
}

const addressesOf = (listed: readonly Listed[]): readonly string[] => listed.map(({ address }) => address);

describe('a source that is cut into ranges', () => {
  it('lists each name in exactly one of them, and counts what is left out once', async () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(names, fc.integer({ min: 2, max: 64 }), async (all, count) => {
        const source = sourceOf(all.map((address) => ({ address })));
        const { ranges, leftOut } = await listedBy(source, count);
        expect(ranges.flatMap(addressesOf).toSorted()).toEqual(all.toSorted());
        expect(leftOut).toEqual(['Backup']);
      }),
    );
  });

  it('shows the problem of a folder in one range, and reads what is recorded below it in the range of each name', async () => {
    const problem = { address: 'closed/', problem: new OperatorError('AUTH_DENIED', { op: 'test' }) };
    const below = Array.from({ length: 40 }, (_, index) => `closed/doc-${index}`);
    const { ranges } = await listedBy(sourceOf([problem]), 4, [...below, 'open/other']);
    const listed = ranges.flat();
    expect(listed.filter((each) => 'problem' in each)).toEqual([problem]);
    const owner = ranges.findIndex((range) => range.some((each) => 'problem' in each));
    // Its own are found by the plan, which knows the problem.
    const others = ranges.filter((_, index) => index !== owner).flatMap(addressesOf);
    expect(new Set(others).size).toBe(others.length);
    expect(others.every((address) => below.includes(address))).toBe(true);
    expect(others.length).toBeGreaterThan(20);
  });
});
