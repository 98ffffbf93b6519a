import { describe, expect, it } from 'vitest';
import { aRow, aWorld, runEngine, type EngineRun, type World } from '#test/support/engine-run.ts';

/*
 * Credentials of backends, which a migration copies only when it names them.
 */

const trustRoots = { 'app-token': 'SecretBackend vault' };

function withCredentials(): World {
  const world = aWorld({ listsTypes: true });
  world.source.put('app-db', { k: 'v' });
  world.source.put('app-token', { token: 't' });
  return world;
}

const run = async (world: World, more: Partial<EngineRun>) => runEngine({ ...world, trustRoots, ...more });

describe('the Secret that a backend reads its credentials from', () => {
  it.each(['Keep', 'Delete', 'Backup', 'Project'])(
    'is not read and not copied with everything else (%s), and its row says how to include it',
    async (sourcePolicy) => {
      const world = withCredentials();
      const report = await run(world, { spec: { sourcePolicy } });
      expect(report.outcomeOf('app-token')).toEqual({
        name: 'app-token',
        keys: [],
        state: 'Skipped',
        reason: 'TrustRoot',
        message:
          'Not copied: SecretBackend vault reads its credentials from this Secret. To copy it, list it in spec.select.names.',
      });
      expect(world.destination.addresses()).toEqual(['ns/app-db']);
      expect(world.source.textAt('app-token')).toEqual({ token: 't' });
      expect(report.log).not.toContain('source read app-token');
    },
  );

  it('is not copied by a prefix either, nor into a store of the same kind', async () => {
    const world = withCredentials();
    const report = await run(world, { spec: { select: { prefix: 'app-' } } });
    expect(report.outcomeOf('app-token').state).toBe('Skipped');
    const toFlat = aWorld({}, { addressing: 'flat' });
    toFlat.source.put('app-token', { token: 't' });
    const flat = await run(toFlat, { spec: { mapping: { path: '{name}' } } });
    expect(flat.outcomeOf('app-token').state).toBe('Skipped');
    expect(toFlat.destination.addresses()).toEqual([]);
  });

  it('is a row of a dry run, which would move the others', async () => {
    const report = await run(withCredentials(), { spec: { dryRun: true } });
    expect(report.outcomeOf('app-token')).toMatchObject({ state: 'Skipped', reason: 'TrustRoot' });
    expect(report.outcomeOf('app-db').reason).toBe('WouldCreate');
  });

  it('is copied when the selection names it, and its source stays', async () => {
    const world = withCredentials();
    const spec = { select: { names: ['app-token'] }, sourcePolicy: 'Delete' };
    const report = await run(world, { spec });
    expect(report.outcomeOf('app-token')).toMatchObject({ state: 'Verified', reason: 'TrustRoot' });
    expect(world.destination.textAt('ns/app-token')).toEqual({ token: 't' });
    expect(world.source.textAt('app-token')).toEqual({ token: 't' });
  });

  it('stays where an earlier run copied it to: nothing is deleted at a destination', async () => {
    const world = withCredentials();
    world.destination.put('ns/app-token', { token: 't' });
    const report = await run(world, { prior: [aRow('app-token')] });
    expect(report.outcomeOf('app-token').state).toBe('Skipped');
    expect(world.destination.textAt('ns/app-token')).toEqual({ token: 't' });
    const again = await run(world, { prior: report.rows });
    expect(again.rows).toEqual(report.rows);
  });
});
