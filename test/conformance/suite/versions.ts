import { expect, it } from 'vitest';
import type { ListedVersion, VersionState } from '#src/backends/listing.ts';
import { isProblem } from '#src/backends/listing-problem.ts';
import type { ReadResult } from '#src/core/document.ts';
import { collect } from '#test/support/collect.ts';
import { aDocument, codeOf, versionIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import type { Trial } from './trial.ts';

/** A state that changed just now can be unknown: a second in KV, 50 ms in a directory. */
const SETTLED = { timeout: 5_000, interval: 50 };

/** A listing of versions says what a read says. */
export function describeVersions(trial: Trial): void {
  const { signal, unreachableAs } = trial;
  const told = trial.subject.tellsVersions ?? true;

  const expectAsRead = async (): Promise<void> => {
    const read = await trial.read();
    const taken = read.state !== 'absent';
    const found = async (): Promise<VersionState | undefined> =>
      stateIn(await versionsOf(trial), trial.address);
    const wanted = told ? stateOf(read) : { state: 'unknown' };
    await expect.poll(found, SETTLED).toEqual(taken ? wanted : undefined);
  };

  it('tells the version that a read finds, after each change', async () => {
    await expectAsRead();
    const first = await trial.create({ a: '1' });
    await expectAsRead();
    const second = await trial.driver.write(aDocument(trial.address, { a: '2' }), first, permitted(signal));
    await expectAsRead();
    await trial.driver.delete(trial.address, second, permitted(signal));
    await expectAsRead();
    const result = await trial.read();
    const expectation = result.state === 'absent' ? 'absent' : versionIn(result);
    await trial.driver.write(aDocument(trial.address, { a: '3' }), expectation, permitted(signal));
    await expectAsRead();
  });

  it('tells another version for another incarnation with the same keys', async () => {
    await trial.create({ a: '1' });
    const before = stateIn(await versionsOf(trial), trial.address);
    await trial.store.recreate(trial.address, 'a', '1');
    await expectAsRead();
    if (told) expect(stateIn(await versionsOf(trial), trial.address)).not.toEqual(before);
  });

  it('does not report versions that it may not see, or of a store that is gone, as none', async () => {
    expect(await codeOf(collect(trial.store.denied.versions({ folder: '' }, signal)))).toBe('AUTH_DENIED');
    expect(await codeOf(collect(trial.store.unreachable.versions({ folder: '' }, signal)))).toBe(
      unreachableAs,
    );
    const reason = new Error('shutting down');
    const aborted = AbortSignal.abort(reason);
    await expect(collect(trial.driver.versions({ folder: '' }, aborted))).rejects.toBe(reason);
  });
}

/** The versions of many documents, which `names` are; called within their describe block. */
export function describeManyVersions(trial: Trial, names: readonly string[]): void {
  const { signal } = trial;
  const told = trial.subject.tellsVersions ?? true;

  it('tells the version of every name once, as a read of many finds it', async () => {
    const wanted = new Map<string, unknown>();
    for await (const outcome of trial.driver.readMany(names, signal)) {
      if ('result' in outcome)
        wanted.set(outcome.address, told ? stateOf(outcome.result) : { state: 'unknown' });
    }
    const listed = (await versionsOf(trial)).filter(({ address }) => wanted.has(address));
    expect(listed).toHaveLength(names.length);
    const found = new Map(listed.map(({ address }) => [address, stateIn(listed, address)]));
    expect(found).toEqual(wanted);
  });

  it('tells a change that happens between two pages at the latest in the next listing', async () => {
    const [first = '', last = ''] = [names.at(0), names.at(-1)];
    const added = `${trial.address}-added`;
    const before = new Map<string, unknown>();
    for (const name of [first, last]) before.set(name, stateOf(await trial.read(name)));
    const during: ListedVersion[] = [];
    for await (const each of trial.driver.versions({ folder: '' }, signal)) {
      if (during.length === 0) {
        for (const name of [first, last]) {
          const version = versionIn(await trial.read(name));
          await trial.driver.write(aDocument(name, { name }), version, permitted(signal));
        }
        await trial.driver.write(aDocument(added, { name: added }), 'absent', permitted(signal));
      }
      during.push(each);
    }
    for (const name of [first, last]) {
      const after = stateOf(await trial.read(name));
      expect([before.get(name), after, { state: 'unknown' }]).toContainEqual(stateIn(during, name));
    }
    for (const name of [first, last, added]) {
      const wanted = told ? stateOf(await trial.read(name)) : { state: 'unknown' };
      const found = async (): Promise<unknown> => stateIn(await versionsOf(trial), name);
      await expect.poll(found, SETTLED).toEqual(wanted);
    }
  });

  it('has the problems and the documents of a listing', async () => {
    await trial.store.createIllegal().catch(() => undefined); // They exist if an earlier test created them.
    const [listed, versions] = [
      await collect(trial.driver.list({ folder: '' }, signal)),
      await versionsOf(trial),
    ];
    const problemsIn = (all: readonly (ListedVersion | (typeof listed)[number])[]): readonly string[] =>
      all
        .filter((each) => isProblem(each))
        .map(({ address }) => address)
        .toSorted();
    expect(problemsIn(versions)).toEqual(problemsIn(listed));
    expect(problemsIn(versions)).not.toEqual([]);
    expect(versions.map(({ address }) => address).toSorted()).toEqual(
      listed.map(({ address }) => address).toSorted(),
    );
  });
}

async function versionsOf({ driver, signal }: Trial): Promise<readonly ListedVersion[]> {
  return collect(driver.versions({ folder: '' }, signal));
}

/** Undefined if it is not listed. */
function stateIn(listed: readonly ListedVersion[], wanted: string): VersionState | undefined {
  const found = listed.find(({ address }) => address === wanted);
  if (found === undefined) return undefined;
  if (isProblem(found)) throw new Error(`${wanted} is a problem: ${found.problem.message}`);
  const { address: _address, ...state } = found;
  return state;
}

function stateOf(result: ReadResult): VersionState {
  if (result.state === 'absent') return { state: 'absent' };
  return { state: result.state, version: versionIn(result) };
}
