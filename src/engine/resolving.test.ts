import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/* Mode Sync: a conflict ends as the annotation `keyferry.io/resolve` of the migration says, in exactly the versions it names. */

type Options = Partial<EngineRun> & { readonly world?: World };
type Winner = 'source' | 'destination';

/** A migration with the document `a`, whose rows a user reads before writing the annotation. */
class Contest {
  readonly world: World;
  readonly #options: Partial<EngineRun>;
  prior: RunReport['rows'] = [];
  annotation: string | undefined;

  constructor({ world = aWorld(), ...options }: Options = {}) {
    this.world = world;
    this.#options = options;
  }

  async pass(more: Partial<EngineRun> = {}): Promise<RunReport> {
    const { spec, ...options } = { ...this.#options, ...more };
    const run = await runEngine({
      ...this.world,
      prior: this.prior,
      ...(this.annotation === undefined ? {} : { annotations: { 'keyferry.io/resolve': this.annotation } }),
      ...options,
      spec: { mode: 'Sync', ...this.#options.spec, ...spec },
    });
    this.prior = run.rows;
    return run;
  }

  /** Names the versions of the row, as a user copies them. */
  choose(winner: Winner): void {
    const { destination, source } = this.prior.find(({ name }) => name === 'a') ?? {};
    this.name(winner, source?.version, destination?.version);
  }

  name(winner: Winner, source: string | undefined, destination: string | undefined): void {
    this.annotation = JSON.stringify([{ name: 'a', winner, source, destination }]);
  }

  get source(): World['source'] {
    return this.world.source;
  }

  get destination(): World['destination'] {
    return this.world.destination;
  }
}

const BOTH = { sync: { authority: 'Either' } };
const LEADING_DESTINATION = { sync: { authority: 'Destination' } };

async function inStep(options: Options = {}): Promise<Contest> {
  const contest = new Contest(options);
  contest.source.put('a', { k: '1' });
  await contest.pass();
  expect(contest.destination.textAt('ns/a')).toEqual({ k: '1' });
  return contest;
}

/** Both sides have changed since they were equal, and the row says so. */
async function bothChanged(options: Options = {}): Promise<Contest> {
  const contest = await inStep({ spec: BOTH, ...options });
  contest.source.put('a', { k: 'of the source' });
  contest.destination.put('ns/a', { k: 'of the destination' });
  const run = await contest.pass();
  expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'BothChanged' });
  expect(run.outcomeOf('a').message).toContain('keyferry.io/resolve');
  return contest;
}

function changesIn(log: readonly string[]): readonly string[] {
  return log.filter((line) => /write|delete|retire|recreate|finish|undo|keep/.test(line));
}

