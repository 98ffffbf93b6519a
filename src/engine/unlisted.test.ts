import { describe, expect, it } from 'vitest';
import { failsWith, once } from '#src/backends/memory/hooks.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { aRow, aWorld, runEngine, type EngineRun, type World } from '#test/support/engine-run.ts';

/*
 * A document that an earlier run recorded and the source no longer has. Both backends are read, neither is changed. The
 * outcome depends on what the earlier run proved and on what the destination has now.
 */

type There = 'nothing' | 'it' | 'deleted' | 'expired' | 'an error';

function withDestination(there: There): World {
  const world = aWorld();
  const expiresAt = new Date(world.clock.now() + 1_000).toISOString();
  if (there !== 'nothing')
    world.destination.put('ns/a', { k: 'v' }, there === 'expired' ? { expiresAt } : {});
  if (there === 'deleted') world.destination.remove('ns/a');
  if (there === 'expired') world.clock.jump(2_000);
  return world;
}

interface Row {
  readonly sourcePolicy: string;
  readonly prior: Partial<PriorRecord>;
  readonly there: There;
  readonly outcome: object;
}

const unproven = { path: 'ns/a' };
const table: Record<string, Row> = {
  'that was proven and due for removal was removed by a run that could not record it': {
    sourcePolicy: 'Delete',
    prior: {},
    there: 'it',
    outcome: { state: 'Removed', destination: { path: 'ns/a', version: '1' } },
  },
  'that was proven and due for a backup too': {
    sourcePolicy: 'Backup',
    prior: {},
    there: 'it',
    outcome: { state: 'Removed' },
  },
  'that was removed stays removed, whatever the policy is now': {
    sourcePolicy: 'Keep',
    prior: { state: 'Removed' },
    there: 'it',
    outcome: { state: 'Removed' },
  },
  'that was removed has the version that the destination has by now': {
    sourcePolicy: 'Delete',
    prior: { state: 'Removed', destination: { path: 'ns/a', version: '9', priorVersion: '8' } },
    there: 'it',
    outcome: { state: 'Removed', destination: { path: 'ns/a', version: '1', priorVersion: '8' } },
  },
  'that was removed and is absent at the destination is lost': {
    sourcePolicy: 'Delete',
    prior: { state: 'Removed' },
    there: 'nothing',
    outcome: { state: 'Failed', reason: 'DestinationLost', retry: 'later', destination: { version: '1' } },
  },
  'that was removed and is deleted at the destination is lost': {
    sourcePolicy: 'Delete',
    prior: { state: 'Removed' },
    there: 'deleted',
    outcome: { state: 'Failed', reason: 'DestinationLost', destination: { version: '1' } },
  },
  'that was lost is found again': {
    sourcePolicy: 'Delete',
    prior: { state: 'Failed', reason: 'DestinationLost' },
    there: 'it',
    outcome: { state: 'Removed' },
  },
  'that was removed and has expired since is still removed': {
    sourcePolicy: 'Delete',
    prior: { state: 'Removed' },
    there: 'expired',
    outcome: { state: 'Removed', reason: 'Expired' },
  },
  'that was proven and has expired in both backends is skipped': {
    sourcePolicy: 'Delete',
    prior: {},
    there: 'expired',
    outcome: { state: 'Skipped', reason: 'Expired' },
  },
  'that was proven keeps its version while the destination cannot be read': {
    sourcePolicy: 'Delete',
    prior: {},
    there: 'an error',
    outcome: { state: 'Failed', reason: 'ServerError', retry: 'soon', destination: { version: '1' } },
  },
  'that was proven and whose source stays was removed by another writer': {
    sourcePolicy: 'Keep',
    prior: {},
    there: 'it',
    outcome: { state: 'Skipped', reason: 'SourceGone', destination: { path: 'ns/a' } },
  },
  'that was due to be marked was removed by another writer': {
    sourcePolicy: 'Project',
    prior: {},
    there: 'it',
    outcome: { state: 'Skipped', reason: 'SourceGone' },
  },
  'that failed before it was written was removed by another writer': {
    sourcePolicy: 'Delete',
    prior: { state: 'Failed', destination: unproven },
    there: 'it',
    outcome: { state: 'Skipped', reason: 'SourceGone' },
  },
  'that another version recorded in an unknown state stays as it is': {
    sourcePolicy: 'Delete',
    prior: { state: 'Failed', reason: 'UnknownState', message: 'Of another version.' },
    there: 'it',
    outcome: {
      state: 'Failed',
      reason: 'UnknownState',
      retry: 'never',
      destination: { version: '1' },
      message: 'Of another version. The source is gone. Look at the destination, or run that version again.',
    },
  },
  'that was in conflict was removed by another writer': {
    sourcePolicy: 'Delete',
    prior: { state: 'Conflict', destination: unproven },
    there: 'it',
    outcome: { state: 'Skipped', reason: 'SourceGone' },
  },
  'that was written and not proven was removed by another writer': {
    sourcePolicy: 'Delete',
    prior: { state: 'Copied' },
    there: 'it',
    outcome: { state: 'Skipped', reason: 'SourceGone' },
  },
};

