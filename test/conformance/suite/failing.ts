import { expect, it } from 'vitest';
import { collect } from '#test/support/collect.ts';
import { aDocument, codeOf } from '#test/support/documents.ts';
import type { Trial } from './trial.ts';
import { permitted } from '#test/support/permit.ts';

/** Failures of a store that is denied or unreachable. */
export function describeFailures(trial: Trial): void {
  const { signal, unreachableAs } = trial;

  it('distinguishes absent, denied and unreachable in a read', async () => {
    expect(await trial.read()).toEqual({ state: 'absent' });
    expect(await codeOf(trial.store.denied.read(trial.address, signal))).toBe('AUTH_DENIED');
    expect(await codeOf(trial.store.unreachable.read(trial.address, signal))).toBe(unreachableAs);
  });

  it('distinguishes denied and unreachable in a write, and reports that neither was applied', async () => {
    const document = aDocument(trial.address, { a: 'b' });
    for (const [broken, code] of [
      [trial.store.denied, 'AUTH_DENIED'],
      [trial.store.unreachable, unreachableAs],
    ] as const) {
      const write = broken.write(document, 'absent', permitted(signal));
      await expect(write).rejects.toMatchObject({ code, indeterminate: false });
    }
    expect(await trial.read()).toEqual({ state: 'absent' });
  });

  it('does not report a denied listing as empty', async () => {
    expect(await codeOf(collect(trial.store.denied.list({ folder: '' }, signal)))).toBe('AUTH_DENIED');
    expect(await codeOf(collect(trial.store.unreachable.list({ folder: '' }, signal)))).toBe(unreachableAs);
  });

  it('rejects with the reason of the signal', async () => {
    const reason = new Error('shutting down');
    const aborted = AbortSignal.abort(reason);
    const document = aDocument(trial.address, { a: 'b' });
    await expect(trial.driver.read(trial.address, aborted)).rejects.toBe(reason);
    await expect(trial.driver.write(document, 'absent', permitted(aborted))).rejects.toBe(reason);
    await expect(collect(trial.driver.list({ folder: '' }, aborted))).rejects.toBe(reason);
    expect(await trial.read()).toEqual({ state: 'absent' });
  });

  it('reports denied operations without doing them', async () => {
    const need = { address: trial.address, verbs: ['read', 'create', 'delete'] as const };
    expect(await trial.driver.denied([need], signal)).toEqual(new Map());
    const refusals = await trial.store.denied.denied([need], signal);
    expect(refusals.get(trial.address)).toMatchObject({ reason: 'PermissionDenied' });
  });
}
