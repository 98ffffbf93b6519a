import { describe, expect, it } from 'vitest';
import { always, failsWith, losesReply, once, type Hooks } from '#src/backends/memory/hooks.ts';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

const BACKUP = 'a.migrated-bak';

function withSource(): World {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  return world;
}

interface Row {
  readonly sourcePolicy: string;
  readonly there?: (world: World) => void;
  readonly hooks?: (world: World) => Hooks;
  readonly outcome: object;
  /** Whether the source still has it. */
  readonly stays: boolean;
  readonly backup?: object;
}
const lostBefore = (operation: 'delete' | 'retire' | 'mark') => () => ({
  before: once(operation, losesReply),
});
const lostAfter = (operation: 'delete' | 'retire' | 'mark') => () => ({
  after: once(operation, losesReply),
});
const putBackup = (k: string) => (world: World) => {
  const state = { version: world.source.put('b', { k }), fields: new Map([['k', Buffer.from(k)]]) };
  world.source.backups.set(BACKUP, { ...state, attributes: {} });
  world.source.remove('b');
};
const table: Record<string, Row> = {
  'stays with Keep': { sourcePolicy: 'Keep', outcome: { state: 'Verified' }, stays: true },
  'is removed with Delete': { sourcePolicy: 'Delete', outcome: { state: 'Removed' }, stays: false },
  'is kept under another name with Backup': {
    sourcePolicy: 'Backup',
    outcome: { state: 'Removed', backup: BACKUP },
    stays: false,
    backup: { k: 'v' },
  },
  'stays and is marked with Project': {
    sourcePolicy: 'Project',
    outcome: { state: 'Verified', reason: 'Projected' },
    stays: true,
  },
  'counts as removed when the reply to its removal is lost and it is absent': {
    sourcePolicy: 'Delete',
    hooks: lostAfter('delete'),
    outcome: { state: 'Removed' },
    stays: false,
  },
  'stays verified when the reply to its removal is lost and it is present': {
    sourcePolicy: 'Delete',
    hooks: lostBefore('delete'),
    outcome: { state: 'Verified', reason: 'BackendUnavailable', retry: 'soon' },
    stays: true,
  },
  'counts as removed when another writer removed it at the last moment': {
    sourcePolicy: 'Delete',
    hooks: ({ source }) => ({ before: once('delete', () => source.remove('a')) }),
    outcome: { state: 'Removed' },
    stays: false,
  },
  'stays verified when its removal fails': {
    sourcePolicy: 'Delete',
    hooks: () => ({ before: once('delete', failsWith('SERVER_ERROR')) }),
    outcome: { state: 'Verified', reason: 'ServerError', retry: 'soon' },
    stays: true,
  },
  'stays verified when it cannot be read for the second proof': {
    sourcePolicy: 'Delete',
    hooks: () => ({ before: once('read', failsWith('SERVER_ERROR'), { skip: 1 }) }),
    outcome: { state: 'Verified', reason: 'ServerError', retry: 'soon' },
    stays: true,
  },
  'stays when a different backup of its name exists': {
    sourcePolicy: 'Backup',
    there: putBackup('other'),
    outcome: { state: 'Verified', reason: 'BackupExists', retry: 'later' },
    stays: true,
    backup: { k: 'other' },
  },
  'is removed when an equal backup exists, from a run that was killed': {
    sourcePolicy: 'Backup',
    there: putBackup('v'),
    outcome: { state: 'Removed', backup: BACKUP },
    stays: false,
    backup: { k: 'v' },
  },
  'counts as backed up when the reply to its backup is lost': {
    sourcePolicy: 'Backup',
    hooks: lostAfter('retire'),
    outcome: { state: 'Removed', backup: BACKUP },
    stays: false,
    backup: { k: 'v' },
  },
  'is marked by the next run when the reply to the mark is lost': {
    sourcePolicy: 'Project',
    hooks: lostAfter('mark'),
    outcome: { state: 'Verified', reason: 'BackendUnavailable', retry: 'soon' },
    stays: true,
  },
  'has changed when it is absent before it can be marked': {
    sourcePolicy: 'Project',
    hooks: ({ source }) => ({ before: once('mark', () => source.remove('a')) }),
    outcome: { state: 'Pending', reason: 'SourceChanged' },
    stays: false,
  },
};
describe('the source of a proven document', () => {
  it.each(Object.entries(table))('%s', async (_sentence, row) => {
    const world = withSource();
    row.there?.(world);
    const at = row.hooks === undefined ? {} : { source: row.hooks(world) };
    const run = await runEngine({ ...world, spec: { sourcePolicy: row.sourcePolicy }, at });
    expect(run.outcomeOf('a')).toMatchObject(row.outcome);
    expect(world.source.textAt('a')).toEqual(row.stays ? { k: 'v' } : undefined);
    expect(world.source.backupTextAt(BACKUP)).toEqual(row.backup);
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
  });

  it('names the origin of its projection, and is marked once', async () => {
    const world = withSource();
    const spec = { sourcePolicy: 'Project' };
    const first = await runEngine({ ...world, spec });
    expect(world.source.currentAt('a')?.origin).toBe('SecretBackend b ns/a');
    const version = world.source.currentAt('a')?.version;
    const second = await runEngine({ ...world, spec, prior: first.rows });
    expect(second.outcomeOf('a').reason).toBe('Projected');
    expect(world.source.currentAt('a')?.version).toEqual(version);
  });

  it.each([
    ['Delete', { state: 'Verified', reason: 'TrustRoot' }],
    ['Backup', { state: 'Verified', reason: 'TrustRoot' }],
    ['Project', { state: 'Verified', reason: 'Projected' }],
  ])('with the credentials of a backend is not removed: %s', async (sourcePolicy, outcome) => {
    const world = withSource();
    const trustRoots = { a: 'SecretBackend ns/vault' };
    const spec = { sourcePolicy, select: { names: ['a'] } };
    const run = await runEngine({ ...world, spec, trustRoots });
    expect(run.outcomeOf('a')).toMatchObject(outcome);
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it.each([
    ['Delete', { state: 'Verified', reason: 'TrustRoot', retry: 'later' }],
    ['Backup', { state: 'Verified', reason: 'TrustRoot', retry: 'later' }],
    ['Project', { state: 'Verified', reason: 'Projected' }],
  ])('is not removed while a backend cannot be parsed: %s', async (sourcePolicy, outcome) => {
    const world = withSource();
    const spec = { sourcePolicy };
    const unparsedBackend = () => 'SecretBackend vault';
    const first = await runEngine({ ...world, spec, unparsedBackend });
    expect(first.outcomeOf('a')).toMatchObject(outcome);
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
    if (sourcePolicy === 'Project') return;
    expect(first.outcomeOf('a').message).toContain('SecretBackend vault is not valid');
    expect((await runEngine({ ...world, spec, prior: first.rows })).outcomeOf('a').state).toBe('Removed');
  });

  it('is not removed while backends can exist that the operator may not list', async () => {
    const world = withSource();
    const spec = { sourcePolicy: 'Delete' };
    const first = await runEngine({ ...world, spec, unlistedBackends: true });
    expect(first.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'TrustRoot', retry: 'later' });
    expect(first.outcomeOf('a').message).toContain('Grant it list and watch');
    expect((await runEngine({ ...world, spec, prior: first.rows })).outcomeOf('a').state).toBe('Removed');
  });

  it.each(['Backup', 'Project'])(
    'stays if the backend does not support the policy: %s',
    async (sourcePolicy) => {
      const world = aWorld({ keepsBackups: false, keepsProjections: false });
      world.source.put('a', { k: 'v' });
      const run = await runEngine({ ...world, spec: { sourcePolicy } });
      expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', retry: 'later' });
      expect(world.source.textAt('a')).toEqual({ k: 'v' });
    },
  );

  it('has the policy of its rule, if that overrides the spec', async () => {
    const world = withSource();
    world.source.put('tmp-b', { k: 'v' });
    const prefixes = [{ from: 'tmp-', to: 'x-', sourcePolicy: 'Delete' }];
    const run = await runEngine({ ...world, spec: { mapping: { prefixes } } });
    expect(run.outcomeOf('a').state).toBe('Verified');
    expect(run.outcomeOf('tmp-b')).toMatchObject({ state: 'Removed', rule: 'prefixes[0]' });
    expect(world.source.addresses()).toEqual(['a']);
  });
});

describe('no source is removed', () => {
  it('when the record of its proof cannot be made durable', async () => {
    const world = withSource();
    const onFlush = () => {
      throw new Error('not stored');
    };
    await expect(runEngine({ ...world, spec: { sourcePolicy: 'Delete' }, onFlush })).rejects.toThrow(
      'stored',
    );
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('by a run that must stop', async () => {
    const world = withSource();
    const shouldStop = (log: readonly string[]) => log.includes('row a Verified');
    const run = await runEngine({ ...world, spec: { sourcePolicy: 'Delete' }, shouldStop });
    expect(run.result.interrupted).toBe(true);
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('of a document that was not proven', async () => {
    const world = withSource();
    const before = always('read', failsWith('SERVER_ERROR'));
    const run = await runEngine({
      ...world,
      spec: { sourcePolicy: 'Delete' },
      at: { destination: { before } },
    });
    expect(run.outcomeOf('a').state).toBe('Copied');
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('by a dry run, although source and destination are equal', async () => {
    const world = withSource();
    world.destination.put('ns/a', { k: 'v' });
    await runEngine({ ...world, spec: { sourcePolicy: 'Delete', dryRun: true } });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });
});
