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
