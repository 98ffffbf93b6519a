import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { isMomentary } from './finish.ts';

describe('a backend that is not ready', () => {
  const failure = new OperatorError('BACKEND_NOT_READY', { op: 'backend.circuit' });

  it('is tried again soon while the watch shows it as Ready: nothing else wakes the migration then', () => {
    expect(isMomentary(failure, true)).toBe(true);
  });

  it('is waited for once the watch shows the trouble: its end wakes the migration', () => {
    expect(isMomentary(failure, false)).toBe(false);
  });

  it('is the only failure that is excused like that', () => {
    expect(isMomentary(new OperatorError('BACKEND_SEALED', { op: 'kv.read' }), true)).toBe(false);
  });
});
