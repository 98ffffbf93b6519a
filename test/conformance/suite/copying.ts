import { expect, it } from 'vitest';
import type { CopyStore } from '#src/backends/driver.ts';
import { collect } from '#test/support/collect.ts';
import { aDocument, codeOf, contentOf, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import type { Trial } from './trial.ts';

const AT = '2026-11-27T20:00:00Z';
const LATER = '2026-11-28T20:00:00Z';

/** Copies of values that are replaced. Only for stores that keep copies. */
export function describeCopies(trial: Trial): void {
  const { signal } = trial;
  const permit = permitted(signal);
  const discarded = async (copies: CopyStore, at: string): Promise<readonly unknown[]> =>
    collect(copies.discardExpired(Date.parse(at), permit));

  it('keeps a copy of exactly the state that was read, and leaves the original as it is', async () => {
    const { backups, copies } = trial.driver;
    if (copies === undefined) return;
    const version = await trial.create({ value: Buffer.from([0xc3, 0x28]) });
    const before = presentIn(await trial.read());
    const copy = await copies.keep(trial.address, version, AT, permit);
    expect(presentIn(await trial.read())).toEqual(before);

    await trial.driver.write(aDocument(trial.address, { value: 'new' }), version, permit);
    const kept = await backups?.get(copy, signal);
    expect(kept && contentOf(kept)).toEqual(contentOf(before));
    expect(trial.driver.addressRefusalOf(copy)?.reason).toBe('NameRefused');
    const listed = await collect(trial.driver.list({ folder: '' }, signal));
    expect(listed.map(({ address }) => address)).not.toContain(copy);
    await discarded(copies, AT);
    expect(await backups?.get(copy, signal)).toBeUndefined();
  });

  it('keeps no other state than the one that was read', async () => {
    const { copies } = trial.driver;
    if (copies === undefined) return;
    const version = await trial.create({ a: '1' });
    const second = await trial.driver.write(aDocument(trial.address, { a: '2' }), version, permit);
    expect(await codeOf(copies.keep(trial.address, version, AT, permit))).toBe('VERSION_CONFLICT');
    await trial.driver.delete(trial.address, second, permit);
    expect(await codeOf(copies.keep(trial.address, second, AT, permit))).toBe('NOT_FOUND');
    expect(await discarded(copies, LATER)).toEqual([]);
  });

  it('counts an equal copy as its own, which then expires at the later time', async () => {
    const { copies } = trial.driver;
    if (copies === undefined) return;
    const version = await trial.create({ a: '1' });
    const copy = await copies.keep(trial.address, version, AT, permit);
    expect(await copies.keep(trial.address, version, LATER, permit)).toBe(copy);
    expect(await copies.keep(trial.address, version, AT, permit)).toBe(copy);
    expect(await discarded(copies, AT)).toEqual([]);
    expect(await discarded(copies, LATER)).toEqual([{ address: copy }]);
    expect(await discarded(copies, LATER)).toEqual([]);
  });

  it('discards no backup of a source that was moved', async () => {
    const { backups, copies } = trial.driver;
    if (backups === undefined || copies === undefined) return;
    const version = await trial.create({ a: '1' });
    const backup = await backups.retire(trial.address, version, permit);
    expect(await discarded(copies, '2999-01-01T00:00:00Z')).toEqual([]);
    expect(await backups.has(trial.address, signal)).toBe(true);
    await backups.discard(backup, permit);
  });
}
