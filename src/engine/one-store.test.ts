import { describe, expect, it } from 'vitest';
import { aRow, aWorld, runEngine } from '#test/support/engine-run.ts';

/* Source and destination are one backend: the next run finds what a run wrote. */

/** One rule produces a name that another rule renames: the name alone does not show that it is new. */
const renamesAgain = {
  mapping: {
    path: '{name}',
    overrides: [{ name: 'a', path: 'old-a' }],
    prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }],
  },
};

function aTree(...addresses: readonly string[]) {
  const world = aWorld({ addressing: 'tree' }, 'same');
  for (const address of addresses) world.source.put(address, { k: address });
  return world;
}

describe('inside one backend', () => {
  it('a document that this migration moved is not moved again, although a rule matches its new name', async () => {
    const world = aTree('a');
    const spec = { ...renamesAgain, sourcePolicy: 'Delete' };
    const first = await runEngine({ ...world, spec });
    expect(first.outcomeOf('a')).toMatchObject({ state: 'Removed', destination: { path: 'old-a' } });
    const second = await runEngine({ ...world, spec, prior: first.rows });
    expect(second.outcomeOf('old-a')).toMatchObject({ state: 'Skipped', reason: 'AlreadyRenamed' });
    expect(second.outcomeOf('a').state).toBe('Removed');
    expect(world.source.textAt('old-a')).toEqual({ k: 'a' });
    expect(world.source.textAt('new-a')).toBeUndefined();
  });

  it('nor is a document that it copied, run after run', async () => {
    const world = aTree('a');
    let run = await runEngine({ ...world, spec: renamesAgain });
    for (let again = 0; again < 3; again += 1) {
      run = await runEngine({ ...world, spec: renamesAgain, prior: run.rows });
    }
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified' });
    expect(run.outcomeOf('old-a')).toMatchObject({ state: 'Skipped', reason: 'AlreadyRenamed' });
    expect(world.source.addresses()).toEqual(['a', 'old-a']);
  });

  it('a document at a target that was planned but never written is moved like any other', async () => {
    const world = aTree('old-a');
    const prior = [aRow('a', { state: 'Failed', destination: { path: 'old-a' } })];
    const run = await runEngine({ ...world, spec: renamesAgain, prior });
    expect(run.outcomeOf('old-a')).toMatchObject({ state: 'Verified', destination: { path: 'new-a' } });
  });

  it('a document that no rule renames is skipped', async () => {
    const world = aTree('old-a', 'b');
    const mapping = { path: '{name}', prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }] };
    const run = await runEngine({ ...world, spec: { mapping } });
    expect(run.outcomeOf('b')).toMatchObject({ state: 'Skipped', reason: 'NoRule' });
    expect(run.outcomeOf('old-a')).toMatchObject({ state: 'Verified', destination: { path: 'new-a' } });
    expect(run.outcomeOf('old-a').rule).toBe('prefixes[0]');
  });

  it('a document with the form of a new name is skipped', async () => {
    const world = aTree('new-a');
    const mapping = { path: '{name}', prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }] };
    const run = await runEngine({ ...world, spec: { mapping } });
    expect(run.outcomeOf('new-a')).toMatchObject({ state: 'Skipped', reason: 'AlreadyRenamed' });
  });

  it('a target that is the path of another selected document is refused, and nothing is written', async () => {
    const world = aTree('a', 'b');
    const mapping = {
      path: '{name}',
      overrides: [
        { name: 'a', path: 'b' },
        { name: 'b', path: 'c' },
      ],
    };
    const run = await runEngine({ ...world, spec: { mapping } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'MappingCollision', retry: 'later' });
    expect(run.outcomeOf('a').message).toMatch(/the current path of b/);
    expect(run.outcomeOf('b')).toMatchObject({ state: 'Verified', destination: { path: 'c' } });
    expect(world.source.textAt('b')).toEqual({ k: 'b' });
  });
});
