import { beforeAll, describe, expect, it } from 'vitest';
import type { ReadOutcome } from '#src/backends/driver.ts';
import type { Listed } from '#src/backends/listing.ts';
import { isProblem } from '#src/backends/listing-problem.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { collect } from '#test/support/collect.ts';
import { aDocument, codeOf, presentIn } from '#test/support/documents.ts';
import type { Trial } from './trial.ts';
import { describeManyVersions } from './versions.ts';
import { permitted } from '#test/support/permit.ts';

/** Must be registered before all tests that write. */
export function describeEmptyStore(trial: Trial): void {
  const { signal } = trial;

  it('lists an empty store as nothing, and reads nothing from it', async () => {
    expect(await collect(trial.driver.list({ folder: '' }, signal))).toEqual([]);
    expect(await collect(trial.driver.readMany([trial.address], signal))).toEqual([
      { address: trial.address, result: { state: 'absent' } },
    ]);
  });
}

/** Listings and reads of more than one page. */
export function describeManyDocuments(trial: Trial): void {
  const { signal, subject, unreachableAs } = trial;

  describe('with many documents', () => {
    const names = Array.from({ length: subject.manyNames }, (_, index) => `many-${index}`);

    beforeAll(async () => {
      const writes = mapConcurrently(names, 32, (name) =>
        trial.driver.write(aDocument(name, { name }), 'absent', permitted(signal)),
      );
      await collect(writes);
    });

    it('lists every name once, page by page', async () => {
      const entries = await collect<Listed>(trial.driver.list({ folder: '' }, signal));
      const listed = entries.map((entry) => entry.address).filter((name) => name.startsWith('many-'));
      expect(listed.toSorted()).toEqual(names.toSorted());
    });

    it('reads many and yields each address once, missing ones as absent', async () => {
      const missing = ['not-there', 'not-there-either'];
      const outcomes = await collect(trial.driver.readMany([...names, ...missing, names[0]!], signal));
      expect(outcomes.map((outcome) => outcome.address).toSorted()).toEqual(
        [...names, ...missing].toSorted(),
      );
      for (const outcome of outcomes) expect(textIn(outcome)).toBe(outcome.address);
    });

    it('reads a few and yields each address once, missing ones as absent', async () => {
      const few = [...names.slice(0, 3), 'not-there'];
      const outcomes = await collect(trial.driver.readMany(few, signal));
      expect(outcomes.map((outcome) => outcome.address).toSorted()).toEqual(few.toSorted());
      for (const outcome of outcomes) expect(textIn(outcome)).toBe(outcome.address);
    });

    it('lists what no document can have as a problem of that name, and goes on', async () => {
      const illegal = await trial.store.createIllegal();
      const listed = await collect(trial.driver.list({ folder: '' }, signal));
      const problems = listed.filter(isProblem).map(({ address }) => address);
      expect(problems.toSorted()).toEqual(illegal.toSorted());
      for (const { address } of listed.filter(isProblem))
        expect(trial.driver.addressRefusalOf(address)).toBeDefined();
      const entries = listed.filter((each) => !isProblem(each)).map(({ address }) => address);
      for (const name of names) expect(entries).toContain(name);
      for (const address of entries) expect(trial.driver.addressRefusalOf(address)).toBeUndefined();
    });

    describeManyVersions(trial, names);

    it('fails a read of many as a whole if the server is gone', async () => {
      expect(await codeOf(collect(trial.store.unreachable.readMany(names, signal)))).toBe(unreachableAs);
    });
  });
}

/** The value of the key of a present document; the address of a document that must be absent. */
function textIn(outcome: ReadOutcome): string {
  if ('error' in outcome) throw outcome.error;
  if (outcome.address.startsWith('not-there')) {
    expect(outcome.result).toEqual({ state: 'absent' });
    return outcome.address;
  }
  return presentIn(outcome.result).fields.get('name')?.reveal().toString() ?? '';
}
