import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { once } from '#src/backends/memory/hooks.ts';
import { aWorld, runEngine, type RunReport, type World } from '#test/support/engine-run.ts';

/* Each folder of paths becomes one Secret or file. */

const spec = { mapping: { join: {} } };

function fromFolders(paths: Readonly<Record<string, Readonly<Record<string, string>>>>): World {
  const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
  for (const [path, fields] of Object.entries(paths)) world.source.put(path, fields);
  return world;
}

const APP = { 'ns/app/db': { user: 'u', password: 'p' }, 'ns/app/api': { token: 't' } };

function accountOf({ result: { inventory } }: RunReport): Record<string, number> {
  const { discovered = 0, selected = 0, leftOut = new Map<string, number>() } = inventory ?? {};
  return { discovered, selected, ...Object.fromEntries(leftOut) };
}

describe('a folder that is joined', () => {
  it('becomes one document with the keys of all its parts, and a second run writes nothing', async () => {
    const world = fromFolders({ ...APP, 'ns/web/tls': { crt: 'c' } });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('app')).toMatchObject({
      state: 'Verified',
      keys: ['api.token', 'db.password', 'db.user'],
    });
    expect(world.destination.textAt('app')).toEqual({ 'db.user': 'u', 'db.password': 'p', 'api.token': 't' });
    expect(world.destination.textAt('web')).toEqual({ 'tls.crt': 'c' });
    expect(accountOf(run)).toEqual({ discovered: 2, selected: 2 });
    const again = await runEngine({ ...world, spec, prior: run.rows });
    expect(again.outcomeOf('app')).toMatchObject({ state: 'Verified' });
    expect(again.log.filter((line) => line.startsWith('destination write'))).toEqual([]);
    expect(again.rows.map(({ source }) => source?.version)).toEqual(
      run.rows.map(({ source }) => source?.version),
    );
  });

  it.each([
    ['{key}', { user: 'u', password: 'p', token: 't' }],
    ['{key}@{name}', { 'user@db': 'u', 'password@db': 'p', 'token@api': 't' }],
    ['app_{name}_{key}', { app_db_user: 'u', app_db_password: 'p', app_api_token: 't' }],
  ])('has keys of the form %s', async (key, expected) => {
    const world = fromFolders(APP);
    await runEngine({ ...world, spec: { mapping: { join: { key } } } });
    expect(world.destination.textAt('app')).toEqual(expected);
  });

  it('has the names of its parts as keys, if each of them has one value', async () => {
    const world = fromFolders({
      'ns/app/user': { value: 'u' },
      'ns/app/token': { v: 't' },
      ...prefixed('b'),
    });
    const run = await runEngine({ ...world, spec: { mapping: { join: { key: '{name}' } } } });
    expect(world.destination.textAt('app')).toEqual({ user: 'u', token: 't' });
    expect(run.outcomeOf('b')).toMatchObject({ state: 'Failed', reason: 'PartsRefused' });
    expect(run.outcomeOf('b').message).toContain('Part "db" does not have exactly one key');
  });

  it('gets the names of mapping.keys after it was joined', async () => {
    const world = fromFolders(APP);
    const keys = [{ from: 'db.{key}', to: 'DB_{key}' }];
    await runEngine({ ...world, spec: { mapping: { join: {}, keys } } });
    expect(world.destination.textAt('app')).toEqual({ DB_user: 'u', DB_password: 'p', 'api.token': 't' });
  });

  it('is refused, with both parts, if two values would have one key', async () => {
    const world = fromFolders({ 'ns/app/db': { token: '1' }, 'ns/app/api': { token: '2' } });
    const run = await runEngine({ ...world, spec: { mapping: { join: { key: '{key}' } } } });
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Failed', reason: 'MappingCollision' });
    expect(run.outcomeOf('app').message).toBe(
      'Two values of the folder would have one key. "token" of parts "api" and "db" (ns/app). Change spec.mapping.join.key, or exclude the folder.',
    );
    expect(world.destination.addresses()).toEqual([]);
  });
});

