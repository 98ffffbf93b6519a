import { describe, expect, it } from 'vitest';
import { always, failsWith, once } from '#src/backends/memory/hooks.ts';
import { aRow, aWorld, runEngine, type RunReport, type World } from '#test/support/engine-run.ts';

const labels = (team: string) => ({ metadata: new Map([['team', team]]) });

/** Names that a run reported, with the state of each. */
function statesIn({ outcomes }: RunReport): Record<string, string> {
  return Object.fromEntries([...outcomes].map(([name, { state }]) => [name, state]));
}

const nothingWritten = ({ destination }: World) => expect(destination.addresses()).toEqual([]);

describe('a selection', () => {
  function aWorldOfMany(): World {
    const world = aWorld();
    world.source.put('web-1', { k: 'v' }, labels('web'));
    world.source.put('web-2', { k: 'v' }, labels('api'));
    world.source.put('db', { k: 'v' }, { ...labels('web'), type: 'kubernetes.io/tls' });
    world.source.put('token', { k: 'v' }, { type: 'kubernetes.io/service-account-token' });
    return world;
  }

  it.each<[string, object, readonly string[]]>([
    ['of everything', { all: true }, ['db', 'web-1', 'web-2']],
    ['by prefix', { prefix: 'web-' }, ['web-1', 'web-2']],
    ['by labels', { labelSelector: { matchLabels: { team: 'web' } } }, ['db', 'web-1']],
    ['by name', { names: ['db', 'web-2'] }, ['db', 'web-2']],
    ['without names', { all: true, exclude: { names: ['db'] } }, ['web-1', 'web-2']],
    ['without prefixes', { all: true, exclude: { prefixes: ['web-'] } }, ['db']],
    ['without types', { all: true, exclude: { types: ['kubernetes.io/tls'] } }, ['web-1', 'web-2']],
    ['by name, without some of them', { names: ['db', 'web-2'], exclude: { names: ['db'] } }, ['web-2']],
  ])('%s moves exactly these', async (_how, select, names) => {
    const world = aWorldOfMany();
    const run = await runEngine({ ...world, spec: { select } });
    expect(statesIn(run)).toEqual(Object.fromEntries(names.map((name) => [name, 'Verified'])));
    expect(world.destination.addresses()).toEqual(names.map((name) => `ns/${name}`));
  });

  it('excludes by type without a read, if the listing has types', async () => {
    const world = aWorld({ listsTypes: true });
    world.source.put('tls', { k: 'v' }, { type: 'kubernetes.io/tls' });
    const select = { all: true, exclude: { types: ['kubernetes.io/tls'] } };
    const run = await runEngine({ ...world, spec: { select } });
    expect([run.outcomes.size, run.log.includes('source read tls')]).toEqual([0, false]);
  });

  it('by name of a document whose type is never migrated reports it', async () => {
    const world = aWorldOfMany();
    const run = await runEngine({ ...world, spec: { select: { names: ['token'] } } });
    expect(run.outcomeOf('token')).toMatchObject({ state: 'Failed', reason: 'TypeRefused', retry: 'later' });
    nothingWritten(world);
  });

  it('by name reads each of them and lists nothing at the source', async () => {
    const run = await runEngine({ ...aWorldOfMany(), spec: { select: { names: ['db'] } } });
    expect(run.log.filter((line) => /^source (list|read)/.test(line))).toEqual(['source read db']);
  });

  it('of a name that is listed and has no value says what it can be', async () => {
    const world = aWorldOfMany();
    const at = { source: { before: once('read', () => world.source.remove('db'), { address: 'db' }) } };
    const run = await runEngine({ ...world, at });
    expect(run.outcomeOf('db')).toMatchObject({
      reason: 'SourceMissing',
      message: expect.stringContaining('it has only metadata. Write a value, delete the metadata'),
    });
  });

  it('by names, one of which is missing, moves the others', async () => {
    const world = aWorldOfMany();
    const run = await runEngine({ ...world, spec: { select: { names: ['db', 'none'] } } });
    expect(run.outcomeOf('none')).toMatchObject({ state: 'Failed', reason: 'SourceMissing', retry: 'later' });
    expect(run.outcomeOf('db').state).toBe('Verified');
  });

  it('by names, with labels in the path, reports which of them are missing', async () => {
    const world = aWorldOfMany();
    const spec = { select: { names: ['web-1', 'none'] }, mapping: { path: '{label:team}/{name}' } };
    const prior = [aRow('none', { state: 'Conflict' })];
    const run = await runEngine({ ...world, spec, prior });
    expect(run.outcomeOf('none')).toMatchObject({ state: 'Failed', reason: 'SourceMissing' });
    expect(world.destination.addresses()).toEqual(['web/web-1']);
  });

  it('by names, with labels in the path, does not report moved documents as missing', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' }, labels('web'));
    const spec = {
      select: { names: ['a'] },
      mapping: { path: '{label:team}/{name}' },
      sourcePolicy: 'Delete',
    };
    const first = await runEngine({ ...world, spec });
    const second = await runEngine({ ...world, spec, prior: first.rows });
    expect(second.outcomeOf('a')).toMatchObject({ state: 'Removed', destination: { path: 'web/a' } });
  });

  it('from a tree contains the paths below its folder, and fails for those without a single name', async () => {
    const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
    for (const path of ['ns/a', 'other/b', 'ns/deep/c', 'd']) world.source.put(path, { k: 'v' });
    const run = await runEngine(world);
    expect(run.log).toContain('source list ns');
    expect(statesIn(run)).toEqual({ a: 'Verified', 'deep/c': 'Failed' });
    expect(world.destination.addresses()).toEqual(['a']);
  });
});

