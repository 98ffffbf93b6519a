import { describe, expect, it } from 'vitest';
import type { Verb } from '#src/backends/memory/driver.ts';
import type { Hooks } from '#src/backends/memory/hooks.ts';
import { aRow, aWorld, runEngine, type EngineRun } from '#test/support/engine-run.ts';

/** A source that can be read and changed by name and not be listed. */
const mayNot = { source: (verb: Verb): boolean => verb === 'list' };
const removing = { select: { names: ['a'] }, sourcePolicy: 'Delete' };

/** A removal of `a` that sleeps right before its request, while another run starts and the copy goes. */
async function sleepWhile(successor: Partial<EngineRun>) {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  let slept = false;
  const at: Hooks = {
    before: async ({ operation }) => {
      if (operation !== 'delete' || slept) return;
      slept = true;
      await runEngine({ ...world, mayNot, ...successor });
      world.destination.purge('ns/a');
    },
  };
  const run = await runEngine({ ...world, mayNot, spec: removing, at: { source: at }, claimedAs: 'old-run' });
  return { world, run };
}

describe('a removal at a source that cannot be listed', () => {
  it('happens, with a claim of its own', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const run = await runEngine({ ...world, mayNot, spec: removing });
    expect(run.outcomeOf('a').state).toBe('Removed');
    expect(run.log.some((line) => line.includes('claim'))).toBe(true);
  });

  it.each([
    ['that names the document', { spec: { ...removing, dryRun: true } }],
    [
      'with another spec, which finds it in the rows',
      { spec: { select: { names: ['b'] }, dryRun: true }, prior: [aRow('a')] },
    ],
    [
      'that excludes it now',
      { spec: { select: { names: ['a', 'b'], exclude: { names: ['a'] } }, dryRun: true } },
    ],
  ] satisfies readonly (readonly [string, Partial<EngineRun>])[])(
    'that sleeps fails when another run has started since, %s',
    async (_which, successor) => {
      const { world, run } = await sleepWhile(successor);
      expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'SourceChanged' });
      expect(world.source.textAt('a')).toEqual({ k: 'v' });
    },
  );

  it('that did not happen leaves no claim', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    let reads = 0;
    const before: Hooks['before'] = async ({ operation }) => {
      reads += operation === 'read' ? 1 : 0;
      if (operation === 'read' && reads === 2) world.destination.put('ns/a', { k: 'other' });
    };
    const run = await runEngine({ ...world, mayNot, spec: removing, at: { destination: { before } } });
    expect(run.outcomeOf('a').state).not.toBe('Removed');
    expect(world.source.currentAt('a')?.claim).toBeUndefined();
  });
});