function prefixed(folder: string): Record<string, Record<string, string>> {
  return { [`ns/${folder}/db`]: { user: 'u', password: 'p' } };
}

describe('a part that is not whole fails the whole folder by name', () => {
  it('if it is deleted', async () => {
    const world = fromFolders({ ...APP, 'ns/web/tls': { crt: 'c' } });
    world.source.remove('ns/app/api');
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Failed', reason: 'PartsRefused', retry: 'later' });
    expect(run.outcomeOf('app').message).toContain('Part "api" has no value');
    expect(world.destination.addresses()).toEqual(['web']);
  });

  it('if a write of it was cut off', async () => {
    const world = fromFolders(APP);
    world.source.put('ns/app/api', { token: 't' }, {}, { isUnfinished: true });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('app').message).toContain('A write of part "api" was cut off');
  });

  it('if it cannot be read', async () => {
    const world = fromFolders(APP);
    const mayNot = { source: (verb: string, at: string) => verb === 'read' && at === 'ns/app/api' };
    const run = await runEngine({ ...world, spec, mayNot });
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
    expect(run.outcomeOf('app').message).toContain('ns/app/api');
    expect(world.destination.addresses()).toEqual([]);
  });

  it('if its name is one that no document can have', async () => {
    const world = fromFolders({ ...APP, 'ns/app/a\nb': { k: 'v' } });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Failed', reason: 'PartsRefused' });
    expect(run.outcomeOf('app').message).toContain(String.raw`a\u{a}b`);
  });

  it('if it expires, as the whole document does with the first part', async () => {
    const world = fromFolders(APP);
    world.source.put('ns/app/api', { token: 't' }, { expiresAt: '2999-01-01T00:00:00Z' });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Failed', reason: 'ExpiryRefused' });
  });

  it('if there are too many of them', async () => {
    const many = Array.from({ length: 257 }, (_, index) => [`ns/app/p${index}`, { k: 'v' }] as const);
    const run = await runEngine({ ...fromFolders(Object.fromEntries(many)), spec });
    expect(run.outcomeOf('app').message).toContain('There are more than 256 of them');
  });

  it('if they are too large together for any document', async () => {
    const half = 'x'.repeat(1_048_576);
    const world = fromFolders({ 'ns/app/a': { k: half }, 'ns/app/b': { k: half }, 'ns/app/c': { k: 'v' } });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('app').message).toContain('Together they have more than 2 MiB');
  });
});

describe('what is not in a folder below the names', () => {
  it('is counted, and a folder in a folder needs a name of its own', async () => {
    const world = fromFolders({ ...APP, 'ns/alone': { k: 'v' }, 'ns/app/eu/db': { k: 'v' } });
    const run = await runEngine({ ...world, spec });
    expect(accountOf(run)).toEqual({ discovered: 3, selected: 2, OtherPath: 1 });
    expect(run.outcomeOf('app/eu')).toMatchObject({ state: 'Failed', reason: 'NotMapped' });
    const mapping = { join: {}, segmentSeparator: '-' };
    expect((await runEngine({ ...world, spec: { mapping } })).outcomeOf('app/eu').state).toBe('Verified');
    expect(world.destination.textAt('app-eu')).toEqual({ 'db.k': 'v' });
  });

  it('is missing under its name', async () => {
    const world = fromFolders({ ...APP, 'ns/alone': { k: 'v' } });
    const select = { names: ['app', 'alone', 'none'] };
    const run = await runEngine({ ...world, spec: { ...spec, select } });
    expect(run.outcomeOf('app').state).toBe('Verified');
    for (const name of ['alone', 'none'])
      expect(run.outcomeOf(name)).toMatchObject({ state: 'Failed', reason: 'SourceMissing' });
  });

  it('can be excluded by the name of the folder', async () => {
    const world = fromFolders({ ...APP, 'ns/web/tls': { crt: 'c' } });
    const run = await runEngine({
      ...world,
      spec: { ...spec, select: { all: true, exclude: { names: ['app'] } } },
    });
    expect(accountOf(run)).toEqual({ discovered: 2, selected: 1, Excluded: 1 });
    expect(run.log.filter((line) => line.startsWith('source read ns/app/'))).toEqual([]);
  });
});

