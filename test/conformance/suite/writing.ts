import { expect, it } from 'vitest';
import { sameVersion } from '#src/core/document.ts';
import { aDocument, codeOf, contentOf, presentIn } from '#test/support/documents.ts';
import type { Trial } from './trial.ts';
import { permitted } from '#test/support/permit.ts';

/** Creates and replaces, and every failed precondition. */
export function describeWriting(trial: Trial): void {
  const { signal } = trial;

  it('returns the same version from a write and the next read', async () => {
    const version = await trial.create({ user: 'admin', password: 'p' });
    const document = presentIn(await trial.read());
    expect(document.version).toEqual(version);
    expect(contentOf(document)).toEqual(
      contentOf(aDocument(trial.address, { user: 'admin', password: 'p' })),
    );
  });

  it('refuses to create a document that exists, and does not change it', async () => {
    const version = await trial.create({ a: 'first' });
    expect(await codeOf(trial.create({ a: 'second' }))).toBe('ALREADY_EXISTS');
    const document = presentIn(await trial.read());
    expect(document.version).toEqual(version);
    expect(document.fields.get('a')?.reveal().toString()).toBe('first');
  });

  it('lets exactly one of many simultaneous creates win', async () => {
    const attempts = Array.from({ length: 8 }, (_, index) => codeOf(trial.create({ winner: String(index) })));
    const codes = await Promise.all(attempts);
    expect(codes.filter((code) => code === 'none')).toHaveLength(1);
    expect(codes.filter((code) => code === 'ALREADY_EXISTS')).toHaveLength(7);
    expect(
      presentIn(await trial.read())
        .fields.get('winner')
        ?.reveal()
        .toString(),
    ).toBe(String(codes.indexOf('none')));
  });

  it('replaces all keys of the expected version as one new version', async () => {
    const first = await trial.create({ kept: 'old', dropped: 'x' });
    const second = await trial.driver.write(
      aDocument(trial.address, { kept: 'new', added: 'y' }),
      first,
      permitted(signal),
    );
    expect(sameVersion(first, second)).toBe(false);
    const document = presentIn(await trial.read());
    expect(document.version).toEqual(second);
    expect(contentOf(document)).toEqual(contentOf(aDocument(trial.address, { kept: 'new', added: 'y' })));
  });

  it('refuses to overwrite or delete a version that is not current any more', async () => {
    const first = await trial.create({ a: '1' });
    const second = await trial.driver.write(aDocument(trial.address, { a: '2' }), first, permitted(signal));
    expect(
      await codeOf(trial.driver.write(aDocument(trial.address, { a: '3' }), first, permitted(signal))),
    ).toBe('VERSION_CONFLICT');
    expect(await codeOf(trial.driver.delete(trial.address, first, permitted(signal)))).toBe(
      'VERSION_CONFLICT',
    );
    const document = presentIn(await trial.read());
    expect(document.version).toEqual(second);
    expect(document.fields.get('a')?.reveal().toString()).toBe('2');
  });

  it('refuses to overwrite or delete another incarnation of the name', async () => {
    const first = await trial.create({ a: '1' });
    await trial.store.recreate(trial.address, 'a', 'theirs');
    expect(
      await codeOf(trial.driver.write(aDocument(trial.address, { a: '2' }), first, permitted(signal))),
    ).toBe('VERSION_CONFLICT');
    expect(await codeOf(trial.driver.delete(trial.address, first, permitted(signal)))).toBe(
      'VERSION_CONFLICT',
    );
    expect(
      presentIn(await trial.read())
        .fields.get('a')
        ?.reveal()
        .toString(),
    ).toBe('theirs');
  });

  it('refuses to write with a version if the name never existed', async () => {
    const version = await trial.create({ a: '1' });
    const elsewhere = aDocument(`${trial.address}-other`, { a: '1' });
    expect(await codeOf(trial.driver.write(elsewhere, version, permitted(signal)))).toBe('VERSION_CONFLICT');
    expect(await trial.read(`${trial.address}-other`)).toEqual({ state: 'absent' });
  });
}

/** Of a store whose reply to a write shows what it stored. */
export function describeReplies(trial: Trial): void {
  const { signal } = trial;

  it('shows in its reply to a write, if it shows any of it, what a read of that version finds', async () => {
    const { writeAndRead } = trial.driver;
    if (writeAndRead === undefined) return;
    const write = writeAndRead.bind(trial.driver);
    const created = await write(aDocument(trial.address, { a: '1', b: 'x' }), 'absent', permitted(signal));
    expect(created).toEqual(presentIn(await trial.read()));
    expect(await codeOf(write(aDocument(trial.address, { a: '2' }), 'absent', permitted(signal)))).toBe(
      'ALREADY_EXISTS',
    );
    const replaced = await write(aDocument(trial.address, { a: '2' }), created.version, permitted(signal));
    expect(replaced).toEqual(presentIn(await trial.read()));
    expect(sameVersion(created.version, replaced.version)).toBe(false);
    expect(
      await codeOf(write(aDocument(trial.address, { a: '3' }), created.version, permitted(signal))),
    ).toBe('VERSION_CONFLICT');
  });
}
