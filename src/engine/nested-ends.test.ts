import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type EngineRun } from '#test/support/engine-run.ts';

/* Source and destination are two folders of one store. A migration that is created again has no status of the first one. */

type Spec = NonNullable<EngineRun['spec']>;

function aRunBetween(source: string, destination: string, spec: Spec) {
  const world = aWorld({ addressing: 'tree' }, 'same');
  return {
    world,
    run: async () =>
      runEngine({ ...world, within: { source, destination }, spec: { mapping: PLAIN, ...spec } }),
  };
}

const PLAIN = { path: '{name}' };

describe('a destination inside the source', () => {
  it.each(['Keep', 'Delete'])('is refused before anything is written (%s)', async (sourcePolicy) => {
    const { world, run } = aRunBetween('team', 'team/new', { sourcePolicy });
    world.source.put('team/a', { k: 'v' });
    await expect(run()).rejects.toMatchObject({ code: 'ENDS_NESTED', target: 'a' });
    await expect(run()).rejects.toThrow('At the source, the copy of the document would be new/a');
    expect(world.source.addresses()).toEqual(['team/a']);
  });

  it('is refused also when only copies are left to move', async () => {
    const { world, run } = aRunBetween('team', 'team/new', { sourcePolicy: 'Delete' });
    world.source.put('team/new/a', { k: 'v' });
    await expect(run()).rejects.toMatchObject({ code: 'ENDS_NESTED', target: 'new/a' });
    expect(world.source.addresses()).toEqual(['team/new/a']);
  });

  it.each<[string, object]>([
    ['its prefix is excluded', { select: { all: true, exclude: { prefixes: ['new/'] } } }],
    ['the names are given', { select: { names: ['a'] } }],
    ['the names have another prefix', { select: { prefix: 'a' } }],
    ['the path is in another folder', { mapping: { path: 'x/{name}' } }],
  ])('can be used if %s, however often the migration is created', async (_why, spec) => {
    const { world, run } = aRunBetween('team', 'team/new', { sourcePolicy: 'Delete', ...spec });
    world.source.put('team/a', { k: 'v' });
    world.source.put('team/x/a', { k: 'v' });
    await run();
    const once = world.source.addresses().filter((address) => world.source.textAt(address) !== undefined);
    await run();
    await run();
    expect(world.source.addresses().filter((address) => world.source.textAt(address) !== undefined)).toEqual(
      once,
    );
    expect(once).not.toContain('team/new/new/a');
  });
});

it('a source inside the destination is refused if a copy would be selected again', async () => {
  const { world, run } = aRunBetween('team/x', 'team', {});
  world.source.put('team/x/x/a', { k: 'v' });
  await expect(run()).rejects.toMatchObject({ code: 'ENDS_NESTED', target: 'x/a' });
});

it('two folders beside each other are two places', async () => {
  const { world, run } = aRunBetween('old', 'older', {});
  world.source.put('old/a', { k: 'v' });
  expect((await run()).outcomeOf('a').state).toBe('Verified');
  expect(world.source.addresses()).toEqual(['old/a', 'older/a']);
});
