import { expect, it } from 'vitest';
import { aDocument, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import type { Trial } from './trial.ts';

/** The mark of a projection. Only for stores in which a document can be one. */
export function describeProjections(trial: Trial): void {
  const { signal } = trial;

  it('takes off the mark of this origin only, and changes nothing else', async () => {
    const { projections } = trial.driver;
    if (projections === undefined) return;
    const { address } = trial;
    const document = aDocument(address, { a: '1' }, { annotations: new Map([['note', 'b']]) });
    await trial.driver.write(document, 'absent', permitted(signal));
    const before = presentIn(await trial.read());
    await projections.mark(address, before.version, 'here', permitted(signal));
    const marked = presentIn(await trial.read());
    expect(marked.version).not.toEqual(before.version);

    await projections.unmark(address, marked.version, 'elsewhere', permitted(signal));
    expect(presentIn(await trial.read()).version).toEqual(marked.version);
    await projections.unmark(address, marked.version, 'here', permitted(signal));
    const after = presentIn(await trial.read());
    expect({ ...after, version: before.version }).toEqual(before);
    expect(after.version).not.toEqual(marked.version);
    await projections.unmark(address, after.version, 'here', permitted(signal));
    expect(presentIn(await trial.read()).version).toEqual(after.version);
  });
}
