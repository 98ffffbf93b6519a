import { expect, it } from 'vitest';
import { aDocument, codeOf, contentOf, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import type { Trial } from './trial.ts';

/** Another value for an immutable document. Only for stores that have such documents. */
export function describeRecreating(trial: Trial): void {
  const permit = permitted(trial.signal);
  const isFor = (): boolean => trial.driver.traits.statesAttributes;

  it('refuses another value for an immutable document, and gives it one by creating it again', async () => {
    if (!isFor()) return;
    const attributes = { immutable: true, metadata: new Map([['team', 'web']]) } as const;
    const first = await trial.driver.write(
      aDocument(trial.address, { a: '1' }, attributes),
      'absent',
      permit,
    );
    const changed = aDocument(trial.address, { b: '2' }, { metadata: new Map([['more', 'x']]) });
    expect(await codeOf(trial.driver.write(changed, first, permit))).toBe('DOCUMENT_IMMUTABLE');
    expect(presentIn(await trial.read()).version).toEqual(first);

    const reflects = { version: { identity: 'i', revision: '7' } };
    const second = await trial.driver.recreate?.({ ...changed, reflects }, first, permit);
    const found = presentIn(await trial.read());
    expect(found.version).toEqual(second);
    expect(found.version.identity).not.toBe(first.identity);
    const metadata = new Map([
      ['team', 'web'],
      ['more', 'x'],
    ]);
    const wanted = aDocument(trial.address, { b: '2' }, { immutable: true, metadata });
    expect(contentOf(found).fields).toEqual(contentOf(wanted).fields);
    expect(found.attributes.immutable).toBe(true);
    expect(Object.fromEntries(found.attributes.metadata ?? [])).toEqual(Object.fromEntries(metadata));
    expect(found.reflects).toEqual({ ...reflects, replaced: first.revision });
  });

  it('creates nothing again that changed since it was read, or is gone', async () => {
    if (!isFor()) return;
    const first = await trial.create({ a: '1' });
    const changed = aDocument(trial.address, { a: '3' });
    const second = await trial.driver.write(aDocument(trial.address, { a: '2' }), first, permit);
    expect(await codeOf(trial.driver.recreate?.(changed, first, permit) ?? trial.read())).toBe(
      'VERSION_CONFLICT',
    );
    await trial.driver.delete(trial.address, second, permit);
    expect(await codeOf(trial.driver.recreate?.(changed, second, permit) ?? trial.read())).toBe('NOT_FOUND');
    expect(await trial.read()).toEqual({ state: 'absent' });
  });
}
