import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { aSyncMigration, inStep } from '#test/support/followed.ts';
import { SyncRig } from '#test/support/sync-rig.ts';

const KEY = 'ns/m';
const INTERVAL = 30_000;
const LISTING = 'bao versions ns';

/** A document that is in step with what is at `bao` now. */
function inStepWith(rig: SyncRig, name: string) {
  const version = rig.kv.currentAt(`ns/${name}`)?.version;
  const { identity, revision } = version ?? { identity: '', revision: '' };
  return { ...inStep(name, '1', ''), destination: { path: `ns/${name}`, version: revision, identity } };
}

describe('a poll', () => {
  it('lists the versions of the side that no watch covers, once an interval, and nothing else', async () => {
    await using rig = new SyncRig();
    rig.kv.put('ns/a', { k: '1' });
    rig.begin([inStepWith(rig, 'a')]);
    expect(await rig.requestsIn(INTERVAL / 2)).toEqual([LISTING]);
    expect(await rig.requestsIn(INTERVAL)).toEqual([LISTING]);
    expect(await rig.requestsIn(10 * INTERVAL)).toEqual(Array.from({ length: 10 }, () => LISTING));
    expect(rig.woken).toEqual([]);
  });

  it('wakes the migration for a change, and names the documents that have one', async () => {
    await using rig = new SyncRig();
    for (const name of ['a', 'b', 'c']) rig.kv.put(`ns/${name}`, { k: '1' });
    const followed = rig.begin(['a', 'b', 'c'].map((name) => inStepWith(rig, name)));
    rig.kv.put('ns/a', { k: '2' });
    rig.kv.purge('ns/b');
    await rig.clock.advance(INTERVAL);
    expect(rig.woken).toEqual([KEY]);
    expect(followed.take()).toEqual(new Set(['a', 'b']));
    expect(rig.metrics.value('keyferry_sync_polls_total', { result: 'changed' })).toBe(1);
  });

  it('finds a new document of the source', async () => {
    await using rig = new SyncRig();
    const followed = rig.begin([], { from: 'bao', to: 'kubernetes' });
    rig.kv.put('ns/a', { k: '1' });
    await rig.clock.advance(INTERVAL);
    expect(followed.take()).toEqual(new Set(['a']));
  });

  it('marks nothing when a listing fails, and wakes the migration once when that begins and once when it ends', async () => {
    await using rig = new SyncRig();
    rig.kv.put('ns/a', { k: '1' });
    const followed = rig.begin([inStepWith(rig, 'a')]);
    rig.failure = new OperatorError('AUTH_DENIED', { op: 'test' });
    await rig.clock.advance(5 * INTERVAL);
    expect(rig.woken).toEqual([KEY]);
    expect(followed.problem?.code).toBe('AUTH_DENIED');
    expect(followed.isDirty).toBe(false);
    rig.failure = undefined;
    await rig.clock.advance(5 * INTERVAL);
    expect(rig.woken).toEqual([KEY, KEY]);
    expect([followed.problem, followed.isDirty]).toEqual([undefined, false]);
  });

  it('does not ask a backend that is not Ready, and asks again when it is', async () => {
    await using rig = new SyncRig();
    rig.begin();
    rig.setReady('ns', 'False');
    expect(await rig.requestsIn(5 * INTERVAL)).toEqual([]);
    expect(rig.metrics.value('keyferry_sync_polls_total', { result: 'skipped' })).toBeGreaterThan(3);
    rig.setReady('ns', 'True');
    expect(await rig.requestsIn(1.1 * INTERVAL)).toEqual([LISTING]);
  });

  it('lists Secrets only if none is watched', async () => {
    await using rig = new SyncRig({ watchesSecrets: false });
    rig.secrets.put('a', { k: '1' });
    const followed = rig.begin();
    expect(await rig.requestsIn(INTERVAL)).toEqual(['kubernetes versions ', LISTING]);
    expect(followed.take()).toEqual(new Set(['a']));
  });

  it('never happens for a migration between Secrets that are watched', async () => {
    await using rig = new SyncRig();
    const prefixes = [{ from: 'old-', to: 'new-', stripPrefix: true }];
    rig.begin([], { to: 'kubernetes', mapping: { path: '{name}', prefixes } });
    expect(await rig.requestsIn(10 * INTERVAL)).toEqual([]);
  });

  it.each([
    ['deleted', { old: aSyncMigration(), current: undefined }],
    ['suspended', { old: aSyncMigration(), current: aSyncMigration({ suspend: true }, { generation: 2 }) }],
    [
      'switched to Once',
      { old: aSyncMigration(), current: aSyncMigration({ mode: 'Once' }, { generation: 2 }) },
    ],
  ])('ends when the migration is %s', async (_how, change) => {
    await using rig = new SyncRig();
    rig.begin();
    await rig.clock.advance(INTERVAL);
    rig.following.onMigration(change);
    expect(await rig.requestsIn(10 * INTERVAL)).toEqual([]);
  });

  it('goes on at its pace through many passes', async () => {
    await using rig = new SyncRig({ random: () => 0 });
    rig.begin();
    await rig.clock.advance(1);
    rig.requests.length = 0;
    for (let pass = 0; pass < 31; pass += 1) {
      rig.begin();
      await rig.clock.advance(1_000);
    }
    expect(rig.requests).toEqual([LISTING]);
  });
});

