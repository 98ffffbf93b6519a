import { describe, expect, it } from 'vitest';
import type { CachedObject } from '#src/runtime/store.ts';
import { OperatorError } from '#src/errors.ts';
import { aSyncMigration, inStep } from '#test/support/followed.ts';
import { aWatchedSecret, SyncRig } from '#test/support/sync-rig.ts';

const KEY = 'ns/m';

/** As a pass records it that read this state of the Secret. */
function read({ metadata }: CachedObject) {
  const { name, resourceVersion: version, uid: identity } = metadata;
  return { ...inStep(name, '', '1'), source: { version, identity } };
}

function valueOf(rig: SyncRig, gauge: string): number | undefined {
  return [...rig.following.samples([])].find(({ name }) => name === gauge)?.value;
}

const lagOf = (rig: SyncRig) => valueOf(rig, 'secretmigration_sync_lag_seconds');
const overdueOf = (rig: SyncRig) => valueOf(rig, 'secretmigration_sync_overdue_seconds');

describe('a watch of Secrets', () => {
  it('wakes the migration whose source has the Secret, and no other', async () => {
    await using rig = new SyncRig();
    const secret = aWatchedSecret('a', '1');
    const followed = rig.begin([read(secret)]);
    rig.begin([], { select: { names: ['b'] } }, { name: 'other' });
    rig.begin([], {}, { name: 'elsewhere', namespace: 'elsewhere' });
    rig.secretChanged(secret);
    expect(rig.woken).toEqual([]);
    rig.secretChanged(aWatchedSecret('a', '2'));
    expect(rig.woken).toEqual([KEY]);
    expect(followed.take()).toEqual(new Set(['a']));
    rig.secretDeleted('a');
    expect(followed.take()).toEqual(new Set(['a']));
  });

  it('wakes the migration whose destination has the Secret', async () => {
    await using rig = new SyncRig();
    const followed = rig.begin([inStep('a', '1', '1', 'a')], {
      from: 'bao',
      to: 'kubernetes',
      mapping: { path: '{name}' },
    });
    rig.secretChanged(aWatchedSecret('foreign', '1'));
    expect(rig.woken).toEqual([]);
    rig.secretChanged(aWatchedSecret('a', '2'));
    expect(rig.woken).toEqual([KEY]);
    expect(followed.take()).toEqual(new Set(['a']));
  });

  it('wakes the migration for a new Secret that it selects by labels, and for one that it selects no longer', async () => {
    await using rig = new SyncRig();
    const select = { labelSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' as const }] } };
    const followed = rig.begin([], { select });
    rig.secretChanged(aWatchedSecret('a', '1'));
    expect(rig.woken).toEqual([]);
    const labeled = aWatchedSecret('a', '2', { labels: { team: 'core' } });
    rig.secretChanged(labeled);
    expect(followed.take()).toEqual(new Set(['a']));
    followed.remember([read(labeled)], 'some');
    rig.secretChanged(aWatchedSecret('a', '3'));
    expect(followed.take()).toEqual(new Set(['a']));
    expect(rig.woken).toEqual([KEY, KEY]);
  });

  it('leaves a new Secret whose labels are too many to be known to the next pass', async () => {
    await using rig = new SyncRig();
    const select = { labelSelector: { matchLabels: { team: 'core' } } };
    const known = aWatchedSecret('known', '1', { labels: undefined });
    const followed = rig.begin([read(known)], { select });
    rig.secretChanged(aWatchedSecret('new', '1', { labels: undefined }));
    expect(followed.isDirty).toBe(false);
    rig.secretChanged(aWatchedSecret('known', '2', { labels: undefined }));
    expect(followed.take()).toEqual(new Set(['known']));
  });

  it('does not name a backup, which no listing yields', async () => {
    await using rig = new SyncRig();
    const followed = rig.begin();
    rig.secretChanged(aWatchedSecret('a.migrated-bak', '1', { labels: { 'keyferry.io/backup': 'true' } }));
    expect(followed.isDirty).toBe(false);
  });

  it('loses no change between the read of a pass and its end', async () => {
    await using rig = new SyncRig();
    rig.beginPass();
    rig.secretChanged(aWatchedSecret('a', '2'));
    for (const name of ['b', 'c']) rig.secretChanged(aWatchedSecret(name, '1'));
    rig.secretDeleted('c');
    const followed = rig.begin(['a', 'b', 'c'].map((name) => read(aWatchedSecret(name, '1'))));
    expect(rig.woken).toEqual([KEY]);
    expect(followed.take()).toEqual(new Set(['a', 'c']));
  });
});

describe('a migration that is followed', () => {
  it('keeps what it knows from pass to pass, until its spec changes', async () => {
    await using rig = new SyncRig();
    const followed = rig.begin([inStep('a', '1', '1')]);
    followed.sourceSeen('b', { state: 'unknown' });
    expect(rig.begin([inStep('a', '1', '1')])).toBe(followed);
    expect(followed.take()).toEqual(new Set(['b']));
    expect(rig.begin([], {}, { generation: 2 })).not.toBe(followed);
  });

  it('ends when it is deleted, is going, has another spec or is another object, and not by an older state', async () => {
    await using rig = new SyncRig();
    const stateOf = (metadata: Parameters<typeof aSyncMigration>[1]) => aSyncMigration({}, metadata);
    const old = stateOf({ generation: 2 });
    const changes = [
      { old, current: undefined },
      { old, current: stateOf({ generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' }) },
      { old, current: stateOf({ generation: 3 }) },
      { old, current: stateOf({ uid: 'another' }) },
    ];
    for (const change of changes) {
      rig.begin([], {}, { generation: 2 });
      rig.following.onMigration({ old: stateOf({ generation: 1 }), current: old });
      rig.following.onMigration({ old: undefined, current: stateOf({ generation: 1 }) });
      rig.following.onMigration({ old: stateOf({ uid: 'earlier' }), current: undefined });
      expect(rig.following.of(KEY)).toBeDefined();
      rig.following.onMigration(change);
      expect(rig.following.of(KEY)).toBeUndefined();
    }
    rig.secretChanged(aWatchedSecret('a', '1'));
    expect(rig.woken).toEqual([]);
  });

  it('tells for how long its oldest change waits', async () => {
    await using rig = new SyncRig({ random: () => 0.99 });
    const followed = rig.begin();
    expect(lagOf(rig)).toBe(0);
    rig.secretChanged(aWatchedSecret('a', '1'));
    await rig.clock.advance(5_000);
    expect(lagOf(rig)).toBe(5);
    followed.leaveOut(followed.take());
    expect(lagOf(rig)).toBe(0);
  });

  it('tells how long a change took from the moment at which it was seen', async () => {
    await using rig = new SyncRig();
    const followed = rig.begin([inStep('a', '1', '1')]);
    const observed = () => rig.metrics.value('keyferry_sync_propagation_seconds_count') ?? 0;
    rig.secretChanged(aWatchedSecret('a', '2'));
    followed.take();
    followed.remember([{ ...inStep('a', '2', '1'), state: 'Conflict' }], 'some');
    expect(observed()).toBe(0);
    rig.secretChanged(aWatchedSecret('a', '3'));
    followed.take();
    followed.remember([{ ...inStep('a', '3', '2'), copiedNow: true }], 'some');
    expect(observed()).toBe(1);
  });
});

describe('the lag of a migration', () => {
  it('grows while its store fails, also in a document that only the pass saw, and not while a person is needed', async () => {
    await using rig = new SyncRig({ random: () => 0.99 });
    const trouble = { ...inStep('a', '1', '1'), state: 'Failed', reason: 'BackendUnavailable' } as const;
    const followed = rig.begin([{ ...trouble, retry: 'soon' }]);
    for (const seconds of [5, 10, 15]) {
      await rig.clock.advance(5_000);
      expect(lagOf(rig)).toBe(seconds);
      followed.take();
      followed.remember([{ ...trouble, retry: 'soon' }], 'some');
    }
    followed.remember([{ ...trouble, reason: 'PermissionDenied', retry: 'later' }], 'some');
    expect(lagOf(rig)).toBe(0);
    followed.remember([{ ...trouble, retry: 'soon' }], 'some');
    rig.begin([]);
    await rig.clock.advance(5_000);
    expect(lagOf(rig)).toBe(0);
  });

  it('does not say that all is known while versions cannot be listed', async () => {
    await using rig = new SyncRig({ random: () => 0.5 });
    rig.begin();
    await rig.clock.advance(300_000);
    expect(overdueOf(rig)).toBe(0);
    rig.failure = new OperatorError('AUTH_DENIED', { op: 'test' });
    await rig.clock.advance(300_000);
    expect(lagOf(rig)).toBe(0);
    expect(overdueOf(rig)).toBeGreaterThan(250);
    rig.setReady('ns', 'False');
    await rig.clock.advance(300_000);
    expect(overdueOf(rig)).toBeGreaterThan(550);
    rig.failure = undefined;
    rig.setReady('ns', 'True');
    await rig.clock.advance(60_000);
    expect(overdueOf(rig)).toBe(0);
  });

  it('is unknown until the first pass ends, and of no migration that is not to be followed', async () => {
    await using rig = new SyncRig();
    const waiting = aSyncMigration();
    const others = [
      aSyncMigration({ suspend: true }, { name: 'suspended' }),
      aSyncMigration({ dryRun: true }, { name: 'dry' }),
      aSyncMigration({ mode: 'Once' }, { name: 'once' }),
      aSyncMigration({}, { name: 'going', deletionTimestamp: '2026-01-01T00:00:00Z' }),
    ];
    const samples = () => [...rig.following.samples([waiting, ...others])];
    const { name } = waiting.metadata;
    const labels = { namespace: waiting.metadata.namespace, name };
    const overdue = { name: 'secretmigration_sync_overdue_seconds', labels };
    expect(samples()).toEqual([{ ...overdue, value: 0 }]);
    await rig.clock.advance(7_000);
    expect(samples()).toEqual([{ ...overdue, value: 7 }]);
    rig.begin();
    expect(samples()).toEqual([
      { name: 'secretmigration_sync_lag_seconds', labels, value: 0 },
      { ...overdue, value: 0 },
    ]);
  });
});
