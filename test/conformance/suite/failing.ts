import { expect, it } from 'vitest';
import { collect } from '#test/support/collect.ts';
import { aDocument, codeOf } from '#test/support/documents.ts';
import type { Trial } from './trial.ts';

/** What a caller sees when a store cannot or must not answer. */
export function describeFailures(trial: Trial): void {
  const { signal, unreachableAs } = trial;

  it('tells absent, denied and unreachable apart, when reading', async () => {
    expect(await trial.read()).toEqual({ state: 'absent' });
    expect(await codeOf(trial.place.denied.read(trial.address, signal))).toBe('AUTH_DENIED');
    expect(await codeOf(trial.place.unreachable.read(trial.address, signal))).toBe(unreachableAs);
  });

  it('tells denied and unreachable apart, when writing, and says that neither was applied', async () => {
    const document = aDocument(trial.address, { a: 'b' });
    for (const [broken, code] of [
      [trial.place.denied, 'AUTH_DENIED'],
      [trial.place.unreachable, unreachableAs],
    ] as const) {
      const write = broken.write(document, 'absent', signal);
      await expect(write).rejects.toMatchObject({ code, indeterminate: false });
    }
    expect(await trial.read()).toEqual({ state: 'absent' });
  });

  it('does not take a denied listing for an empty one', async () => {
    expect(await codeOf(collect(trial.place.denied.list({ folder: '' }, signal)))).toBe('AUTH_DENIED');
    expect(await codeOf(collect(trial.place.unreachable.list({ folder: '' }, signal)))).toBe(unreachableAs);
  });

  it('rejects with the reason of its signal', async () => {
    const reason = new Error('shutting down');
    const aborted = AbortSignal.abort(reason);
    const document = aDocument(trial.address, { a: 'b' });
    await expect(trial.driver.read(trial.address, aborted)).rejects.toBe(reason);
    await expect(trial.driver.write(document, 'absent', aborted)).rejects.toBe(reason);
    await expect(collect(trial.driver.list({ folder: '' }, aborted))).rejects.toBe(reason);
    expect(await trial.read()).toEqual({ state: 'absent' });
  });

  it('says what may not be done, without doing it', async () => {
    const need = { address: trial.address, verbs: ['read', 'create', 'delete'] as const };
    expect(await trial.driver.denied([need], signal)).toEqual(new Map());
    const refusals = await trial.place.denied.denied([need], signal);
    expect(refusals.get(trial.address)).toMatchObject({ reason: 'PermissionDenied' });
  });
}