describe('a conflict', () => {
  it('that the source wins gives its value to the destination, after the row named the version to go back to', async () => {
    const contest = await bothChanged();
    contest.choose('source');
    const run = await contest.pass();
    expect(contest.destination.textAt('ns/a')).toEqual({ k: 'of the source' });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Verified',
      reason: 'SourceWon',
      destination: { version: '3', priorVersion: '2' },
    });
    expect(run.log.indexOf('flush')).toBeLessThan(run.log.indexOf('destination write ns/a'));
  });

  it('that the destination wins gives its value to the source, after a copy of the Secret was kept', async () => {
    const contest = await bothChanged();
    contest.choose('destination');
    const run = await contest.pass();
    const { backup = '' } = run.outcomeOf('a');
    expect(contest.source.textAt('a')).toEqual({ k: 'of the destination' });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'DestinationWon' });
    expect(contest.source.backupTextAt(backup)).toEqual({ k: 'of the source' });
  });

  it('is ended once: the annotation that stays does nothing more', async () => {
    const contest = await bothChanged();
    contest.choose('source');
    await contest.pass();
    const again = await contest.pass();
    expect(changesIn(again.log)).toEqual([]);
    expect(again.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'SourceWon' });
    contest.destination.put('ns/a', { k: '4' });
    expect((await contest.pass()).outcomeOf('a').state).toBe('Verified');
    expect(contest.source.textAt('a')).toEqual({ k: '4' });
  });

  it('in other versions than the resolution names stays, and the row says which to name', async () => {
    const contest = await bothChanged();
    contest.choose('source');
    contest.destination.put('ns/a', { k: 'newer' });
    const run = await contest.pass();
    expect(changesIn(run.log)).toEqual([]);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'BothChanged' });
    expect(run.outcomeOf('a').message).toMatch(/outdated.*"destination":"3"/);
    contest.choose('source');
    await contest.pass();
    expect(contest.destination.textAt('ns/a')).toEqual({ k: 'of the source' });
  });

  it('with a path that was removed and made again is another conflict, though its versions have the same numbers', async () => {
    const contest = await bothChanged();
    contest.choose('source');
    contest.destination.purge('ns/a');
    contest.destination.put('ns/a', { k: 'other' });
    contest.destination.put('ns/a', { k: 'of another path' });
    const run = await contest.pass();
    expect(changesIn(run.log)).toEqual([]);
    expect(run.outcomeOf('a').state).toBe('Conflict');
    expect(contest.destination.textAt('ns/a')).toEqual({ k: 'of another path' });
  });

  it('that loses against another writer is decided again', async () => {
    const contest = await bothChanged();
    contest.choose('source');
    const before = ({ operation }: { readonly operation: string }): void => {
      if (operation === 'write' && contest.destination.textAt('ns/a')?.['k'] !== 'racing')
        contest.destination.put('ns/a', { k: 'racing' });
    };
    const run = await contest.pass({ at: { destination: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'BothChanged' });
    expect(contest.destination.textAt('ns/a')).toEqual({ k: 'racing' });
  });

  it('about an owner is not ended by a resolution', async () => {
    const contest = await inStep();
    contest.source.put('a', { k: '2' });
    contest.destination.alter('ns/a', { owner: 'Deployment web' });
    await contest.pass();
    contest.choose('source');
    const run = await contest.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationOwned' });
    expect(changesIn(run.log)).toEqual([]);
  });

  it('stays where nothing keeps the value that loses', async () => {
    const contest = await bothChanged({ world: aWorld({ keepsCopies: false }) });
    contest.choose('destination');
    const run = await contest.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'CapabilityMissing' });
    expect(contest.source.textAt('a')).toEqual({ k: 'of the source' });
  });
});

describe('an edit of the destination', () => {
  it('that the source wins against is undone', async () => {
    const contest = await inStep();
    contest.destination.put('ns/a', { k: 'mine' });
    await contest.pass();
    contest.choose('source');
    const run = await contest.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'SourceWon' });
    expect(contest.destination.textAt('ns/a')).toEqual({ k: '1' });
  });

  it('that wins stays, while the source is only read, and the row is not a conflict', async () => {
    const contest = await inStep();
    contest.destination.put('ns/a', { k: 'mine' });
    await contest.pass();
    contest.choose('destination');
    const run = await contest.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Skipped', reason: 'DestinationEdited' });
    expect(changesIn(run.log)).toEqual([]);
    contest.source.put('a', { k: '2' });
    const next = await contest.pass();
    expect(next.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'BothChanged' });
    expect(contest.destination.textAt('ns/a')).toEqual({ k: 'mine' });
  });

  it('that was made by a deletion is accepted or undone', async () => {
    const contest = await inStep();
    contest.destination.remove('ns/a');
    expect((await contest.pass()).outcomeOf('a').reason).toBe('DestinationDeleted');
    contest.choose('destination');
    expect((await contest.pass()).outcomeOf('a')).toMatchObject({
      state: 'Skipped',
      reason: 'DestinationDeleted',
    });
    contest.choose('source');
    expect((await contest.pass()).outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'SourceWon' });
    expect(contest.destination.textAt('ns/a')).toEqual({ k: '1' });
  });
});

describe('an edit of the source, where the destination leads', () => {
  it.each(['source', 'destination'] as const)('goes as the winner says: %s', async (winner) => {
    const contest = await inStep({ spec: LEADING_DESTINATION });
    contest.source.put('a', { k: 'mine' });
    expect((await contest.pass()).outcomeOf('a').reason).toBe('SourceEdited');
    contest.choose(winner);
    await contest.pass();
    const value = { k: winner === 'source' ? 'mine' : '1' };
    expect(contest.source.textAt('a')).toEqual(value);
    expect(contest.destination.textAt('ns/a')).toEqual(value);
  });
});

