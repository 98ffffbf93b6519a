import { expect, it } from 'vitest';
import type { Entry } from '#src/backends/listing.ts';
import { collect } from '#test/support/collect.ts';
import { aDocument, codeOf, presentIn, versionIn } from '#test/support/documents.ts';
import type { Trial } from './trial.ts';
import { permitted } from '#test/support/permit.ts';

/** Deletes, and what a deleted document leaves. */
export function describeDeleting(trial: Trial): void {
  const { signal } = trial;

  it('deletes the expected version, once', async () => {
    const version = await trial.create({ a: '1' });
    await trial.driver.delete(trial.address, version, permitted(signal));
    expect((await trial.read()).state).not.toBe('present');
    expect(await codeOf(trial.driver.delete(trial.address, version, permitted(signal)))).toBe('NOT_FOUND');
    expect(await codeOf(trial.driver.delete(`${trial.address}-never`, version, permitted(signal)))).toBe(
      'NOT_FOUND',
    );
  });

  it('lists the name of a deleted document only if a version still takes the name', async () => {
    await trial.driver.delete(trial.address, await trial.create({ a: '1' }), permitted(signal));
    const result = await trial.read();
    const entries = await collect<Entry>(trial.driver.list({ folder: '' }, signal));
    const listed = entries.some((entry) => entry.address === trial.address);
    expect(listed).toBe(trial.subject.listsDeleted ?? false);
    if (result.state === 'absent') return;
    expect(await codeOf(trial.create({ a: '2' }))).toBe('ALREADY_EXISTS');
    const revived = await trial.driver.write(
      aDocument(trial.address, { a: '2' }),
      versionIn(result),
      permitted(signal),
    );
    expect(presentIn(await trial.read()).version).toEqual(revived);
  });

  it('makes exactly the version readable again that was deleted, where the store keeps it', async () => {
    const { driver, address } = trial;
    if (trial.subject.listsDeleted !== true) return;
    const version = await trial.create({ a: '1' });
    const before = presentIn(await trial.read());
    await driver.delete(address, version, permitted(signal));
    await driver.undelete?.(address, version, permitted(signal));
    expect(presentIn(await trial.read())).toEqual(before);

    const later = await driver.write(aDocument(address, { a: '2' }), version, permitted(signal));
    await driver.delete(address, later, permitted(signal));
    const other = driver.undelete?.(address, version, permitted(signal));
    expect(other && (await codeOf(other))).toBe('VERSION_CONFLICT');
    const never = driver.undelete?.(`${address}-never`, version, permitted(signal));
    expect(never && (await codeOf(never))).toBe('NOT_FOUND');
    expect((await trial.read()).state).toBe('deleted');
  });
}