describe('before anything is written', () => {
  it('a document without a label that the path needs fails', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.source.put('b', { k: 'v' }, labels('web'));
    const run = await runEngine({ ...world, spec: { mapping: { path: '{label:team}/{name}' } } });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Failed',
      reason: 'MappingIncomplete',
      retry: 'later',
    });
    expect(run.outcomeOf('a').message).toContain('team');
    expect(world.destination.addresses()).toEqual(['web/b']);
  });

  it('documents with the same target all fail, and the message names them', async () => {
    const world = aWorld();
    for (const name of ['a', 'b', 'c']) world.source.put(name, { k: name });
    const overrides = [
      { name: 'a', path: 'one' },
      { name: 'b', path: 'one' },
    ];
    const run = await runEngine({ ...world, spec: { mapping: { overrides } } });
    for (const name of ['a', 'b']) {
      expect(run.outcomeOf(name)).toMatchObject({
        state: 'Failed',
        reason: 'MappingCollision',
        retry: 'later',
        destination: { path: 'one' },
      });
      expect(run.outcomeOf(name).message).toContain('a, b');
    }
    expect(world.destination.addresses()).toEqual(['ns/c']);
  });

  it('a document whose name no row can hold is not touched, and a later run leaves it there too', async () => {
    const world = aWorld();
    const long = 'x'.repeat(2_100);
    for (const name of ['a', long]) world.source.put(name, { k: 'v' });
    const spec = { sourcePolicy: 'Delete' };
    const first = await runEngine({ ...world, spec });
    const again = await runEngine({ ...world, spec, prior: first.rows });
    for (const run of [first, again])
      expect(run.outcomeOf(long)).toMatchObject({ state: 'Failed', reason: 'NotRecordable' });
    expect(world.source.addresses()).toEqual([long]);
    expect(world.destination.addresses()).toEqual(['ns/a']);
  });

  it('a document with an invalid target fails permanently', async () => {
    const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
    world.source.put('ns/a.migrated-bak', { k: 'v' });
    const run = await runEngine(world);
    expect(run.outcomeOf('a.migrated-bak')).toMatchObject({
      state: 'Failed',
      reason: 'NameRefused',
      retry: 'never',
      destination: { path: 'a.migrated-bak' },
    });
    nothingWritten(world);
  });
});

