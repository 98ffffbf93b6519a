import { describe, expect, it } from 'vitest';
import { all, always, failsWith, losesReply, once, type Hooks } from '#src/backends/memory/hooks.ts';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

/** Requested writes, including those that failed. */
const writesIn = (log: readonly string[]): number =>
  log.filter((line) => line.startsWith('destination write')).length;

function withSource(): World {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  return world;
}

describe('a write', () => {
  it('needs no read first where the listing shows that the address is free', async () => {
    const { log } = await runEngine(withSource());
    expect(log.indexOf('destination read ns/a')).toBeGreaterThan(log.indexOf('destination write ns/a'));
  });

  it('needs a read first where the destination may not be listed', async () => {
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
    'whose reply is lost after it was applied is not repeated': {
      hooks: () => ({ after: once('write', losesReply) }),
      outcome: { state: 'Verified', destination: { path: 'ns/a', version: '1' } },
      writes: 1,
    },
    'whose reply is lost and which was not applied is decided again, and repeated': {
      hooks: () => ({ before: once('write', losesReply) }),
      outcome: { state: 'Verified', destination: { path: 'ns/a', version: '1' } },
      writes: 2,
    },
    'that loses against another writer with the same bytes adopts those': {
      hooks: (world) => ({ before: once('write', write(world, 'v')) }),
      outcome: { state: 'Verified', destination: { path: 'ns/a', version: '1' } },
      writes: 1,
    },
    'that loses against another writer with other bytes is a conflict': {
      hooks: (world) => ({ before: once('write', write(world, 'theirs')) }),
      outcome: { state: 'Conflict', reason: 'DestinationDiffers' },
      writes: 1,
    },
    'whose address is alternately taken and free fails in this run': {
      hooks: (world) => ({
        before: all(
          always('write', write(world, 'theirs')),
          always('read', () => world.destination.purge('ns/a')),
        ),
      }),
      outcome: { state: 'Failed', reason: 'DestinationChanged', retry: 'soon' },
      writes: 3,
    },
    'that is refused for lack of rights fails, and is retried later': {
      hooks: () => ({ before: once('write', failsWith('AUTH_DENIED')) }),
      outcome: { state: 'Failed', reason: 'PermissionDenied', retry: 'later' },
      writes: 1,
    },
    'that is rate limited stays pending, and is retried soon': {
      hooks: () => ({ before: once('write', failsWith('RATE_LIMITED')) }),
      outcome: { state: 'Pending', reason: 'RateLimited', retry: 'soon' },
      writes: 1,
    },
  };

  it.each(Object.entries(lost))('%s', async (_sentence, { hooks, outcome, writes }) => {
    const world = withSource();
    const run = await runEngine({ ...world, at: { destination: hooks(world) } });
    expect(run.outcomeOf('a')).toMatchObject(outcome);
    expect(writesIn(run.log)).toBe(writes);
  });

  it('that was interrupted is completed, without another version', async () => {
    const world = withSource();
    world.destination.put('ns/a', { k: 'v' }, {}, { isUnfinished: true });
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '1' } });
    expect(world.destination.currentAt('ns/a')?.isUnfinished).toBeUndefined();
  });

  it('that was interrupted is not completed by a dry run', async () => {
    const world = withSource();
    world.destination.put('ns/a', { k: 'v' }, {}, { isUnfinished: true });
    await runEngine({ ...world, spec: { dryRun: true } });
    expect(world.destination.currentAt('ns/a')?.isUnfinished).toBe(true);
  });
});

describe('what a write that was cut off has prepared', () => {
  const foreign: Record<string, (world: World) => void> = {
    'with another value': ({ destination }) =>
      void destination.put('ns/a', { k: 'theirs' }, {}, { isUnfinished: true }),
    'under a newer value': ({ destination }) =>
      void destination.put('ns/a', { k: 'theirs' }, {}, { isPrepared: true }),
    'under a deleted value': ({ destination }) => {
      destination.put('ns/a', { k: 'theirs' }, {}, { isPrepared: true });
      destination.remove('ns/a');
    },
  };

  it.each(Object.entries(foreign))('is undone %s, which stays a conflict', async (_where, put) => {
    const world = withSource();
    put(world);
    const before = world.destination.currentAt('ns/a');
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict' });
    const after = world.destination.currentAt('ns/a');
    expect(after).toMatchObject({ version: before?.version, fields: before?.fields });
    expect(after?.isUnfinished ?? after?.isPrepared).toBeUndefined();
    expect(run.log).not.toContain('destination finish ns/a');
    expect((await runEngine(world)).log).not.toContain('destination undo ns/a');
  });

  it('stays without the right to undo it, and the row says so', async () => {
    const world = withSource();
    world.destination.put('ns/a', { k: 'theirs' }, {}, { isPrepared: true });
    const mayNot = { destination: (verb: string) => verb === 'update' };
    const run = await runEngine({ ...world, mayNot });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationDiffers' });
    expect(run.outcomeOf('a').message).toMatch(
      /^The destination has other.* Remains of a write .*keyferry-\*/,
    );
    expect(run.outcomeOf('a').message?.length).toBeLessThanOrEqual(256);
  });

  it('makes a source uncertain: it is not copied, and the row says so', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' }, {}, { isUnfinished: true });
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'SourceUnfinished', retry: 'later' });
    expect(world.destination.addresses()).toEqual([]);
  });
});
