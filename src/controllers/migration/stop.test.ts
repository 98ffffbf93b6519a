import { describe, expect, it } from 'vitest';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { stopped } from '#src/errors/stopped.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { objectKey } from '#src/runtime/store.ts';
import { RunningAttempts } from './running.ts';
import { Stop } from './stop.ts';

const reason = stopped('The migration was suspended.');

function aStop() {
  const clock = new ManualClock();
  const reconcile = new AbortController();
  return { clock, reconcile, stop: new Stop(clock, reconcile.signal) };
}

const aborted = ({ signal, settling, finishing }: Stop): readonly boolean[] =>
  [signal, settling, finishing].map((each) => each.aborted);

describe('a stop', () => {
  it('ends the work at once, what was sent five seconds later, and leaves time to store what became of it', async () => {
    const { clock, stop } = aStop();
    stop.stop(reason);
    expect(aborted(stop)).toEqual([true, false, false]);
    await clock.advance(5_000);
    expect(aborted(stop)).toEqual([true, true, false]);
    expect([stop.because, stop.signal.reason, stop.settling.reason]).toEqual([reason, reason, reason]);
    stop.finish();
    await clock.advance(60_000);
    expect(stop.finishing.reason).toMatchObject({ code: 'DEADLINE', op: 'migration.finish' });
  });

  it('of a right that was withdrawn leaves no time for what was sent', () => {
    const { stop } = aStop();
    const [retired, revoked] = [new AbortController(), new AbortController()];
    stop.follow({ retired: retired.signal, revoked: revoked.signal });
    revoked.abort(reason);
    expect(aborted(stop)).toEqual([true, true, false]);
  });

  it('is not the end of the reconcile, which ends everything at once', () => {
    const { reconcile, stop } = aStop();
    reconcile.abort(new Error('shutdown'));
    expect(aborted(stop)).toEqual([true, true, true]);
    stop.stop(reason);
    expect(stop.because).toBeUndefined();
  });

  it('leaves no timer and no listener when it is disposed of', () => {
    const { clock, stop } = aStop();
    stop.stop(reason);
    stop.finish();
    stop[Symbol.dispose]();
    expect(clock.pending).toBe(0);
  });
});

interface Changed {
  readonly uid?: string;
  readonly generation?: number;
  readonly suspend?: boolean;
  readonly deletionTimestamp?: string;
}

function aMigrationWith({ suspend = false, ...metadata }: Changed = {}): SecretMigration {
  const { spec, ...migration } = aMigration('m');
  const parsed = parseSecretMigration({
    ...migration,
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 2, ...metadata },
    spec: { ...spec, suspend },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

describe('an attempt under way', () => {
  const mine = aMigrationWith();

  it.each<[string, SecretMigration | undefined, string | undefined]>([
    ['its spec changed', aMigrationWith({ generation: 3 }), 'The spec of the migration changed.'],
    ['it is suspended', aMigrationWith({ generation: 3, suspend: true }), 'The migration was suspended.'],
    ['it is gone', undefined, 'The migration was deleted.'],
    [
      'it is going',
      aMigrationWith({ deletionTimestamp: '2026-01-01T00:00:00Z' }),
      'The migration was deleted.',
    ],
    ['only its status changed', aMigrationWith(), undefined],
    ['the watch is behind', aMigrationWith({ generation: 1 }), undefined],
    ['another one of its name came', aMigrationWith({ uid: 'other', generation: 9 }), undefined],
  ])('learns from the watch whether it must stop: %s', (_what, current, because) => {
    const { stop } = aStop();
    const attempts = new RunningAttempts();
    using _running = attempts.add(mine, stop, mine);
    attempts.onChange({ old: mine, current });
    if (because === undefined) expect(stop.because).toBeUndefined();
    else expect(stop.because?.message).toContain(because);
  });

  it('stops at once when the watch is ahead of what it has read, and hears nothing after its end', () => {
    const attempts = new RunningAttempts();
    const { stop } = aStop();
    attempts.add(mine, stop, aMigrationWith({ generation: 3 }))[Symbol.dispose]();
    expect(stop.because).toBeDefined();
    const later = aStop();
    attempts.add(mine, later.stop, mine)[Symbol.dispose]();
    attempts.onChange({ old: mine, current: undefined });
    expect(later.stop.because).toBeUndefined();
  });

  it('stops with all others at the end of the process, also if it begins after that', () => {
    const attempts = new RunningAttempts();
    const [before, after] = [aStop(), aStop()];
    using _first = attempts.add(mine, before.stop, undefined);
    attempts.stopAll('It was asked to stop.');
    using _second = attempts.add(mine, after.stop, undefined);
    for (const { stop } of [before, after]) expect(stop.because?.message).toContain('It was asked to stop.');
  });

  it('stops when another replica takes its namespace over, also if it begins in that moment, and not afterwards', () => {
    const attempts = new RunningAttempts();
    const [before, meanwhile, later, other] = [aStop(), aStop(), aStop(), aStop()];
    using _before = attempts.add(mine, before.stop, undefined);
    const taking = attempts.stopAmong((key) => key === objectKey(mine.metadata), 'Taken over.');
    using _meanwhile = attempts.add(mine, meanwhile.stop, undefined);
    using _other = attempts.add(
      { ...mine, metadata: { ...mine.metadata, namespace: 'other' } },
      other.stop,
      undefined,
    );
    taking[Symbol.dispose]();
    using _later = attempts.add(mine, later.stop, undefined);
    const isStopped = [before, meanwhile, other, later].map(({ stop }) => stop.because !== undefined);
    expect(isStopped).toEqual([true, true, false, false]);
  });
});