it('reads a folder again in which a part changes meanwhile, and copies one state of it', async () => {
  const world = fromFolders(APP);
  const change = (): void => {
    world.source.put('ns/app/db', { user: 'u2', password: 'p2' });
    world.source.put('ns/app/api', { token: 't2' });
  };
  const at = { source: { after: once('read', change, { address: 'ns/app/db' }) } };
  await runEngine({ ...world, spec, at });
  expect(world.destination.textAt('app')).toEqual({
    'db.user': 'u2',
    'db.password': 'p2',
    'api.token': 't2',
  });
});

it('says that a folder changes all the time, and tries again soon', async () => {
  const world = fromFolders(APP);
  let version = 0;
  const at = {
    source: {
      after: ({ operation }: { operation: string }) => {
        if (operation === 'read') world.source.put('ns/app/db', { user: String((version += 1)) });
      },
    },
  };
  const run = await runEngine({ ...world, spec, at });
  expect(run.outcomeOf('app')).toMatchObject({ state: 'Failed', reason: 'SourceChanged', retry: 'soon' });
  expect(world.destination.addresses()).toEqual([]);
});

it('is refused where a document does not go from paths to Secrets or files', async () => {
  for (const world of [aWorld(), aWorld({ addressing: 'tree' }), aWorld({}, { addressing: 'flat' })])
    await expect(runEngine({ ...world, spec })).rejects.toMatchObject({
      code: 'SPEC_INVALID',
      target: 'spec.mapping.join',
    });
});

it('has exactly the values of all parts, or fails by name, whatever they and the form of the keys are', async () => {
  const name = fc.stringMatching(/^[ab.]{1,3}$/).filter((each) => !/^\.+$/.test(each));
  const parts = fc.dictionary(name, fc.dictionary(name, fc.string(), { noNullPrototype: true }), {
    minKeys: 1,
    noNullPrototype: true,
  });
  const key = fc.constantFrom('{name}.{key}', '{key}', '{name}', '{key}{name}', 'a{name}');
  const check = async (
    folder: Readonly<Record<string, Readonly<Record<string, string>>>>,
    template: string,
  ): Promise<void> => {
    const paths = Object.entries(folder).map(([part, fields]) => [`ns/app/${part}`, fields] as const);
    const world = fromFolders(Object.fromEntries(paths));
    const run = await runEngine({ ...world, spec: { mapping: { join: { key: template } } } });
    const all = Object.entries(folder).flatMap(([part, fields]) =>
      Object.entries(fields).map(([own, value]) => {
        const joined = template.replaceAll(/\{(\w+)\}/g, (_, what) => (what === 'name' ? part : own));
        return [joined, value] as const;
      }),
    );
    const names = all.map(([joined]) => joined);
    const isSingle = Object.values(folder).every((fields) => Object.keys(fields).length === 1);
    if (new Set(names).size === names.length && (template.includes('{key}') || isSingle)) {
      expect(run.outcomeOf('app').state).toBe('Verified');
      expect(world.destination.textAt('app')).toEqual(Object.fromEntries(all));
    } else {
      expect(run.outcomeOf('app').reason).toMatch(/^(MappingCollision|PartsRefused)$/);
      expect(run.outcomeOf('app').message).toMatch(/[pP]arts? "/);
      expect(world.destination.addresses()).toEqual([]);
    }
  };
  await fc.assert(fc.asyncProperty(parts, key, check), { numRuns: 200 });
});
