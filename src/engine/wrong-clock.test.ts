import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type RunReport, type World } from '#test/support/engine-run.ts';

const TTL_MS = 60_000;
const BACKUP = 'a.migrated-bak';
const WRONG = { clockDiffersFrom: 'the Kubernetes API server' };

function withSource(): World {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  return world;
}

describe('while the clock of the operator differs from that of a server', () => {
  it.each(['Delete', 'Backup'])('no source is removed, and its row says so: %s', async (sourcePolicy) => {
    const world = withSource();
    const spec = { sourcePolicy };
    const held = await runEngine({ ...world, spec, ...WRONG });
    expect(held.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'ClockSkew', retry: 'later' });
    expect(held.outcomeOf('a').message).toBe(
      'Nothing is removed: the clocks of the operator and of the Kubernetes API server differ. Synchronize them (NTP).',
    );
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
    const again = await runEngine({ ...world, spec, prior: held.rows, ...WRONG });
    expect(again.rows).toEqual(held.rows);

    const last = await runEngine({ ...world, spec, prior: again.rows });
    expect(last.outcomeOf('a')).toMatchObject({ state: 'Removed' });
    expect(last.outcomeOf('a').reason).toBeUndefined();
  });

  it('a source that soaks still says that it soaks', async () => {
    const spec = { sourcePolicy: 'Delete', soakSeconds: 60 };
    const run = await runEngine({ ...withSource(), spec, ...WRONG });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'AwaitingSoak' });
  });

  it.each(['Keep', 'Project'])('a source that stays anyway is no concern: %s', async (sourcePolicy) => {
    const run = await runEngine({ ...withSource(), spec: { sourcePolicy }, ...WRONG });
    expect(run.outcomeOf('a').reason).not.toBe('ClockSkew');
  });

  it('no backup expires, its row says so, and it expires as soon as the clock is right', async () => {
    const world = withSource();
    const spec = { sourcePolicy: 'Backup', backupTTLSeconds: TTL_MS / 1_000 };
    const moved = await runEngine({ ...world, spec });
    world.clock.jump(TTL_MS * 2);
    const maintain = (prior: RunReport, more: object = {}): Promise<RunReport> =>
      runEngine({ ...world, spec, prior: prior.rows, task: 'maintain', ...more });
    const held = await maintain(moved, WRONG);
    expect(held.outcomeOf('a')).toMatchObject({ state: 'Removed', reason: 'ClockSkew', backup: BACKUP });
    expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
    const again = await maintain(held, WRONG);
    expect(again.rows).toEqual(held.rows);

    const last = await maintain(again);
    expect(last.outcomeOf('a')).toMatchObject({ state: 'Removed', reason: 'BackupExpired' });
    expect(last.outcomeOf('a').message).toBeUndefined();
    expect(world.source.backupTextAt(BACKUP)).toBeUndefined();
  });
});
