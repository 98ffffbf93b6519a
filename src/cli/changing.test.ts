import { describe, expect, it } from 'vitest';
import { scriptedSession } from '#test/support/scripted-session.ts';
import { ready, shownMigration, stalled } from '#test/support/shown-migrations.ts';
import { parseTimeout } from './duration.ts';
import { retryIn } from './retry.ts';
import { undoIn } from './undo.ts';

const TOKEN = '2026-01-01T00:00:00.000Z';
const ANNOTATION = 'keyferry.io/reconcile-requested-at';

describe('retry', () => {
  it('requests a run, and keeps the other annotations', async () => {
    const metadata = { annotations: { team: 'payments' } };
    const { out, server, session } = scriptedSession({ objects: [shownMigration('payments', { metadata })] });
    expect(await retryIn(session, 'payments', undefined)).toBe(0);
    expect(out()).toBe('secretmigration.keyferry.io/payments run requested\n');
    expect(server.get('SecretMigration', 'payments')?.metadata['annotations']).toEqual({
      team: 'payments',
      [ANNOTATION]: TOKEN,
    });
  });

  it.each([
    [0, ready('True', 'Completed'), []],
    [1, ready('False', 'ConflictsFound'), []],
    [1, ready('False', 'PartiallyFailed'), [stalled('PartiallyFailed')]],
    [0, ready('Unknown', 'AwaitingSoak'), []],
  ])('ends with %i for the verdict of the requested run', async (code, verdict, others) => {
    let reads = 0;
    const { err, session } = scriptedSession({
      objects: [
        shownMigration('payments', { status: { conditions: [ready('False', 'ConflictsFound', 'Old.')] } }),
      ],
      status: ({ status }) => {
        reads += 1;
        const isHandled = reads > 4;
        return isHandled
          ? { observedGeneration: 1, lastHandledReconcileAt: TOKEN, conditions: [verdict, ...others] }
          : Object(status);
      },
    });
    expect(await retryIn(session, 'payments', { timeoutMs: 60_000 })).toBe(code);
    expect(err()).toContain(verdict.message);
    expect(err()).not.toContain('Old.');
  });

  it('says so where the migration is suspended', async () => {
    const { err, session } = scriptedSession({
      objects: [shownMigration('payments', { spec: { suspend: true } })],
    });
    await retryIn(session, 'payments', undefined);
    expect(err()).toContain('kubectl keyferry resume payments -n shop');
  });
});

describe('undo', () => {
  const summary = {
    total: 3,
    pending: 0,
    copied: 0,
    verified: 1,
    removed: 2,
    conflict: 0,
    failed: 0,
    skipped: 0,
  };
  const moved = shownMigration('payments', { status: { summary } });

  it('asks, says what comes back, and sets spec.undo', async () => {
    const { err, out, server, session } = scriptedSession({ objects: [moved], answer: 'yes\n' });
    expect(await undoIn(session, 'payments', { isConfirmed: false, wait: undefined })).toBe(0);
    expect(err()).toContain('2 removed keys come back at the source, and 3 copies');
    expect(out()).toBe('secretmigration.keyferry.io/payments undo requested\n');
    expect(server.get('SecretMigration', 'payments')).toMatchObject({ spec: { undo: true } });
  });

  it('changes nothing without a yes, and needs -y where nobody can be asked', async () => {
    const no = scriptedSession({ objects: [moved], answer: 'n\n' });
    expect(await undoIn(no.session, 'payments', { isConfirmed: false, wait: undefined })).toBe(1);
    const pipe = scriptedSession({ objects: [moved] });
    await expect(undoIn(pipe.session, 'payments', { isConfirmed: false, wait: undefined })).rejects.toThrow(
      '-y',
    );
    expect([...no.server.sent('PATCH'), ...pipe.server.sent('PATCH')]).toEqual([]);
  });

  it.each([
    [0, [ready('True', 'Undone')]],
    [1, [ready('False', 'UndoIncomplete')]],
    [1, [ready('False', 'PartiallyFailed'), stalled('PartiallyFailed')]],
  ])('waits for the end, and ends with %i', async (code, conditions) => {
    const { session } = scriptedSession({
      objects: [moved],
      status: ({ metadata }) =>
        Number(metadata.resourceVersion) > 105
          ? { observedGeneration: 1, conditions }
          : { observedGeneration: 1 },
    });
    expect(await undoIn(session, 'payments', { isConfirmed: true, wait: { timeoutMs: 60_000 } })).toBe(code);
  });
});

describe('--timeout', () => {
  it('is a duration as kubectl writes it, and 0 has no end', () => {
    expect(parseTimeout('90s')).toBe(90_000);
    expect(parseTimeout('1h30m')).toBe(5_400_000);
    expect(parseTimeout('0')).toBeUndefined();
    expect(parseTimeout('0s')).toBeUndefined();
    for (const wrong of ['', '5', 'm5', '5 m', '-5m', '1.5h'])
      expect(() => parseTimeout(wrong)).toThrow('--timeout');
  });
});
