import { expect, it } from 'vitest';
import { aDocument, codeOf, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import type { Trial } from './trial.ts';

/** What a backup is until it is discarded: the document that was removed. Only for stores that keep backups. */
export function describeBackups(trial: Trial): void {
  const { signal } = trial;

  it('keeps in a backup what was removed, as it was, for as long as it is not discarded', async () => {
    const { backups } = trial.driver;
    if (backups === undefined) return;
    const pairs = { metadata: new Map([['team', 'a']]), annotations: new Map([['note', 'b']]) };
    const has = trial.driver.traits.statesAttributes ? pairs : {};
    const document = aDocument(trial.address, { value: Buffer.from([0xc3, 0x28]) }, has);
    const version = await trial.driver.write(document, 'absent', permitted(signal));
    const { attributes } = presentIn(await trial.read());
    expect(await backups.get(backups.addressOf(trial.address), signal)).toBeUndefined();
    const backup = await backups.retire(trial.address, version, permitted(signal));
    expect(backup).toBe(backups.addressOf(trial.address));

    const kept = await backups.get(backup, signal);
    expect(kept?.fields).toEqual(document.fields);
    expect([kept?.address, kept?.attributes]).toEqual([backup, attributes]);
    expect(attributes).toEqual(has);
    await backups.discard(backup, permitted(signal));
    expect(await backups.get(backup, signal)).toBeUndefined();
  });

  it('takes no other document for a backup', async () => {
    const { backups } = trial.driver;
    if (backups === undefined) return;
    await trial.create({ value: 'v' });
    expect(await codeOf(backups.get(trial.address, signal))).toBe('DOCUMENT_REFUSED');
  });
}
