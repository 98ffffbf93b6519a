import { describe, expect, it } from 'vitest';
import { failsWith, once } from '#src/backends/memory/hooks.ts';
import { planDigest } from '#src/core/plan-digest.ts';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/** Two documents to create, an equal one, and one that differs. */
function aWorldOfAll(): World {
  const world = aWorld();
  for (const name of ['a', 'b', 'equal', 'other']) world.source.put(name, { k: name });
  world.destination.put('ns/equal', { k: 'equal' });
  world.destination.put('ns/other', { k: 'theirs' });
  return world;
}

const changes = ({ log }: RunReport): readonly string[] =>
  log.filter((line) => / (write|delete|retire|mark|claim) /.test(line));
const statesIn = ({ outcomes }: RunReport): Record<string, string> =>
  Object.fromEntries(
    [...outcomes].map(([name, { reason, state }]) => [name, [state, reason].join(' ').trim()]),
  );

async function planned(run: EngineRun): Promise<RunReport> {
  return runEngine({ ...run, phase: 'plan' });
}
async function approved(run: EngineRun, { rows }: Pick<RunReport, 'rows'>): Promise<RunReport> {
  return runEngine({ ...run, phase: 'approved', prior: rows });
}

describe('a plan that waits for approval', () => {
  it('writes nothing, and its rows say what would be done and on which versions that rests', async () => {
    const plan = await planned({ ...aWorldOfAll(), spec: { sourcePolicy: 'Delete' } });
    expect(changes(plan)).toEqual([]);
    expect(plan.result.plan).toMatchObject({ create: 2, adopt: 1, overwrite: 0, conflicts: 1, remove: 3 });
    const removal = 'Delete';
    expect(plan.rows.map((row) => [row.name, row.planned])).toMatchObject([
      ['a', { action: 'Create', path: 'ns/a', source: { version: '1' }, removal }],
      ['b', { action: 'Create', path: 'ns/b', source: { version: '2' }, removal }],
      ['equal', { action: 'Adopt', path: 'ns/equal', destination: { version: '1' }, removal }],
      ['other', { action: 'Keep', path: 'ns/other', reason: 'DestinationDiffers' }],
    ]);
  });

  it('counts what spec.select.exclude leaves out', async () => {
    const select = { all: true, exclude: { names: ['a', 'b'] } };
    const plan = await planned({ ...aWorldOfAll(), spec: { select } });
    expect(plan.result.plan).toMatchObject({ create: 0, excluded: 2 });
  });

  it('has the digest of its rows, and the same one when it is made again', async () => {
    const world = aWorldOfAll();
    const [first, second] = [await planned(world), await planned(world)];
    expect(planDigest('spec', second.rows)).toBe(planDigest('spec', [...first.rows].reverse()));
  });
});

