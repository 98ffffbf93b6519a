import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

/** One document of each step: absent, equal, different and the credentials of a backend. */
function aWorldOfAll(): World {
  const world = aWorld();
  for (const name of ['absent', 'equal', 'other', 'root']) world.source.put(name, { k: name });
  world.destination.put('ns/equal', { k: 'equal' });
  world.destination.put('ns/other', { k: 'theirs' });
  return world;
}

const trustRoots = { root: 'SecretBackend b' };
/** Credentials of a backend are copied only if they are named. */
const select = { names: ['absent', 'equal', 'other', 'root'] };

describe('the totals of a dry run', () => {
  it('count each step once, and only the sources that would go', async () => {
    const spec = { dryRun: true, select, sourcePolicy: 'Delete', conflictPolicy: 'Overwrite' };
    const { result } = await runEngine({ ...aWorldOfAll(), trustRoots, spec });
    const totals = {
      create: 2,
      adopt: 1,
      overwrite: 1,
      conflicts: 0,
      remove: 3,
      excluded: 0,
      metadataLost: 0,
    };
    expect(result.plan).toEqual(totals);
  });

  it('count no removal of a document in conflict', async () => {
    const spec = { dryRun: true, select, sourcePolicy: 'Backup' };
    const { result } = await runEngine({ ...aWorldOfAll(), trustRoots, spec });
    const totals = {
      create: 2,
      adopt: 1,
      overwrite: 0,
      conflicts: 1,
      remove: 2,
      excluded: 0,
      metadataLost: 0,
    };
    expect(result.plan).toEqual(totals);
  });

  it.each(['Keep', 'Project'])('count no removal with %s', async (sourcePolicy) => {
    const { result } = await runEngine({ ...aWorldOfAll(), spec: { dryRun: true, sourcePolicy } });
    expect(result.plan).toMatchObject({ adopt: 1, remove: 0 });
  });

  it('are what the run then does', async () => {
    const world = aWorldOfAll();
    const spec = { sourcePolicy: 'Delete', select: { names: ['absent', 'equal'] } };
    const dry = await runEngine({ ...world, spec: { ...spec, dryRun: true } });
    const run = await runEngine({ ...world, spec });
    expect(run.result.plan).toBeUndefined();
    const count = (pattern: RegExp): number => run.log.filter((line) => pattern.test(line)).length;
    expect(dry.result.plan).toMatchObject({ create: count(/ write /), remove: count(/ delete /) });
  });
});
