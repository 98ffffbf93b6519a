import { describe, expect, it } from 'vitest';
import { once } from '#src/backends/memory/hooks.ts';
import { OperatorError } from '#src/errors.ts';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/* A run whose destination reads in pages, as Secrets are read, and whose source does not. */

const NAMES = ['a', 'b', 'c'];

function aPull(): World {
  const world = aWorld({ addressing: 'tree' }, { addressing: 'flat', readsInPages: true });
  for (const name of NAMES) world.source.put(`ns/${name}`, { k: name });
  return world;
}

/** A run, and one more of the same migration. */
async function again(world: World, more: Partial<EngineRun> = {}): Promise<RunReport> {
  const first = await runEngine({ ...world, ...(more.spec === undefined ? {} : { spec: more.spec }) });
  return runEngine({ ...world, prior: first.rows, ...more });
}

function readsIn({ log }: RunReport, name: string): readonly string[] {
  return log.filter((line) => line.endsWith(` read ${name}`) || line.endsWith(` read ns/${name}`));
}

describe('a run that compares what a destination has in pages', () => {
  it('reads the destination first, and each side once', async () => {
    const run = await again(aPull());
    for (const name of NAMES) {
      expect(readsIn(run, name)).toEqual([`destination read ${name}`, `source read ns/${name}`]);
      expect(run.outcomeOf(name)).toMatchObject({ state: 'Verified' });
    }
  });

  it('reads the other side only for what the listing shows there', async () => {
    const world = aPull();
    const first = await runEngine(world);
    world.source.put('ns/d', { k: 'd' });
    const run = await runEngine({ ...world, prior: first.rows });
    expect(readsIn(run, 'd')).toEqual(['source read ns/d', 'destination read d']);
    expect(world.destination.textAt('d')).toEqual({ k: 'd' });
  });

  it('writes nothing from a page that is older than the document: it reads and decides again', async () => {
    const world = aWorld(
      { addressing: 'tree' },
      { addressing: 'flat', readsInPages: true, keepsRevisions: true },
    );
    world.source.put('ns/a', { k: '1' });
    const first = await runEngine(world);
    world.source.put('ns/a', { k: '2' });
    const theirs = (): void => void world.destination.put('a', { k: 'theirs' });
    const run = await runEngine({
      ...world,
      prior: first.rows,
      spec: { conflictPolicy: 'Overwrite' },
      at: { source: { before: once('read', theirs) } },
    });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'WillOverwrite' });
    expect(world.destination.textAt('a')).toEqual({ k: 'theirs' });
    const next = await runEngine({ ...world, prior: run.rows, spec: { conflictPolicy: 'Overwrite' } });
    const { priorVersion } = next.outcomeOf('a').destination ?? {};
    const prior = world.destination.stateAt('a', priorVersion)?.fields.get('k');
    expect(prior?.toString()).toBe('theirs');
    expect(world.destination.textAt('a')).toEqual({ k: '2' });
  });

  it('says what became of a source that was removed from the same page', async () => {
    const world = aPull();
    const run = await again(world, { spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Removed' });
    expect(readsIn(run, 'a').filter((line) => line.startsWith('destination'))).toHaveLength(1);
    const last = await runEngine({ ...world, prior: run.rows, spec: { sourcePolicy: 'Delete' } });
    expect(last.outcomeOf('a')).toMatchObject({ state: 'Removed' });
  });

  it('ends as before when the destination fails: no document is lost, and the failure is that of the backend', async () => {
    const world = aPull();
    const first = await runEngine(world);
    const before = ({ operation }: { readonly operation: string }): void => {
      if (operation === 'read') throw new OperatorError('BACKEND_UNREACHABLE', { op: 'test' });
    };
    const run = await runEngine({ ...world, prior: first.rows, at: { destination: { before } } });
    expect(run.result.problem).toMatchObject({ code: 'BACKEND_UNREACHABLE' });
    expect(run.rows.map(({ name, state }) => `${name} ${state}`)).toHaveLength(NAMES.length);
  });
});

describe('a pass over what is in step', () => {
  const spec = { mode: 'Sync' };
  const listings = ({ log }: RunReport): readonly string[] =>
    log.filter((line) => / (list|versions|discardExpired)/.test(line));

  it('lists each side once where its listing of names shows versions, and finds what changed', async () => {
    const world = aWorld({ listsVersions: true }, { listsVersions: true, addressing: 'flat' });
    for (const name of NAMES) world.source.put(name, { k: name });
    const first = await runEngine({ ...world, spec });
    const quiet = await runEngine({ ...world, spec, prior: first.rows });
    expect(listings(quiet)).toEqual([
      'source list',
      'destination list',
      'source discardExpired',
      'destination discardExpired',
    ]);
    expect(quiet.log.filter((line) => / read /.test(line))).toEqual([]);
    world.source.put('b', { k: 'changed' });
    world.destination.remove('c');
    const run = await runEngine({ ...world, spec, prior: quiet.rows });
    expect(world.destination.textAt('b')).toEqual({ k: 'changed' });
    expect(run.outcomeOf('c')).toMatchObject({ reason: 'FollowedSource' });
    expect(world.destination.textAt('c')).toEqual({ k: 'c' });
    expect(readsIn(run, 'a')).toEqual([]);
  });

  it('asks for versions where a listing of names shows none', async () => {
    const world = aWorld({ listsVersions: true });
    world.source.put('a', { k: 'a' });
    const first = await runEngine({ ...world, spec });
    const run = await runEngine({ ...world, spec, prior: first.rows });
    expect(listings(run)).toEqual(['source list', 'destination versions ns', 'source discardExpired']);
  });
});
