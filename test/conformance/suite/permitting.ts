import { expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import { aDocument, codeOf, presentIn } from '#test/support/documents.ts';
import type { Trial } from './trial.ts';

/** The permit of a change, which a driver asks right before it changes anything. */
export function describePermits(trial: Trial): void {
  const { signal } = trial;
  const withdrawn: Permit = {
    signal,
    require: () => {
      throw new OperatorError('LEASE_LOST', { op: 'test.permit' });
    },
  };

  it('changes nothing without a permit', async () => {
    const created = trial.driver.write(aDocument(trial.address, { a: '1' }), 'absent', withdrawn);
    expect(await codeOf(created)).toBe('LEASE_LOST');
    expect(await trial.read()).toEqual({ state: 'absent' });

    const version = await trial.create({ a: '1' });
    const before = presentIn(await trial.read());
    const replaced = trial.driver.write(aDocument(trial.address, { a: '2' }), version, withdrawn);
    expect(await codeOf(replaced)).toBe('LEASE_LOST');
    expect(await codeOf(trial.driver.delete(trial.address, version, withdrawn))).toBe('LEASE_LOST');
    const backedUp = trial.driver.backups?.retire(trial.address, version, withdrawn);
    if (backedUp !== undefined) expect(await codeOf(backedUp)).toBe('LEASE_LOST');
    const kept = trial.driver.copies?.keep(trial.address, version, '2099-01-01T00:00:00Z', withdrawn);
    if (kept !== undefined) expect(await codeOf(kept)).toBe('LEASE_LOST');
    const marked = trial.driver.projections?.mark(trial.address, version, 'origin', withdrawn);
    if (marked !== undefined) expect(await codeOf(marked)).toBe('LEASE_LOST');

    const after = presentIn(await trial.read());
    expect(after.version).toEqual(before.version);
    expect(after.fields).toEqual(before.fields);
  });
}