describe('an approved plan', () => {
  it('is carried out as it is', async () => {
    const world = aWorldOfAll();
    const run = { ...world, spec: { sourcePolicy: 'Delete', conflictPolicy: 'Overwrite' } };
    const done = await approved(run, await planned(run));
    expect(statesIn(done)).toEqual({ a: 'Removed', b: 'Removed', equal: 'Removed', other: 'Removed' });
    expect(world.destination.textAt('ns/other')).toEqual({ k: 'other' });
  });

  it('is the same plan in the rows of its run, whatever became of them', async () => {
    const run = { ...aWorldOfAll(), spec: { sourcePolicy: 'Delete' } };
    const plan = await planned(run);
    const at = { destination: { before: once('write', failsWith('SERVER_ERROR')) } };
    const first = await approved({ ...run, at }, plan);
    expect(Object.values(statesIn(first))).toContain('Failed ServerError');
    const second = await approved(run, first);
    expect(statesIn(second)).toMatchObject({ a: 'Removed', b: 'Removed', equal: 'Removed' });
    for (const { rows } of [first, second]) expect(planDigest('', rows)).toBe(planDigest('', plan.rows));
  });

  it('goes on after a kill between two documents', async () => {
    const world = aWorldOfAll();
    const run = { ...world, spec: { sourcePolicy: 'Delete' } };
    const plan = await planned(run);
    const shouldStop = (log: readonly string[]): boolean => log.some((line) => line.includes(' Verified'));
    const killed = await approved({ ...run, shouldStop }, plan);
    expect(killed.result.interrupted).toBe(true);
    expect(planDigest('', killed.rows)).toBe(planDigest('', plan.rows));
    const done = await approved(run, killed);
    expect(statesIn(done)).toMatchObject({ a: 'Removed', b: 'Removed', equal: 'Removed' });
  });

  it('goes on after a kill between a write and its record', async () => {
    const world = aWorldOfAll();
    const plan = await planned(world);
    await approved(world, plan); // Its rows are lost.
    const again = await approved(world, plan);
    expect(statesIn(again)).toMatchObject({ a: 'Verified', b: 'Verified', equal: 'Verified' });
    expect(changes(again)).toEqual([]);
  });

  it('goes on after a kill in a removal, which has claimed the source', async () => {
    const world = aWorldOfAll();
    const run = { ...world, spec: { sourcePolicy: 'Delete' } };
    let durable: RunReport['rows'] = [];
    const killed = {
      ...run,
      claimedAs: 'killed',
      onFlush: (rows: RunReport['rows']) => void (durable = rows),
      at: { source: { before: once('delete', failsWith('INVARIANT')) } },
    };
    await approved(killed, await planned(run)).catch(() => undefined);
    const done = await approved(run, { rows: durable });
    expect(statesIn(done)).toMatchObject({ a: 'Removed', b: 'Removed', equal: 'Removed' });
  });

  it('removes sources later, when their copies have soaked', async () => {
    const world = aWorldOfAll();
    const run = { ...world, spec: { sourcePolicy: 'Delete', soakSeconds: 60 } };
    const copied = await approved(run, await planned(run));
    expect(statesIn(copied)).toMatchObject({ a: 'Verified AwaitingSoak' });
    world.clock.jump(62_000);
    const done = await approved(run, copied);
    expect(statesIn(done)).toMatchObject({ a: 'Removed', b: 'Removed', equal: 'Removed' });
  });
});

