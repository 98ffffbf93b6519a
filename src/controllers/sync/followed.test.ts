import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { aFollowed, inStep, present, type FollowedSpec } from '#test/support/followed.ts';

const ABSENT = { state: 'absent' } as const;
const UNKNOWN = { state: 'unknown' } as const;

describe('a migration that is followed', () => {
  it('names a document whose version changed at either side, once', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1'), inStep('b', '1', '1'), inStep('c', '1', '1')], 'all');
    expect(followed.sourceSeen('a', present('2'))).toBe(true);
    expect(followed.sourceSeen('a', present('2'))).toBe(false);
    expect(followed.destinationSeen('ns/b', present('2'))).toBe(true);
    expect(followed.sourceSeen('c', present('1'))).toBe(false);
    expect(followed.take()).toEqual(new Set(['a', 'b']));
    followed.remember([inStep('a', '2', '2'), inStep('b', '2', '2')], 'some');
    expect(followed.isDirty).toBe(false);
    expect(followed.take()).toEqual(new Set());
  });

  it('does not take its own write for a change, whether the watch tells of it before or after the row', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1'), inStep('b', '1', '1')], 'all');
    followed.sourceSeen('a', present('2'));
    followed.take();
    followed.destinationSeen('ns/a', present('2'));
    expect(followed.isDirty).toBe(true);
    followed.remember([inStep('a', '2', '2')], 'some');
    expect(followed.isDirty).toBe(false);
    expect(followed.destinationSeen('ns/a', present('2'))).toBe(false);
  });

  it('names a document again that changed while it was read', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1')], 'all');
    followed.sourceSeen('a', present('2'));
    followed.take();
    followed.sourceSeen('a', present('3'));
    followed.remember([inStep('a', '2', '2')], 'some');
    expect(followed.take()).toEqual(new Set(['a']));
  });

  it('names what was taken again, if the work was cut off before a row or a failure was told', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1')], 'all');
    followed.sourceSeen('a', present('2'));
    expect(followed.take()).toEqual(new Set(['a']));
    expect(followed.isDirty).toBe(false);
    expect(followed.take()).toEqual(new Set(['a']));
    followed.putBack(['a']);
    expect(followed.isDirty).toBe(true);
  });
});

describe('a document that is followed', () => {
  it('is taken again after a failure that is retried soon, when its back-off is over, and after no other', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1'), inStep('b', '1', '1')], 'all');
    followed.sourceSeen('a', present('2'));
    followed.sourceSeen('b', present('2'));
    followed.take();
    const failed = { state: 'Failed', reason: 'BackendUnavailable' } as const;
    followed.remember([{ ...inStep('a', '2', '1'), ...failed, retry: 'soon' }], 'some');
    followed.remember([{ ...inStep('b', '2', '1'), ...failed, retry: 'later' }], 'some');
    followed.leaveOut(['a', 'b']);
    expect(followed.isDirty).toBe(false);
    expect(followed.oldestDirtyAt).toBe(0);
    expect(followed.sourceSeen('b', present('2'))).toBe(false);
    expect(followed.take()).toEqual(new Set(['a']));
  });

  it('is taken again while a gate holds its removal: no event tells when the gate opens', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1'), inStep('b', '1', '1')], 'all');
    const held = { state: 'Skipped', reason: 'InUse', retry: 'later' } as const;
    followed.remember([{ ...inStep('a', '1', '1'), ...held }], 'some');
    followed.remember([{ ...inStep('b', '1', '1'), state: 'Skipped', reason: 'TrustRoot' }], 'some');
    expect(followed.isDirty).toBe(false);
    expect(followed.take()).toEqual(new Set(['a']));
  });

  it('puts a document back that has a row already, until it is read again', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '2', '2')], 'all');
    followed.putBack(['a']);
    followed.sourceSeen('a', present('2'));
    expect(followed.take()).toEqual(new Set(['a']));
  });

  it('names a document each time that only a read can tell', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1')], 'all');
    for (const round of ['1', '2']) {
      expect(followed.destinationSeen('ns/a', UNKNOWN)).toBe(true);
      expect(followed.take()).toEqual(new Set(['a']));
      followed.remember([inStep('a', '1', round)], 'some');
      expect(followed.isDirty).toBe(false);
    }
  });

  it('sees a soft delete, which makes no version, and asks about it once', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1')], 'all');
    const deleted = { ...present('1'), state: 'deleted' } as const;
    expect(followed.destinationSeen('ns/a', deleted)).toBe(true);
    followed.take();
    followed.remember([{ ...inStep('a', '1', '1'), state: 'Conflict' }], 'some');
    expect(followed.destinationSeen('ns/a', deleted)).toBe(false);
    expect(followed.destinationSeen('ns/a', present('1'))).toBe(true);
  });

  it('tells since when the oldest change waits, also while it is read', async () => {
    const { followed, clock } = aFollowed();
    followed.remember([inStep('a', '1', '1'), inStep('b', '1', '1')], 'all');
    expect(followed.oldestDirtyAt).toBeUndefined();
    await clock.advance(1_000);
    followed.sourceSeen('b', present('2'));
    await clock.advance(1_000);
    followed.sourceSeen('a', present('2'));
    followed.sourceSeen('b', present('3'));
    followed.take();
    followed.sourceSeen('b', present('4'));
    expect(followed.oldestDirtyAt).toBe(1_000);
    followed.remember([inStep('b', '4', '2')], 'some');
    expect(followed.oldestDirtyAt).toBe(2_000);
  });
});