describe('before anything is written', () => {
  it.each<[string, object, 'source' | 'destination', string]>([
    ['create at the destination', {}, 'destination', 'create'],
    ['read back at the destination', {}, 'destination', 'read'],
    ['remove at the source', { sourcePolicy: 'Delete' }, 'source', 'delete'],
    ['make a backup at the source', { sourcePolicy: 'Backup' }, 'source', 'create'],
    ['mark at the source', { sourcePolicy: 'Project' }, 'source', 'update'],
  ])('a document fails without the right to %s', async (_what, spec, backend, denied) => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.source.put('b', { k: 'v' });
    const mayNot = { [backend]: (verb: string, address: string) => verb === denied && address.endsWith('a') };
    const run = await runEngine({ ...world, spec: { ...spec }, mayNot });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied', retry: 'later' });
    expect(run.log).not.toContain('source read a');
    expect(['Verified', 'Removed']).toContain(run.outcomeOf('b').state);
    expect(world.destination.addresses()).toEqual(['ns/b']);
  });

  it.each<[string, object, string]>([
    ['update if nothing is overwritten', {}, 'update'],
    ['create if the name is taken', {}, 'create'],
  ])('a document needs no right to %s', async (_what, spec, denied) => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'v' });
    const mayNot = { destination: (verb: string) => verb === denied };
    const run = await runEngine({ ...world, spec: { ...spec }, mayNot });
    expect(run.outcomeOf('a').state).toBe('Verified');
  });

  it('the right to update is needed if the name is taken and may be overwritten', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'theirs' });
    const mayNot = { destination: (verb: string) => verb === 'update' };
    const run = await runEngine({ ...world, spec: { conflictPolicy: 'Overwrite' }, mayNot });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
  });

  it('a denied listing of the source fails the run: it is not an empty listing', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const mayNot = { source: (verb: string) => verb === 'list' };
    await expect(runEngine({ ...world, mayNot, prior: [aRow('a')] })).rejects.toMatchObject({
      code: 'AUTH_DENIED',
    });
  });

  it.each(['BACKEND_UNREACHABLE', 'RATE_LIMITED', 'INVARIANT'] as const)(
    'a listing of the destination that fails with %s ends the run',
    async (code) => {
      const world = aWorld();
      world.source.put('a', { k: 'v' });
      const at = { destination: { before: always('list', failsWith(code)) } };
      await expect(runEngine({ ...world, at })).rejects.toMatchObject({ code });
      nothingWritten(world);
    },
  );

  it.each(['AUTH_DENIED', 'SERVER_ERROR', 'REPLY_INVALID', 'SELECTION_TOO_LARGE'] as const)(
    'a listing of the destination that fails with %s leaves its names unknown: each target is read',
    async (code) => {
      const world = aWorld();
      world.source.put('a', { k: 'v' });
      world.source.put('b', { k: 'v' });
      world.destination.put('ns/a', { k: 'theirs' });
      const at = { destination: { before: always('list', failsWith(code)) } };
      const run = await runEngine({ ...world, at });
      expect(run.outcomeOf('a').state).toBe('Conflict');
      expect(run.outcomeOf('b').state).toBe('Verified');
      expect(run.log.indexOf('destination read ns/b')).toBeLessThan(
        run.log.indexOf('destination write ns/b'),
      );
    },
  );

  it('a listing of the source that is too large ends the run before anything is written', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const at = { source: { before: always('list', failsWith('SELECTION_TOO_LARGE')) } };
    await expect(runEngine({ ...world, at })).rejects.toMatchObject({ code: 'SELECTION_TOO_LARGE' });
    nothingWritten(world);
  });

  it('an override outside the listed folder is read separately', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('team/a', { k: 'v' });
    const spec = { mapping: { overrides: [{ name: 'a', path: 'team/a' }] } };
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { path: 'team/a' } });
    expect(run.log).not.toContain('destination write team/a');
  });
});
