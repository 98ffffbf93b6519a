import { expect, it } from 'vitest';
import type { StoredDocument } from '#src/core/document.ts';
import { collect } from '#test/support/collect.ts';
import { aDocument, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import type { Trial } from './trial.ts';

type Mark = Pick<StoredDocument, 'reflects' | 'isMarked'>;

/** Which version at the other side a document was written from. A store without a place for it ignores it. */
export function describeReflecting(trial: Trial): void {
  const { signal } = trial;
  const expected = (mark: Mark): Mark => (trial.subject.keepsReflected === true ? mark : {});
  const first = { identity: '2026-11-27T16:52:13.123456789Z', revision: '7' };
  const second = { identity: 'a b/ü%', revision: '8' };

  it('says which version it was written from, and which one that write replaced', async () => {
    const document = aDocument(trial.address, { a: '1' });
    const created = await trial.driver.write(
      { ...document, reflects: { version: first } },
      'absent',
      permitted(signal),
    );
    expect(await markOf(trial)).toEqual(expected({ reflects: { version: first }, isMarked: true }));
    const reflects = { version: second, replaced: 'what the driver fills in' };
    await trial.driver.write({ ...document, reflects }, created, permitted(signal));
    const replaced = created.revision;
    const mark = expected({ reflects: { version: second, replaced }, isMarked: true });
    expect(await markOf(trial)).toEqual(mark);
    const [outcome] = await collect(trial.driver.readMany([trial.address], signal));
    expect(outcome).toMatchObject({ result: { document: mark } });
  });

  it('says nothing after a write that reflects nothing, or only what this process knows', async () => {
    const document = aDocument(trial.address, { a: '1' });
    const marked = { ...document, reflects: { version: first } };
    const created = await trial.driver.write(marked, 'absent', permitted(signal));
    const plain = await trial.driver.write(aDocument(trial.address, { a: '2' }), created, permitted(signal));
    expect(await markOf(trial)).toEqual({});
    const again = await trial.driver.write(marked, plain, permitted(signal));
    const ephemeral = { version: { ...second, isEphemeral: true as const } };
    await trial.driver.write({ ...document, reflects: ephemeral }, again, permitted(signal));
    expect(await markOf(trial)).toEqual({});
  });
}

async function markOf(trial: Trial): Promise<Mark> {
  const { reflects, isMarked } = presentIn(await trial.read());
  return {
    ...(reflects === undefined ? {} : { reflects }),
    ...(isMarked === undefined ? {} : { isMarked }),
  };
}