describe('a document', () => {
  it.each(Object.entries(table))('%s', async (_sentence, { sourcePolicy, prior, there, outcome }) => {
    const world = withDestination(there);
    const before = once('read', failsWith('SERVER_ERROR'));
    const at = there === 'an error' ? { destination: { before } } : {};
    const run = await runEngine({ ...world, spec: { sourcePolicy }, prior: [aRow('a', prior)], at });
    expect(run.outcomeOf('a')).toMatchObject(outcome);
    expect(run.log.filter((line) => /write|delete|retire|mark/.test(line))).toEqual([]);
  });

  it('that was removed by another writer is not reported as proven', async () => {
    const run = await runEngine({ ...withDestination('it'), prior: [aRow('a')] });
    expect(run.outcomeOf('a').destination?.version).toBeUndefined();
  });

  it('that left the selection and still exists is no longer reported', async () => {
    const world = withDestination('it');
    world.source.put('a', { k: 'v' });
    const run = await runEngine({ ...world, spec: { select: { prefix: 'b' } }, prior: [aRow('a')] });
    expect([run.outcomes.size, run.rows]).toEqual([0, []]);
  });

  it.each([
    ['keeps its version when it was proven', 'Delete', '1'],
    ['has no version when it was not', 'Keep', undefined],
  ])('whose source cannot be read %s', async (_sentence, sourcePolicy, version) => {
    const world = withDestination('it');
    const at = { source: { before: once('read', failsWith('SERVER_ERROR')) } };
    const run = await runEngine({ ...world, spec: { sourcePolicy }, prior: [aRow('a')], at });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'ServerError', retry: 'soon' });
    expect(run.outcomeOf('a').destination?.version).toBe(version);
  });

  it('in an unknown state stays as it is while its source cannot be read', async () => {
    const at = { source: { before: once('read', failsWith('SERVER_ERROR')) } };
    const prior = [aRow('a', { state: 'Failed', reason: 'UnknownState' })];
    const run = await runEngine({ ...withDestination('it'), prior, at });
    expect(run.outcomeOf('a')).toMatchObject({ reason: 'UnknownState', retry: 'later' });
    expect(run.outcomeOf('a').destination?.version).toBe('1');
  });

  it('that was lost is reported with its backup', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const spec = { sourcePolicy: 'Backup' };
    const first = await runEngine({ ...world, spec });
    world.destination.purge('ns/a');
    const second = await runEngine({ ...world, spec, prior: first.rows });
    const backup = 'a.migrated-bak';
    expect(second.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'DestinationLost', backup });
    expect(second.outcomeOf('a').message).toContain('Restore it from its backup.');
  });

  it('is read at its old address if it was read there before', async () => {
    const world = aWorld({ addressing: 'tree' });
    world.source.put('OLD_a', { k: 'v' });
    const run = await runEngine({ ...world, prior: [aRow('a', { source: { path: 'OLD_a' } })] });
    expect(run.log).toContain('source read OLD_a');
    expect(run.outcomes.size).toBe(0);
  });
});

describe('a document that is selected by name and missing', () => {
  const select = { names: ['a'] };
  const runWith = (world: World, sourcePolicy: string, more: Partial<EngineRun> = {}) =>
    runEngine({ ...world, spec: { select, sourcePolicy }, ...more });

  it('was removed by us if it was proven and due for removal', async () => {
    const run = await runWith(withDestination('it'), 'Delete', { prior: [aRow('a')] });
    expect(run.outcomeOf('a').state).toBe('Removed');
  });

  it('is not missing if another version recorded it in an unknown state, in this run and in the next', async () => {
    const unknown = aRow('a', { state: 'Failed', reason: 'UnknownState' });
    const first = await runWith(withDestination('it'), 'Delete', { prior: [unknown] });
    const second = await runWith(withDestination('it'), 'Delete', { prior: first.rows });
    for (const run of [first, second])
      expect(run.outcomeOf('a')).toMatchObject({ reason: 'UnknownState', destination: { version: '1' } });
    expect(second.outcomeOf('a')).toEqual(first.outcomeOf('a'));
  });

  it('is missing if it was not proven or its source stays', async () => {
    for (const prior of [[], [aRow('a')]]) {
      const run = await runWith(withDestination('it'), 'Keep', { prior });
      expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'SourceMissing', retry: 'later' });
    }
  });

  it.each([
    [
      'was deleted',
      false,
      {
        state: 'Skipped',
        reason: 'SourceDeleted',
        retry: 'later',
        message: expect.stringMatching(
          /^The newest version of the source \(\d+\) is deleted, .* Undelete it/,
        ),
      },
    ],
    ['has expired', true, { state: 'Skipped', reason: 'Expired' }],
  ])('is reported when its version %s', async (_what, expires, outcome) => {
    const world = aWorld({ addressing: 'tree' });
    const expiresAt = new Date(world.clock.now() + 1_000).toISOString();
    world.source.put('ns/a', { k: 'v' }, expires ? { expiresAt } : {});
    if (expires) world.clock.jump(1_000);
    else world.source.remove('ns/a');
    expect((await runWith(world, 'Keep')).outcomeOf('a')).toMatchObject(outcome);
  });
});
