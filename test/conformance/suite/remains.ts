import { expect, it } from 'vitest';
import { aDocument, codeOf, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import type { Trial } from './trial.ts';

/** What an overwrite leaves of the version before, and what a write that was cut off leaves. */
export function describeRemains(trial: Trial): void {
  const { signal } = trial;

  it('keeps the replaced version readable by its revision, unless it says before that it will not', async () => {
    const { capabilities } = await trial.driver.probe(signal);
    const first = await trial.create({ a: 'old' });
    const refusal = await trial.driver.overwriteRefusal?.(trial.address, signal);
    await trial.driver.write(aDocument(trial.address, { a: 'new' }), first, permitted(signal));
    if (refusal !== undefined || !capabilities.includes('Versions')) return;
    const prior = presentIn(await trial.driver.read(trial.address, signal, first.revision));
    expect(prior.version).toEqual(first);
    expect(prior.fields.get('a')?.reveal().toString()).toBe('old');
  });

  it('undoes nothing where no write was cut off, and nothing for another version', async () => {
    const first = await trial.create({ a: '1' });
    await trial.driver.undo?.(trial.address, first, permitted(signal));
    const document = presentIn(await trial.read());
    expect(document.version).toEqual(first);
    const other = { ...first, revision: `${first.revision}0` };
    const undone = trial.driver.undo?.(trial.address, other, permitted(signal));
    // A layer has the operation, whether the store below it does or not.
    if (trial.subject.undoesWrites === true)
      expect(await codeOf(undone ?? Promise.resolve())).toBe('VERSION_CONFLICT');
    else await undone;
    expect(presentIn(await trial.read()).version).toEqual(first);
  });
}