it.each([0, 0.5, 0.999])(
  'a poll never comes later than after the interval, with a random %s',
  async (random) => {
    await using rig = new SyncRig({ random: () => random });
    rig.begin();
    await rig.clock.advance(INTERVAL);
    for (let poll = 0; poll < 10; poll += 1)
      expect((await rig.requestsIn(INTERVAL)).length).toBeGreaterThanOrEqual(1);
  },
);

describe('the polls of many migrations', () => {
  it('spread over the interval, however many begin together', async () => {
    let seed = 0;
    await using rig = new SyncRig({ random: () => (seed = (seed + 0.618_034) % 1) });
    for (let index = 0; index < 300; index += 1)
      rig.begin([], {}, { name: `m${index}`, namespace: `ns${index}`, uid: `u${index}` });
    for (let slice = 0; slice < 20; slice += 1) {
      const { length } = await rig.requestsIn(INTERVAL / 10);
      expect(length).toBeGreaterThan(10);
      expect(length).toBeLessThan(60);
    }
  });

  it('come at the interval of each spec', async () => {
    await using rig = new SyncRig();
    rig.begin([], { sync: { intervalSeconds: 600 } });
    expect(await rig.requestsIn(600_000)).toHaveLength(1);
    expect(await rig.requestsIn(600_000)).toHaveLength(1);
  });
});

describe('a poll of a folder that is joined', () => {
  it('names it when one of its parts changes, and not before', async () => {
    await using rig = new SyncRig();
    for (const part of ['db', 'api']) rig.kv.put(`ns/app/${part}`, { k: '1' });
    const followed = rig.begin([], {
      from: 'bao',
      to: 'kubernetes',
      mapping: { path: '{namespace}/{name}', join: {} },
    });
    await rig.clock.advance(INTERVAL);
    expect(followed.take()).toEqual(new Set(['app']));
    followed.leaveOut(['app']);
    await rig.clock.advance(INTERVAL);
    expect(followed.isDirty).toBe(false);
    rig.kv.put('ns/app/api', { k: '2' });
    await rig.clock.advance(1.1 * INTERVAL);
    expect(followed.take()).toEqual(new Set(['app']));
  });
});

describe('a poll of a side whose watch missed changes', () => {
  it('lists its versions until that succeeds, and names what changed or went meanwhile', async () => {
    await using rig = new SyncRig();
    const missing = 'kubernetes versions ';
    const versionOf = (name: string) => {
      rig.kv.put(`ns/${name}`, { k: '1' });
      const { identity, revision } = rig.secrets.put(name, { k: '1' });
      return { ...inStepWith(rig, name), source: { version: revision, identity } };
    };
    const followed = rig.begin(['same', 'changed', 'gone'].map(versionOf));
    rig.secrets.put('changed', { k: '2' });
    rig.secrets.purge('gone');
    rig.following.onMissed('elsewhere');
    expect(await rig.requestsIn(2 * INTERVAL)).not.toContain(missing);

    rig.setReady('ns', 'False');
    rig.following.onMissed(undefined);
    expect(await rig.requestsIn(2 * INTERVAL)).toEqual([]);
    rig.setReady('ns', 'True');
    const requests = await rig.requestsIn(3 * INTERVAL);
    expect(requests.filter((each) => each === missing)).toHaveLength(1);
    expect(rig.woken).toEqual([KEY]);
    expect(followed.take()).toEqual(new Set(['changed', 'gone']));
  });

  it('lists them once for what was missed while the pass was under way, although both sides are watched', async () => {
    await using rig = new SyncRig();
    rig.beginPass();
    rig.following.onMissed('ns');
    rig.begin([], {
      to: 'kubernetes',
      mapping: { path: '{name}', prefixes: [{ from: 'a', to: 'b', stripPrefix: true }] },
    });
    expect(await rig.requestsIn(10 * INTERVAL)).toEqual(['kubernetes versions ', 'kubernetes versions ']);
  });
});
