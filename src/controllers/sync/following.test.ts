import { describe, expect, it } from 'vitest';
import type { CachedObject } from '#src/runtime/store.ts';
import { aSyncMigration, inStep } from '#test/support/followed.ts';
import { aWatchedSecret, SyncRig } from '#test/support/sync-rig.ts';

const KEY = 'ns/m';

/** As a pass records it that read this state of the Secret. */
function read({ metadata }: CachedObject) {
  const { name, resourceVersion: version, uid: identity } = metadata;
  return { ...inStep(name, '', '1'), source: { version, identity } };
}

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
    const atRead = aWatchedSecret('a', '1');
    rig.secretChanged(aWatchedSecret('a', '2'));
    rig.secretChanged(aWatchedSecret('b', '1'));
    const followed = rig.begin([read(atRead), read(aWatchedSecret('b', '1'))]);
    expect(rig.woken).toEqual([KEY]);
    expect(followed.take()).toEqual(new Set(['a']));
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
    const lag = () => [...rig.following.samples()].map(({ labels, value }) => [labels['name'], value]);
    expect(lag()).toEqual([['m', 0]]);
    rig.secretChanged(aWatchedSecret('a', '1'));
    await rig.clock.advance(5_000);
    expect(lag()).toEqual([['m', 5]]);
    followed.leaveOut(followed.take());
    expect(lag()).toEqual([['m', 0]]);
  });
});
