import { describe, expect, it } from 'vitest';
import type { State } from '#src/backends/memory/store.ts';
import { aWorld, runEngine, type RunReport, type World } from '#test/support/engine-run.ts';

/* Mode Sync toward a Secret that belongs to another object, or that another program writes. */

const ADOPTS = { adopt: true };

function paths(): World {
  const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
  world.source.put('ns/a', { k: '1' });
  return world;
}

async function pass(world: World, sync: object, prior: RunReport['rows'] = []): Promise<RunReport> {
  return runEngine({ ...world, prior, spec: { mode: 'Sync', sync } });
}

function changesIn(log: readonly string[]): readonly string[] {
  return log.filter((line) => /^destination (write|delete|recreate|keep)/.test(line));
}

const OTHERS: readonly (readonly [string, Pick<State, 'manager' | 'owner'>])[] = [
  ['owned by an object', { owner: 'Certificate web' }],
  ['written by another program', { manager: 'cert-manager' }],
];

describe.each(OTHERS)('a Secret that is %s', (_what, other) => {
  const [named] = Object.values(other);

  it('is a conflict at the first copy, also with equal bytes, and the message names it', async () => {
    const world = paths();
    world.destination.put('a', { k: '1' });
    world.destination.alter('a', other);
    const run = await pass(world, {});
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationOwned' });
    expect(run.outcomeOf('a').message).toContain(named);
    expect(changesIn(run.log)).toEqual([]);
  });

  it('is taken over with adopt, if it is equal', async () => {
    const world = paths();
    world.destination.put('a', { k: '1' });
    world.destination.alter('a', other);
    const first = await pass(world, ADOPTS);
    expect(first.outcomeOf('a').state).toBe('Verified');
    world.source.put('ns/a', { k: '2' });
    await pass(world, ADOPTS, first.rows);
    expect(world.destination.textAt('a')).toEqual({ k: '2' });
  });

  it('is a conflict with adopt, if it differs and the policy is Fail', async () => {
    const world = paths();
    world.destination.put('a', { k: 'of another' });
    world.destination.alter('a', other);
    const run = await pass(world, ADOPTS);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationDiffers' });
    expect(world.destination.textAt('a')).toEqual({ k: 'of another' });
  });

  it('is a conflict when its source changes later', async () => {
    const world = paths();
    const first = await pass(world, {});
    world.destination.alter('a', other);
    world.source.put('ns/a', { k: '2' });
    const run = await pass(world, {}, first.rows);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationOwned' });
    expect(world.destination.textAt('a')).toEqual({ k: '1' });
  });
});
