import { describe, expect, it } from 'vitest';
import { all, always, failsWith, losesReply, once, type Hooks } from '#src/backends/memory/hooks.ts';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

/** Writes that were asked for, also those that failed. */
const writesIn = (log: readonly string[]): number =>
  log.filter((line) => line.startsWith('destination write')).length;

function withSource(): World {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  return world;
}

describe('a document', () => {
  interface Row {
    readonly spec?: object;
    readonly there?: (world: World) => void;
    readonly outcome: object;
    /** What the destination holds afterwards. */
    readonly holds: Readonly<Record<string, string>> | undefined;
    readonly writes: number;
  }
  const differs = ({ destination }: World) => destination.put('ns/a', { k: 'theirs' });
  const table: Record<string, Row> = {
    'that the destination does not have is written and proven': {
      outcome: { state: 'Verified', keys: ['k'], destination: { path: 'ns/a', version: '1' } },
      holds: { k: 'v' },
      writes: 1,
    },
    'that the destination has already is adopted as it is': {
      there: ({ destination }) => {
        destination.put('ns/a', { k: 'older' });
        destination.put('ns/a', { k: 'v' });
      },
      outcome: { state: 'Verified', destination: { path: 'ns/a', version: '2' } },
      holds: { k: 'v' },
      writes: 0,
    },
    'that differs is a conflict and stays as it is': {
      there: differs,
      outcome: { state: 'Conflict', reason: 'DestinationDiffers', retry: 'later' },
      holds: { k: 'theirs' },
      writes: 0,
    },
    'whose destination was deleted is a conflict and stays deleted': {
      there: ({ destination }) => {
        destination.put('ns/a', { k: 'v' });
        destination.remove('ns/a');
      },
      outcome: { state: 'Conflict', reason: 'DestinationDeleted', retry: 'later' },
      holds: undefined,
      writes: 0,
    },
    'that differs is skipped where the destination is to be kept, and its source stays': {
      spec: { conflictPolicy: 'KeepDestination', sourcePolicy: 'Delete' },
      there: differs,
      outcome: { state: 'Skipped', reason: 'DestinationDiffers' },
      holds: { k: 'theirs' },
      writes: 0,
    },
    'gets the new names of its fields': {
      spec: { mapping: { fields: [{ from: 'k', to: 'key' }] } },
      outcome: { state: 'Verified', keys: ['k'] },
      holds: { key: 'v' },
      writes: 1,
    },
    'would be written, says a dry run': {
      spec: { dryRun: true },
      outcome: { state: 'Pending', reason: 'WouldCreate' },
      holds: undefined,
      writes: 0,
    },
    'would be adopted, says a dry run': {
      spec: { dryRun: true, sourcePolicy: 'Delete' },
      there: ({ destination }) => destination.put('ns/a', { k: 'v' }),
      outcome: { state: 'Pending', reason: 'WouldAdopt' },
      holds: { k: 'v' },
      writes: 0,
    },
    'would be overwritten, says a dry run': {
      spec: { dryRun: true, conflictPolicy: 'Overwrite' },
      there: differs,
      outcome: { state: 'Pending', reason: 'WouldOverwrite', destination: { priorVersion: '1' } },
      holds: { k: 'theirs' },
      writes: 0,
    },
    'would be a conflict, says a dry run': {
      spec: { dryRun: true },
      there: differs,
      outcome: { state: 'Conflict', reason: 'DestinationDiffers' },
      holds: { k: 'theirs' },
      writes: 0,
    },
    'would be skipped, says a dry run': {
      spec: { dryRun: true, conflictPolicy: 'KeepDestination' },
      there: differs,
      outcome: { state: 'Skipped', reason: 'DestinationDiffers' },
      holds: { k: 'theirs' },
      writes: 0,
    },
  };

  it.each(Object.entries(table))('%s', async (_sentence, { spec, there, outcome, holds, writes }) => {
    const world = withSource();
    there?.(world);
    const run = await runEngine({ ...world, ...(spec && { spec: { ...spec } }) });
    expect(run.outcomeOf('a')).toMatchObject(outcome);
    expect(world.destination.textAt('ns/a')).toEqual(holds);
    expect(writesIn(run.log)).toBe(writes);
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('without fields is moved as well', async () => {
    const world = aWorld();
    world.source.put('a', {});
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', keys: [] });
    expect(world.destination.textAt('ns/a')).toEqual({});
  });

  it('keeps its type, and of its labels those that are named', async () => {
    const world = aWorld();
    const notes = new Map([
      ['team', 'web'],
      ['internal', 'x'],
    ]);
    world.source.put('a', { k: 'v' }, { type: 'kubernetes.io/tls', immutable: true, notes });
    await runEngine({ ...world, spec: { mapping: { labels: ['team'] } } });
    expect(world.destination.currentAt('ns/a')?.attributes).toEqual({
      type: 'kubernetes.io/tls',
      immutable: true,
      notes: new Map([['team', 'web']]),
    });
  });

  it('two fields of which would get one name fails, and nothing is written', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v', l: 'w' });
    const run = await runEngine({ ...world, spec: { mapping: { fields: [{ from: 'k', to: 'l' }] } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'MappingCollision', retry: 'later' });
    expect(writesIn(run.log)).toBe(0);
  });

  it('that the destination can never hold fails, and nothing is written', async () => {
    const world = aWorld({ canExpire: true }, { canExpire: false });
    world.source.put('a', { k: 'v' }, { expiresAt: '2026-02-01T00:00:00Z' });
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'ExpiryRefused', retry: 'later' });
    expect(writesIn(run.log)).toBe(0);
  });

  it('whose time comes before it is written is skipped', async () => {
    const world = aWorld({ canExpire: true });
    world.source.put('a', { k: 'v' }, { expiresAt: '2026-01-01T00:00:01Z' });
    const before = once('write', () => world.clock.jump(1_000));
    const run = await runEngine({ ...world, at: { destination: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Skipped', reason: 'Expired' });
  });

  it.each(['Keep', 'Delete'])(
    'with a type that the destination does not tell is adopted only while its source stays: %s',
    async (sourcePolicy) => {
      const world = aWorld();
      world.source.put('a', { k: 'v' }, { type: 'kubernetes.io/tls' });
      world.destination.put('ns/a', { k: 'v' });
      const run = await runEngine({ ...world, spec: { sourcePolicy } });
      const expected = sourcePolicy === 'Keep' ? { state: 'Verified' } : { reason: 'AttributesDiffer' };
      expect(run.outcomeOf('a')).toMatchObject(expected);
      expect(world.source.textAt('a')).toEqual({ k: 'v' });
    },
  );
});

describe('a write', () => {
  it('is not preceded by a read where the listing tells that there is nothing', async () => {
    const { log } = await runEngine(withSource());
    expect(log.indexOf('destination read ns/a')).toBeGreaterThan(log.indexOf('destination write ns/a'));
  });

  it('is preceded by a read where the names of the destination may not be listed', async () => {
    const mayNot = { destination: (verb: string) => verb === 'list' };
    const run = await runEngine({ ...withSource(), mayNot });
    const { log } = run;
    expect(log.indexOf('destination read ns/a')).toBeLessThan(log.indexOf('destination write ns/a'));
    expect(run.outcomeOf('a').state).toBe('Verified');
  });

  interface Lost {
    readonly hooks: (world: World) => Hooks;
    readonly outcome: object;
    readonly writes: number;
  }
  const write = (world: World, k: string) => () => void world.destination.put('ns/a', { k });
  const lost: Record<string, Lost> = {
    'whose reply is lost after it was done is not repeated': {
      hooks: () => ({ after: once('write', losesReply) }),
      outcome: { state: 'Verified', destination: { path: 'ns/a', version: '1' } },
      writes: 1,
    },
    'whose reply is lost and which was not done is decided again, and repeated': {
      hooks: () => ({ before: once('write', losesReply) }),
      outcome: { state: 'Verified', destination: { path: 'ns/a', version: '1' } },
      writes: 2,
    },
    'that another writer overtook with the same bytes adopts those': {
      hooks: (world) => ({ before: once('write', write(world, 'v')) }),
      outcome: { state: 'Verified', destination: { path: 'ns/a', version: '1' } },
      writes: 1,
    },
    'that another writer overtook with other bytes is a conflict': {
      hooks: (world) => ({ before: once('write', write(world, 'theirs')) }),
      outcome: { state: 'Conflict', reason: 'DestinationDiffers' },
      writes: 1,
    },
    'whose place is taken and free again by turns is given up for this run': {
      hooks: (world) => ({
        before: all(
          always('write', write(world, 'theirs')),
          always('read', () => world.destination.purge('ns/a')),
        ),
      }),
      outcome: { state: 'Failed', reason: 'DestinationChanged', retry: 'soon' },
      writes: 3,
    },
    'that is refused for lack of rights fails, and waits': {
      hooks: () => ({ before: once('write', failsWith('AUTH_DENIED')) }),
      outcome: { state: 'Failed', reason: 'PermissionDenied', retry: 'later' },
      writes: 1,
    },
    'that came too fast fails, and is tried again soon': {
      hooks: () => ({ before: once('write', failsWith('RATE_LIMITED')) }),
      outcome: { state: 'Failed', reason: 'RateLimited', retry: 'soon' },
      writes: 1,
    },
  };

  it.each(Object.entries(lost))('%s', async (_sentence, { hooks, outcome, writes }) => {
    const world = withSource();
    const run = await runEngine({ ...world, at: { destination: hooks(world) } });
    expect(run.outcomeOf('a')).toMatchObject(outcome);
    expect(writesIn(run.log)).toBe(writes);
  });

  it('that was cut off before its end is finished, without another version', async () => {
    const world = withSource();
    world.destination.put('ns/a', { k: 'v' }, {}, { isUnfinished: true });
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '1' } });
    expect(world.destination.currentAt('ns/a')?.isUnfinished).toBeUndefined();
  });

  it.each<[string, object, string]>([
    ['by a dry run', { dryRun: true }, 'v'],
    ['when it holds something else', {}, 'theirs'],
  ])('that was cut off before its end is not finished %s', async (_when, spec, k) => {
    const world = withSource();
    world.destination.put('ns/a', { k }, {}, { isUnfinished: true });
    await runEngine({ ...world, spec: { ...spec } });
    expect(world.destination.currentAt('ns/a')?.isUnfinished).toBe(true);
  });
});