describe('a first copy whose destination differs', () => {
  const differing = async (options: Options = {}): Promise<Contest> => {
    const contest = new Contest(options);
    contest.source.put('a', { k: 'of the source' });
    contest.destination.put('ns/a', { k: 'of the destination' });
    const run = await contest.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationDiffers' });
    expect(run.outcomeOf('a').message).toContain('keyferry.io/resolve');
    return contest;
  };

  it('is written when the source wins', async () => {
    const contest = await differing();
    contest.choose('source');
    const run = await contest.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'SourceWon' });
    expect(contest.destination.textAt('ns/a')).toEqual({ k: 'of the source' });
  });

  it('gives its value to the source when it wins, where the source is written', async () => {
    const contest = await differing({ spec: BOTH });
    contest.choose('destination');
    await contest.pass();
    expect(contest.source.textAt('a')).toEqual({ k: 'of the destination' });
  });

  it('is written also after a run was killed before it wrote', async () => {
    const contest = await differing();
    contest.choose('source');
    const before = ({ operation }: { readonly operation: string }): void => {
      if (operation === 'write') throw new Error('killed');
    };
    await contest.pass({ at: { destination: { before } } });
    expect(contest.destination.textAt('ns/a')).toEqual({ k: 'of the destination' });
    const run = await contest.pass();
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'SourceWon' });
  });
});

describe('an annotation that cannot be read', () => {
  it.each([
    ['{', 'it is not JSON'],
    ['{}', 'it must be a list'],
    ['[{"name":"a","winner":"me","source":"3","destination":"2"}]', '[0].winner: must be "source"'],
    ['[{"name":"a","winner":"source","sources":"3","destination":"2"}]', '[0]: must be an object with'],
    ['[{"name":"a","winner":"source","source":3,"destination":"2"}]', '[0].source: must be a version'],
    [
      '[{"name":"a","winner":"source","source":"3"},{"name":"a","winner":"destination","source":"3"}]',
      '[1].name: has two different entries',
    ],
    ['x'.repeat(40_000), 'it has more than 32768 characters'],
    [
      JSON.stringify(Array.from({ length: 257 }, (_, at) => ({ name: `${at}`, winner: 'source' }))),
      'it has more than 256 entries',
    ],
  ])('says why and changes nothing: %.70s', async (annotation, why) => {
    const contest = await bothChanged();
    contest.annotation = annotation;
    const run = await contest.pass();
    expect(changesIn(run.log)).toEqual([]);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'BothChanged' });
    expect(run.outcomeOf('a').message).toContain(why);
    expect(run.outcomeOf('a').message?.length).toBeLessThanOrEqual(256);
  });

  it('does not stop documents without a conflict', async () => {
    const contest = await inStep();
    contest.annotation = 'nonsense';
    contest.source.put('a', { k: '2' });
    expect((await contest.pass()).outcomeOf('a').state).toBe('Verified');
  });

  it('may repeat an entry, as the rows of several keys do', async () => {
    const contest = await bothChanged();
    contest.choose('source');
    contest.annotation = contest.annotation?.replace(/^\[(.*)\]$/, '[$1,$1]');
    expect((await contest.pass()).outcomeOf('a').reason).toBe('SourceWon');
  });
});

describe('a resolution with other versions', () => {
  const version = fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined });
  const edit = fc.record({
    side: fc.constantFrom('source', 'destination'),
    value: fc.integer({ min: 2, max: 4 }),
  });
  const authority = fc.constantFrom('Source', 'Destination', 'Either');
  const winner = fc.constantFrom<Winner>('source', 'destination');

  it('never changes what a pass does, whatever the edits, the authority and the winner', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          authority,
          winner,
          source: version,
          destination: version,
          edits: fc.array(edit, { maxLength: 4 }),
        }),
        async ({ authority: leads, edits, winner: wins, ...named }) => {
          const play = async (): Promise<Contest> => {
            const contest = await inStep({ spec: { sync: { authority: leads } } });
            for (const { side, value } of edits) {
              if (side === 'source') contest.source.put('a', { k: `${value}` });
              else contest.destination.put('ns/a', { k: `${value}` });
            }
            return contest;
          };
          const contest = await play();
          const isAbout =
            contest.source.currentAt('a')?.version.revision === named.source?.toString() &&
            contest.destination.currentAt('ns/a')?.version.revision === named.destination?.toString();
          fc.pre(!isAbout);
          contest.name(wins, named.source?.toString(), named.destination?.toString());
          const run = await contest.pass();
          const without = await (await play()).pass();
          expect(changesIn(run.log)).toEqual(changesIn(without.log));
          if (edits.length > 0) expect(run.outcomeOf('a').state).toBe(without.outcomeOf('a').state);
        },
      ),
      { numRuns: 200 },
    );
  });
});