describe('what drifted since the plan was approved', () => {
  type Drift = (world: World) => void;
  it.each<readonly [string, string, Drift]>([
    ['a source with another value', 'a', ({ source }) => source.put('a', { k: 'new' })],
    ['a source with another key', 'a', ({ source }) => source.put('a', { k: 'a', more: 'x' })],
    [
      'a source that was created again',
      'a',
      ({ source }) => (source.purge('a'), source.put('a', { k: 'a' })),
    ],
    ['a destination that appeared', 'a', ({ destination }) => destination.put('ns/a', { k: 'x' })],
    [
      'an equal destination that was written again',
      'equal',
      ({ destination }) => destination.put('ns/equal', { k: 'equal' }),
    ],
    ['an equal destination that is gone', 'equal', ({ destination }) => destination.purge('ns/equal')],
    ['a conflict that is gone', 'other', ({ destination }) => destination.purge('ns/other')],
    ['a new document', 'new', ({ source }) => source.put('new', { k: 'v' })],
  ])('%s needs a new plan, and the rest runs', async (_what, name, drift) => {
    const world = aWorldOfAll();
    const run = { ...world, spec: { sourcePolicy: 'Delete' } };
    const plan = await planned(run);
    drift(world);
    const before = [world.source.textAt(name), world.destination.textAt(`ns/${name}`)];
    const done = await approved(run, plan);
    expect(statesIn(done)).toMatchObject({ b: 'Removed', [name]: 'Pending NeedsReplan' });
    expect(done.outcomeOf(name).message).toMatch(/ Nothing is done until a new plan is approved\.$/);
    expect([world.source.textAt(name), world.destination.textAt(`ns/${name}`)]).toEqual(before);
    expect(planDigest('', done.rows)).toBe(planDigest('', plan.rows));
  });

  it('is not overwritten in another version than the one that was approved', async () => {
    const world = aWorldOfAll();
    const run = { ...world, spec: { conflictPolicy: 'Overwrite' } };
    const plan = await planned(run);
    world.destination.put('ns/other', { k: 'theirs, later' });
    const done = await approved(run, plan);
    expect(statesIn(done)).toMatchObject({ a: 'Verified', other: 'Pending NeedsReplan' });
    expect(world.destination.textAt('ns/other')).toEqual({ k: 'theirs, later' });
  });

  it('during the run, between two rounds of a write, is left alone too', async () => {
    const world = aWorldOfAll();
    const run = { ...world, spec: { conflictPolicy: 'Overwrite' } };
    const plan = await planned(run);
    const theirs = once('write', () => world.destination.put('ns/a', { k: 'x' }), { address: 'ns/a' });
    const done = await approved({ ...run, at: { destination: { before: theirs } } }, plan);
    expect(statesIn(done)).toMatchObject({ a: 'Pending NeedsReplan', b: 'Verified' });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'x' });
  });

  it('has a row also if it left the selection', async () => {
    const world = aWorld();
    const team = { metadata: new Map([['team', 'web']]) };
    for (const name of ['a', 'b']) world.source.put(name, { k: name }, team);
    const run = { ...world, spec: { select: { labelSelector: { matchLabels: { team: 'web' } } } } };
    const plan = await planned(run);
    world.source.put('a', { k: 'a' });
    const done = await approved(run, plan);
    expect(statesIn(done)).toEqual({ a: 'Pending NeedsReplan', b: 'Verified' });
  });

  it('is planned again, and what is done keeps its row', async () => {
    const world = aWorldOfAll();
    const run = { ...world, spec: { sourcePolicy: 'Delete', soakSeconds: 60 } };
    const first = await planned(run);
    world.source.put('a', { k: 'new' });
    const done = await approved(run, first);
    const second = await planned({ ...run, prior: done.rows });
    expect(statesIn(second)).toMatchObject({ a: 'Pending NeedsReplan', b: 'Verified AwaitingSoak' });
    expect(second.result.plan).toMatchObject({ create: 1, adopt: 0, conflicts: 1, remove: 3 });
    expect(planDigest('', second.rows)).not.toBe(planDigest('', first.rows));
    expect(statesIn(await approved(run, second))).toMatchObject({ a: 'Verified AwaitingSoak' });
  });
});

describe('a removal', () => {
  const trustRoots = { a: 'SecretBackend b' };
  const spec = { sourcePolicy: 'Delete', select: { names: ['a', 'b'] } };

  it('that a gate held in the plan is not part of it, also when the gate lets it pass later', async () => {
    const world = aWorldOfAll();
    const plan = await planned({ ...world, spec, trustRoots });
    expect(plan.rows[0]).toMatchObject({ planned: { action: 'Create', held: 'TrustRoot' } });
    const done = await approved({ ...world, spec }, plan);
    expect(statesIn(done)).toEqual({ a: 'Verified NeedsReplan', b: 'Removed' });
    expect(world.source.textAt('a')).toEqual({ k: 'a' });
    const second = await planned({ ...world, spec, prior: done.rows });
    expect(statesIn(await approved({ ...world, spec }, second))).toEqual({ a: 'Removed', b: 'Removed' });
  });

  it('that a gate holds only later is held', async () => {
    const world = aWorldOfAll();
    const plan = await planned({ ...world, spec });
    const done = await approved({ ...world, spec, trustRoots }, plan);
    expect(statesIn(done)).toEqual({ a: 'Verified TrustRoot', b: 'Removed' });
  });

  it('of a document whose copy was not approved does not happen', async () => {
    const world = aWorldOfAll();
    const plan = await planned({ ...world, spec: { ...spec, select: { names: ['b'] } } });
    world.destination.put('ns/a', { k: 'a' });
    const done = await approved({ ...world, spec }, plan);
    expect(statesIn(done)).toEqual({ a: 'Pending NeedsReplan', b: 'Removed' });
  });
});
