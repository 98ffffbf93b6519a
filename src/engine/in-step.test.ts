import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/* Mode Sync, document by document: what a pass and a change of some documents do at both sides. */

type Options = Partial<EngineRun>;

/** A world, and its rows after each pass. */
class Pair {
  readonly world: World;
  readonly #options: Options;
  prior: RunReport['rows'] = [];

  constructor({ world = aWorld(), ...options }: Options & { readonly world?: World } = {}) {
    this.world = world;
    this.#options = options;
  }

  async pass(more: Options = {}): Promise<RunReport> {
    const { spec, ...options } = { ...this.#options, ...more };
    const run = await runEngine({
      ...this.world,
      prior: this.prior,
      ...options,
      spec: { mode: 'Sync', ...this.#options.spec, ...spec },
    });
    this.prior = run.rows;
    return run;
  }

  async follow(...only: string[]): Promise<RunReport> {
    return this.pass({ only });
  }

  get source(): World['source'] {
    return this.world.source;
  }

  get destination(): World['destination'] {
    return this.world.destination;
  }
}

const LEADING_DESTINATION = { sync: { authority: 'Destination' } };
const BOTH = { sync: { authority: 'Either' } };

async function inStep(options: Options = {}): Promise<Pair> {
  const pair = new Pair(options);
  pair.source.put('a', { k: '1' });
  pair.source.put('b', { k: '1' });
  await pair.pass();
  expect(pair.destination.textAt('ns/a')).toEqual({ k: '1' });
  return pair;
}

function changesIn(log: readonly string[]): readonly string[] {
  return log.filter((line) => /write|delete|retire|recreate|finish|undo/.test(line));
}

function readsIn(log: readonly string[]): readonly string[] {
  return log.filter((line) => /read/.test(line));
}

describe('a pass', () => {
  it('copies what is new as mode Once does', async () => {
    const pair = await inStep();
    expect(pair.prior.map(({ name, state }) => `${name} ${state}`)).toEqual(['a Verified', 'b Verified']);
  });

  it('reads and writes nothing where both sides list the versions of the rows', async () => {
    const pair = await inStep();
    const run = await pair.pass();
    expect(readsIn(run.log)).toEqual([]);
    expect(changesIn(run.log)).toEqual([]);
    expect(run.outcomeOf('a').state).toBe('Verified');
  });

  it('carries a change of the source to the destination, and reads nothing else', async () => {
    const pair = await inStep();
    pair.source.put('a', { k: '2' });
    const run = await pair.pass();
    expect(pair.destination.textAt('ns/a')).toEqual({ k: '2' });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(readsIn(run.log).filter((line) => line.includes('b'))).toEqual([]);
  });

  it('moves the base where a new version has the same bytes, and writes nothing', async () => {
    const pair = await inStep();
    pair.source.put('a', { k: '1' });
    const run = await pair.pass();
    expect(changesIn(run.log)).toEqual([]);
    expect(readsIn((await pair.pass()).log)).toEqual([]);
  });
});

describe('a migration whose mapping changes', () => {
  const mapping = { keys: [{ from: 'k', to: 'K' }] };

  it('gives the side that follows the new form of a value that did not change', async () => {
    const pair = await inStep();
    const run = await pair.pass({ isNewSpec: true, spec: { mapping } });
    expect(pair.destination.textAt('ns/a')).toEqual({ K: '1' });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(changesIn((await pair.pass({ isNewSpec: true, spec: { mapping } })).log)).toEqual([]);
  });

  it('leaves an edit there to its policy', async () => {
    const pair = await inStep();
    pair.destination.put('ns/a', { k: 'mine' });
    const run = await pair.pass({ isNewSpec: true, spec: { mapping } });
    expect(run.outcomeOf('a').state).toBe('Conflict');
    expect(pair.destination.textAt('ns/a')).toEqual({ k: 'mine' });
  });
});

describe('a migration whose mode changes', () => {
  it('from Once to Sync has its rows as the base: a change of either side is known as one', async () => {
    const pair = new Pair({ spec: { mode: 'Once' } });
    pair.source.put('a', { k: '1' });
    pair.source.put('b', { k: '1' });
    await pair.pass();
    pair.source.put('a', { k: '2' });
    pair.destination.put('ns/b', { k: 'mine' });
    const run = await pair.pass({ spec: { mode: 'Sync' } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(run.outcomeOf('b')).toMatchObject({ state: 'Conflict', reason: 'DestinationEdited' });
  });

  it('from Sync to Once compares both sides again, and removes nothing', async () => {
    const pair = await inStep();
    pair.source.remove('a');
    pair.destination.put('ns/b', { k: 'mine' });
    const run = await pair.pass({ spec: { mode: 'Once' } });
    expect(run.outcomeOf('b')).toMatchObject({ state: 'Conflict', reason: 'DestinationDiffers' });
    expect(changesIn(run.log)).toEqual([]);
  });
});

describe('a change of some documents', () => {
  it('reads these at both sides, lists nothing and writes what changed', async () => {
    const pair = await inStep();
    pair.source.put('a', { k: '2' });
    const run = await pair.follow('a');
    expect(run.log.filter((line) => /list|versions/.test(line))).toEqual([]);
    expect(readsIn(run.log).filter((line) => line.includes('b'))).toEqual([]);
    expect(pair.destination.textAt('ns/a')).toEqual({ k: '2' });
    expect(pair.prior.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('joins when it is new, and leaves the other side alone when it is gone', async () => {
    const pair = await inStep();
    pair.source.put('c', { k: '1' });
    await pair.follow('c');
    expect(pair.destination.textAt('ns/c')).toEqual({ k: '1' });
    pair.source.remove('c');
    const run = await pair.follow('c');
    expect(run.outcomeOf('c')).toMatchObject({ state: 'Skipped', reason: 'SourceGone' });
    expect(pair.destination.textAt('ns/c')).toEqual({ k: '1' });
  });

  it('goes where its labels say, and stays known when it is gone', async () => {
    const spec = { mapping: { path: '{namespace}/{label:team}/{name}' } };
    const pair = new Pair({ spec });
    pair.source.put('a', { k: '1' }, { metadata: new Map([['team', 'core']]) });
    await pair.pass();
    pair.source.put('a', { k: '2' }, { metadata: new Map([['team', 'core']]) });
    await pair.follow('a');
    expect(pair.destination.textAt('ns/core/a')).toEqual({ k: '2' });
    pair.source.remove('a');
    expect((await pair.follow('a')).outcomeOf('a')).toMatchObject({ state: 'Skipped', reason: 'SourceGone' });
  });

  it('has no row when it came and went', async () => {
    const pair = await inStep();
    const run = await pair.follow('c');
    expect(run.rows.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('is forgotten when it is gone at both sides', async () => {
    const pair = await inStep();
    pair.source.remove('a');
    pair.destination.remove('ns/a');
    const run = await pair.follow('a');
    expect(run.rows.map(({ name }) => name)).toEqual(['b']);
  });
});

describe('an edit at the side that follows', () => {
  it('is a conflict, and stays one until the sides are equal', async () => {
    const pair = await inStep();
    pair.destination.put('ns/a', { k: 'mine' });
    const run = await pair.follow('a');
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationEdited' });
    expect((await pair.follow('a')).outcomeOf('a').reason).toBe('DestinationEdited');
    pair.source.put('a', { k: 'mine' });
    expect((await pair.follow('a')).outcomeOf('a').state).toBe('Verified');
  });

  it('is kept with KeepDestination', async () => {
    const pair = await inStep({ spec: { conflictPolicy: 'KeepDestination' } });
    pair.destination.put('ns/a', { k: 'mine' });
    const run = await pair.follow('a');
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Skipped', reason: 'DestinationEdited' });
  });

  it('is undone with Overwrite, once the row names the version to go back to', async () => {
    const pair = await inStep({ spec: { conflictPolicy: 'Overwrite' } });
    pair.destination.put('ns/a', { k: 'mine' });
    const run = await pair.follow('a');
    expect(pair.destination.textAt('ns/a')).toEqual({ k: '1' });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Verified',
      reason: 'RestoredDestination',
      destination: { priorVersion: '2' },
    });
    expect(run.log.indexOf('flush')).toBeLessThan(run.log.indexOf('destination write ns/a'));
  });

  it('keeps its base when the source cannot be read for a while', async () => {
    const pair = await inStep();
    pair.destination.put('ns/a', { k: 'mine' });
    const denied = await pair.pass({ only: ['a'], mayNot: { source: (verb) => verb === 'read' } });
    expect(denied.outcomeOf('a').state).toBe('Failed');
    expect((await pair.follow('a')).outcomeOf('a').reason).toBe('DestinationEdited');
  });
});

describe('with the authority Destination', () => {
  it('the source follows, and keeps its type', async () => {
    const pair = new Pair({ spec: LEADING_DESTINATION });
    pair.source.put('a', { k: '1' }, { type: 'kubernetes.io/tls' });
    await pair.pass();
    pair.destination.put('ns/a', { k: '2' }, { type: 'kubernetes.io/tls' });
    const run = await pair.follow('a');
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedDestination' });
    expect(pair.source.textAt('a')).toEqual({ k: '2' });
    expect(pair.source.currentAt('a')?.attributes.type).toBe('kubernetes.io/tls');
  });

  it('a change of the source is drift', async () => {
    const pair = await inStep({ spec: LEADING_DESTINATION });
    pair.source.put('a', { k: 'mine' });
    expect((await pair.follow('a')).outcomeOf('a')).toMatchObject({
      state: 'Conflict',
      reason: 'SourceEdited',
    });
  });

  it('a source that was deleted is written again', async () => {
    const pair = await inStep({ spec: LEADING_DESTINATION });
    pair.source.remove('a');
    await pair.pass();
    expect(pair.source.textAt('a')).toEqual({ k: '1' });
  });

  it('keys go back to their names at the source', async () => {
    const spec = { ...LEADING_DESTINATION, mapping: { keys: [{ from: 'k', to: 'K' }] } };
    const pair = new Pair({ spec });
    pair.source.put('a', { k: '1' });
    await pair.pass();
    pair.destination.put('ns/a', { K: '2' });
    await pair.follow('a');
    expect(pair.source.textAt('a')).toEqual({ k: '2' });
  });

  it('a destination that differs at first is a conflict, whatever the policy', async () => {
    const pair = new Pair({ spec: { ...LEADING_DESTINATION, conflictPolicy: 'Overwrite' } });
    pair.source.put('a', { k: '1' });
    pair.destination.put('ns/a', { k: 'other' });
    expect((await pair.pass()).outcomeOf('a')).toMatchObject({
      state: 'Conflict',
      reason: 'DestinationDiffers',
    });
  });
});

describe('with the authority Either', () => {
  it('a change of one side goes to the other', async () => {
    const pair = await inStep({ spec: BOTH });
    pair.destination.put('ns/a', { k: '2' });
    await pair.follow('a');
    expect(pair.source.textAt('a')).toEqual({ k: '2' });
    pair.source.put('a', { k: '3' });
    await pair.follow('a');
    expect(pair.destination.textAt('ns/a')).toEqual({ k: '3' });
  });

  it('changes of both are a conflict, and both stay', async () => {
    const pair = await inStep({ spec: BOTH });
    pair.source.put('a', { k: '2' });
    pair.destination.put('ns/a', { k: '3' });
    expect((await pair.follow('a')).outcomeOf('a')).toMatchObject({
      state: 'Conflict',
      reason: 'BothChanged',
    });
    expect(pair.source.textAt('a')).toEqual({ k: '2' });
    expect(pair.destination.textAt('ns/a')).toEqual({ k: '3' });
  });
});

describe('a document that gets another value', () => {
  it('is told once it was read back, and not when it is created or equal', async () => {
    const pair = new Pair();
    pair.source.put('a', { k: '1' });
    const told = ({ log }: RunReport): readonly string[] => log.filter((line) => line.startsWith('changed'));
    expect(told(await pair.pass())).toEqual([]);
    pair.source.put('a', { k: '1' });
    expect(told(await pair.pass())).toEqual([]);
    pair.source.put('a', { k: '2' });
    expect(told(await pair.pass())).toEqual(['changed destination ns/a']);
  });
});

describe('a write', () => {
  it('that loses against another writer is decided again', async () => {
    const pair = await inStep();
    pair.source.put('a', { k: '2' });
    let raced = false;
    const before = ({ operation }: { readonly operation: string }): void => {
      if (operation !== 'write' || raced) return;
      raced = true;
      pair.destination.put('ns/a', { k: 'mine' });
    };
    const run = await pair.pass({ only: ['a'], at: { destination: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'BothChanged' });
    expect(pair.destination.textAt('ns/a')).toEqual({ k: 'mine' });
  });
});

describe('paths that Secrets follow', () => {
  const paths = (): World => aWorld({ addressing: 'tree' }, { addressing: 'flat' });
  const aPath = async (options: Options = {}): Promise<Pair> => {
    const pair = new Pair({ world: paths(), ...options });
    pair.source.put('ns/a', { k: '1' });
    await pair.pass();
    expect(pair.destination.textAt('a')).toEqual({ k: '1' });
    return pair;
  };

  it('tell in a mark of the Secret which version it has, so that a lost status costs nothing', async () => {
    const pair = await aPath();
    pair.prior = [];
    pair.source.put('ns/a', { k: '2' });
    const run = await pair.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(pair.destination.textAt('a')).toEqual({ k: '2' });
  });

  it('an edit after a lost status is still known as one', async () => {
    const pair = await aPath();
    pair.prior = [];
    pair.destination.put('a', { k: 'mine' });
    const run = await pair.pass();
    expect(run.outcomeOf('a').state).toBe('Conflict');
    expect(pair.destination.textAt('a')).toEqual({ k: 'mine' });
  });

  it('a write that was not recorded is found again, also when the path went on', async () => {
    const pair = await aPath();
    const before = pair.prior;
    pair.source.put('ns/a', { k: '2' });
    await pair.follow('a');
    pair.prior = before;
    pair.source.put('ns/a', { k: '3' });
    expect((await pair.pass()).outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(pair.destination.textAt('a')).toEqual({ k: '3' });
  });

  it('with Overwrite an edit of the Secret is undone after a copy of it was kept', async () => {
    const pair = await aPath({ spec: { conflictPolicy: 'Overwrite' } });
    pair.destination.put('a', { k: 'mine' });
    const run = await pair.follow('a');
    const { backup = '' } = run.outcomeOf('a');
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'RestoredDestination' });
    expect(pair.destination.textAt('a')).toEqual({ k: '1' });
    expect(pair.destination.backupAt(backup)?.fields.get('k')?.reveal().toString()).toBe('mine');
  });

  it('never remove a Secret whose path is deleted', async () => {
    const pair = await aPath();
    pair.source.remove('ns/a');
    expect((await pair.pass()).outcomeOf('a')).toMatchObject({ state: 'Skipped', reason: 'SourceGone' });
    expect(pair.destination.textAt('a')).toEqual({ k: '1' });
  });
});
