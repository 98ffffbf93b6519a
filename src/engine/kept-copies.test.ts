import { describe, expect, it } from 'vitest';
import { LiveMigrations } from '#src/engine/crossings.ts';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/* Mode Sync: copies of what was replaced in Secrets go when their time has come. */

const HOUR_MS = 3_600_000;

class Follower {
  readonly world: World;
  readonly live = new LiveMigrations();
  prior: RunReport['rows'] = [];

  constructor(world: World = aWorld({ addressing: 'tree' }, { addressing: 'flat' })) {
    this.world = world;
  }

  async pass(more: Partial<EngineRun> = {}): Promise<RunReport> {
    const spec = { mode: 'Sync', conflictPolicy: 'Overwrite', backupTTLSeconds: 60 };
    const { live, prior, world } = this;
    const run = await runEngine({ ...world, prior, live, spec, ...more });
    this.prior = run.rows;
    return run;
  }

  async follow(more: Partial<EngineRun> = {}): Promise<RunReport> {
    return this.pass({ only: ['a'], ...more });
  }
}

/** An edit of the Secret was undone, and a copy of it is kept for a minute. */
async function restored(): Promise<{ readonly follower: Follower; readonly backup: string }> {
  const follower = new Follower();
  follower.world.source.put('ns/a', { k: '1' });
  await follower.pass();
  follower.world.destination.put('a', { k: 'mine' });
  const run = await follower.follow();
  const { backup = '' } = run.outcomeOf('a');
  expect(follower.world.destination.backupTextAt(backup)).toEqual({ k: 'mine' });
  return { follower, backup };
}

function sweepsIn(log: readonly string[]): readonly string[] {
  return log.filter((line) => line.includes('discardExpired'));
}

describe('a kept copy', () => {
  it('stays until its time has come, and goes in the next pass', async () => {
    const { follower, backup } = await restored();
    await follower.pass();
    expect(follower.world.destination.backupTextAt(backup)).toBeDefined();
    await follower.world.clock.advance(61_000);
    await follower.pass();
    expect(follower.world.destination.backupTextAt(backup)).toBeUndefined();
  });

  it('is looked for at most once an hour while changes are followed', async () => {
    const { follower, backup } = await restored();
    expect(sweepsIn((await follower.follow()).log)).toEqual([]);
    await follower.world.clock.advance(HOUR_MS);
    await follower.follow();
    expect(follower.world.destination.backupTextAt(backup)).toBeUndefined();
    expect(sweepsIn((await follower.follow()).log)).toEqual([]);
  });

  it('is looked for once an hour by the passes of migrations that have none, all of one store together', async () => {
    const { follower, backup } = await restored();
    const other = new Follower(follower.world);
    Object.assign(other, { live: follower.live });
    expect(sweepsIn((await other.pass()).log)).toEqual([]);
    await follower.world.clock.advance(HOUR_MS);
    expect(sweepsIn((await other.pass()).log)).toEqual(['destination discardExpired']);
    expect(follower.world.destination.backupTextAt(backup)).toBeUndefined();
    expect(sweepsIn((await other.pass()).log)).toEqual([]);
  });

  it('is not looked for by a migration that has none, or in a store without copies', async () => {
    const none = new Follower();
    none.world.source.put('ns/a', { k: '1' });
    await none.pass();
    await none.world.clock.advance(HOUR_MS);
    expect(sweepsIn((await none.follow()).log)).toEqual([]);
    const other = new Follower(aWorld({ addressing: 'tree' }, { keepsCopies: false }));
    other.world.source.put('ns/a', { k: '1' });
    expect(sweepsIn((await other.pass()).log)).toEqual([]);
  });

  it('that cannot be removed fails no run', async () => {
    const { follower, backup } = await restored();
    await follower.world.clock.advance(61_000);
    const before = ({ operation }: { readonly operation: string }): void => {
      if (operation === 'discardExpired') throw new Error('no list');
    };
    const run = await follower.pass({ at: { destination: { before } } });
    expect(run.result.problem).toBeUndefined();
    expect(follower.world.destination.backupTextAt(backup)).toBeDefined();
    const skewed = await follower.pass({ clockDiffersFrom: 'the API server' });
    expect(sweepsIn(skewed.log)).toEqual([]);
  });

  it('stays named in the row while nothing changes', async () => {
    const { follower, backup } = await restored();
    const run = await follower.follow();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'RestoredDestination', backup });
  });
});