describe('a change that is carried', () => {
  it('took as long as since it was first seen, its failures included', async () => {
    const took: number[] = [];
    const { followed, clock } = aFollowed({}, {}, (ms) => void took.push(ms));
    followed.remember([{ ...inStep('a', '1', '1'), copiedNow: true }], 'all');
    expect(took).toEqual([]);
    followed.sourceSeen('a', present('2'));
    await clock.advance(1_000);
    followed.take();
    followed.remember([{ ...inStep('a', '2', '1'), state: 'Failed', retry: 'soon' }], 'some');
    await clock.advance(4_000);
    followed.sourceSeen('a', present('3'));
    followed.take();
    followed.remember([{ ...inStep('a', '3', '2'), copiedNow: true }], 'some');
    followed.sourceSeen('a', present('4'));
    followed.take();
    followed.remember([inStep('a', '4', '2')], 'some');
    expect(took).toEqual([5_000]);
  });
});

describe('a document that has no row', () => {
  it('is named when it is new and selected, and not again in the version that was left out', () => {
    const { followed } = aFollowed({ select: { prefix: 'app-' } });
    expect(followed.sourceSeen('other', present('1'))).toBe(false);
    expect(followed.sourceSeen('app-a', present('1'))).toBe(true);
    followed.leaveOut(followed.take());
    expect(followed.sourceSeen('app-a', present('1'))).toBe(false);
    expect(followed.sourceSeen('app-a', present('2'))).toBe(true);
  });

  it('is not named at the destination: the source says what is selected', () => {
    const { followed } = aFollowed();
    expect(followed.destinationSeen('ns/a', present('1'))).toBe(false);
  });

  const SELECTIONS: readonly (readonly [NonNullable<FollowedSpec['select']>, readonly string[]])[] = [
    [{ names: ['a'] }, ['a']],
    [{ prefix: 'a' }, ['a', 'ab']],
    [{ all: true }, ['a', 'ab', 'b']],
    [{ all: true, exclude: { names: ['b'] } }, ['a', 'ab']],
  ];

  it.each(SELECTIONS)('is selected by %j', (select, wanted) => {
    const { followed } = aFollowed({ select });
    for (const name of ['a', 'ab', 'b']) followed.sourceSeen(name, present('1'));
    expect([...followed.take()]).toEqual(wanted);
  });

  it('joins when its labels begin to match, and is named once more when they stop', () => {
    const { followed } = aFollowed({ select: { labelSelector: { matchLabels: { team: 'core' } } } });
    expect(followed.sourceSeen('a', present('1'), {})).toBe(false);
    expect(followed.sourceSeen('a', present('2'), { team: 'core' })).toBe(true);
    followed.take();
    followed.remember([inStep('a', '2', '1')], 'some');
    expect(followed.sourceSeen('a', present('3'), { team: 'edge' })).toBe(true);
    expect(followed.hasLeft('a')).toBe(true);
    followed.leaveOut(followed.take());
    expect(followed.hasLeft('a')).toBe(false);
    expect(followed.destinationSeen('ns/a', present('9'))).toBe(false);
    expect(followed.sourceSeen('a', present('4'), { team: 'edge' })).toBe(false);
    expect(followed.sourceSeen('a', present('5'), { team: 'core' })).toBe(true);
    expect(followed.hasLeft('a')).toBe(false);
    followed.take();
    followed.remember([inStep('a', '5', '1')], 'some');
    expect(followed.sourceSeen('a', ABSENT, {})).toBe(true);
    expect(followed.hasLeft('a')).toBe(false);
  });
});

describe('a complete listing', () => {
  const aListed = (...names: string[]) => names.map((name) => ({ address: `ns/${name}`, ...present('1') }));

  it('names the documents that it does not yield and that had a version at that side', () => {
    const { followed } = aFollowed();
    const { destination: _none, ...onlySource } = inStep('c', '1', '1');
    followed.remember([inStep('a', '1', '1'), inStep('b', '1', '1'), onlySource], 'all');
    expect(followed.listed('destination', aListed('a'))).toBe(true);
    expect(followed.take()).toEqual(new Set(['b']));
    followed.leaveOut(['b']);
    expect(followed.listed('destination', aListed('a'))).toBe(false);
  });

  it('says nothing of a document at an address or in a folder that it could not list', () => {
    const { followed } = aFollowed({}, { source: 'tree' });
    followed.remember([inStep('a/b', '1', '1'), inStep('c', '1', '1'), inStep('d', '1', '1')], 'all');
    const problem = new OperatorError('AUTH_DENIED', { op: 'test' });
    const problems = ['ns/a/', 'ns/c'].map((address) => ({ address, problem }));
    expect(followed.listed('source', problems)).toBe(true);
    expect(followed.take()).toEqual(new Set(['d']));
  });

  it('ends the change of a new document that is gone again', () => {
    const { followed } = aFollowed();
    followed.sourceSeen('a', present('1'));
    followed.listed('source', []);
    expect(followed.isDirty).toBe(false);
  });
});

describe('the document at an address of the destination', () => {
  it('is found by the name of a rule, and never by the name that another document had', () => {
    const { followed } = aFollowed(
      { mapping: { path: '{name}', prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }] } },
      { source: 'flat', destination: 'flat' },
    );
    followed.remember([inStep('old-a', '1', '1', 'new-a'), inStep('b', '1', '1', 'b')], 'all');
    expect(followed.destinationSeen('old-a', present('2'))).toBe(false);
    followed.destinationSeen('new-a', present('2'));
    followed.destinationSeen('b', present('2'));
    expect(followed.take()).toEqual(new Set(['old-a', 'b']));
  });

  it('follows a document that its labels move to another path', () => {
    const { followed } = aFollowed({ mapping: { path: '{label:team}/{name}' } });
    followed.remember([inStep('a', '1', '1', 'core/a')], 'all');
    followed.remember([inStep('a', '2', '1', 'edge/a')], 'some');
    expect(followed.destinationSeen('core/a', present('7'))).toBe(false);
    expect(followed.destinationSeen('edge/a', present('7'))).toBe(true);
  });

  it('is the joined name of several segments', () => {
    const { followed } = aFollowed(
      { mapping: { path: '{name}', segmentSeparator: '.' } },
      { source: 'tree', destination: 'flat' },
    );
    followed.remember([inStep('x/y', '1', '1', 'x.y')], 'all');
    expect(followed.destinationSeen('x.y', ABSENT)).toBe(true);
    expect(followed.take()).toEqual(new Set(['x/y']));
  });
});

describe('a pass', () => {
  it('forgets the documents that it did not find, and keeps what waits', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1'), inStep('b', '1', '1')], 'all');
    followed.sourceSeen('new', present('1'));
    followed.remember([inStep('a', '1', '1')], 'all');
    expect(followed.size).toBe(1);
    expect(followed.take()).toEqual(new Set(['new']));
  });

  it('settles a change that it has read, without a take', () => {
    const { followed } = aFollowed();
    followed.sourceSeen('a', present('2'));
    followed.remember([inStep('a', '2', '1')], 'all');
    expect(followed.isDirty).toBe(false);
  });

  it('forgets one document by its name', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1')], 'all');
    followed.sourceSeen('a', present('2'));
    followed.forget('a');
    expect([followed.size, followed.isDirty]).toEqual([0, false]);
  });
});

describe('a Secret that is split', () => {
  const mapping = { path: '{namespace}/{name}', split: {} };

  function twoKeys() {
    const { followed } = aFollowed({ mapping, select: { all: true } });
    followed.remember([inStep('app/user', '1', '1'), inStep('app/password', '1', '1')], 'all');
    return followed;
  }

  it('is unchanged in the version that a pass has read', () => {
    const followed = twoKeys();
    expect(followed.sourceSeen('app', present('1'))).toBe(false);
    expect(followed.listed('source', [{ address: 'app', ...present('1') }])).toBe(false);
  });

  it('names its keys, and itself for a key that is new, until they were looked at', () => {
    const followed = twoKeys();
    expect(followed.sourceSeen('app', present('2'))).toBe(true);
    const taken = new Set(['app', 'app/user', 'app/password']);
    expect(followed.take()).toEqual(taken);
    expect(followed.take()).toEqual(taken);
    const keys = ['user', 'password', 'new'].map((key) => inStep(`app/${key}`, '2', '2'));
    followed.remember(keys, 'some');
    followed.leaveOut(taken);
    expect(followed.sourceSeen('app', present('2'))).toBe(false);
    followed.sourceSeen('app', ABSENT);
    expect(followed.take().size).toBe(4);
  });

  it('has keys that change at the destination one by one', () => {
    const followed = twoKeys();
    expect(followed.destinationSeen('ns/app/user', present('7'))).toBe(true);
    expect(followed.take()).toEqual(new Set(['app/user']));
  });

  it('is new if one of its keys can be selected', () => {
    const { followed } = aFollowed({ mapping, select: { prefix: 'app/' } });
    expect(followed.sourceSeen('other', present('1'))).toBe(false);
    expect(followed.sourceSeen('app', present('1'))).toBe(true);
    expect(followed.take()).toEqual(new Set(['app']));
  });
});
