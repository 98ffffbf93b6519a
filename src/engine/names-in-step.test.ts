import { describe, expect, it } from 'vitest';
import { always, failsWith, losesReply, once } from '#src/backends/memory/hooks.ts';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/* Mode Sync while names change: programs that know only the old names still write them. */

const HOUR_MS = 3_600_000;
const UNTIL = '2026-01-01T01:00:00Z';

type Options = Partial<EngineRun>;

/** A world that is kept in step, pass after pass. */
class Window {
  readonly world: World;
  readonly #spec: NonNullable<EngineRun['spec']>;
  prior: RunReport['rows'] = [];
  hits = 0;

  constructor(world: World, spec: NonNullable<EngineRun['spec']>) {
    this.world = world;
    this.#spec = { mode: 'Sync', ...spec };
  }

  async pass(more: Options = {}): Promise<RunReport> {
    const run = await runEngine({ ...this.world, prior: this.prior, spec: this.#spec, ...more });
    this.prior = run.rows;
    this.hits += run.fallbacks;
    return run;
  }
}

function said(run: RunReport, name: string): string {
  const { reason = '', state } = run.outcomeOf(name);
  return `${state} ${reason}`.trim();
}

function readsIn(log: readonly string[]): readonly string[] {
  return log.filter((line) => /read/.test(line));
}

function changesIn(log: readonly string[]): readonly string[] {
  return log.filter((line) => /write|delete|retire|recreate|finish|undo/.test(line));
}

const RENAME = { mapping: { path: '{name}', prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }] } };

/** Old and new names in one folder of one store: `old-a` becomes `new-a`. */
async function renamed(spec: EngineRun['spec'] = {}, keepsRevisions = true): Promise<Window> {
  const window = new Window(aWorld({ addressing: 'tree', keepsRevisions }, 'same'), { ...RENAME, ...spec });
  window.world.source.put('old-a', { k: '1' });
  await window.pass();
  expect(window.world.source.textAt('new-a')).toEqual({ k: '1' });
  return window;
}

describe('inside one store', () => {
  it('a document gets its new name once; what has it already is left, and an unchanged pass reads nothing', async () => {
    const window = await renamed();
    const run = await window.pass();
    expect([said(run, 'old-a'), said(run, 'new-a')]).toEqual(['Verified', 'Skipped AlreadyRenamed']);
    expect(readsIn(run.log)).toEqual([]);
    expect(run.rows).toEqual((await window.pass()).rows);
    expect(window.world.source.addresses()).toEqual(['new-a', 'old-a']);
  });

  it('a change of the old name goes to the new one, and is counted', async () => {
    const window = await renamed();
    const { source } = window.world;
    expect(window.hits).toBe(1);
    source.put('old-a', { k: '2' });
    expect(said(await window.pass(), 'old-a')).toBe('Verified FollowedSource');
    source.put('old-a', { k: '3' });
    await window.pass({ only: ['old-a'] });
    expect(source.textAt('new-a')).toEqual({ k: '3' });
    await window.pass();
    expect(window.hits).toBe(3);
  });

  it('a change whose write had no reply is counted once', async () => {
    const window = await renamed();
    window.world.source.put('old-a', { k: '2' });
    const after = once('write', losesReply);
    expect(said(await window.pass({ at: { destination: { after } } }), 'old-a')).toBe('Verified');
    expect(window.world.source.textAt('new-a')).toEqual({ k: '2' });
    expect(window.hits).toBe(2);
  });

  it('a name that an old program creates later joins', async () => {
    const window = await renamed();
    window.world.source.put('old-b', { k: 'b' });
    await window.pass();
    expect(window.world.source.textAt('new-b')).toEqual({ k: 'b' });
    expect(window.hits).toBe(2);
  });

  it('a change of both names is a conflict, and both stay', async () => {
    const window = await renamed({ conflictPolicy: 'KeepDestination' });
    const { source } = window.world;
    source.put('new-a', { k: 'new' });
    expect(said(await window.pass(), 'old-a')).toBe('Skipped DestinationEdited');
    source.put('old-a', { k: 'old' });
    expect(said(await window.pass(), 'old-a')).toBe('Conflict BothChanged');
    expect([source.textAt('new-a'), source.textAt('old-a')]).toEqual([{ k: 'new' }, { k: 'old' }]);
  });

  it('a value that is deleted at its old name stays at the new one', async () => {
    const window = await renamed();
    window.world.source.remove('old-a');
    expect(said(await window.pass(), 'old-a')).toBe('Skipped SourceGone');
    expect(window.world.source.textAt('new-a')).toEqual({ k: '1' });
  });

  it('without its rows what is equal is in step, and what differs is a conflict', async () => {
    const window = await renamed();
    window.prior = [];
    expect(said(await window.pass(), 'old-a')).toBe('Verified');
    window.prior = [];
    window.world.source.put('old-a', { k: '2' });
    expect(said(await window.pass(), 'old-a')).toBe('Conflict DestinationDiffers');
  });

  it('a name that another rule would rename again is not moved on after it was deleted and written again', async () => {
    const mapping = {
      path: '{name}',
      overrides: [{ name: 'a', path: 'old-a' }],
      prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }],
    };
    const { source, ...world } = aWorld({ addressing: 'tree', keepsRevisions: true }, 'same');
    const window = new Window({ source, ...world }, { mapping });
    source.put('a', { k: '1' });
    await window.pass();
    source.purge('old-a');
    await window.pass();
    source.put('old-a', { k: 'new' });
    expect(said(await window.pass(), 'old-a')).toBe('Skipped AlreadyRenamed');
    expect(source.textAt('new-a')).toBeUndefined();
  });
});

const DELETIONS = [
  ['deleted', (world: World, name: string): void => world.source.remove(name)],
  ['removed with its history', (world: World, name: string): void => world.source.purge(name)],
] as const;

describe.each(DELETIONS)('a value that was %s under its new name', (_how, end) => {
  it.each(['Fail', 'KeepDestination', 'Overwrite'])(
    'is not written again, with %s',
    async (conflictPolicy) => {
      const window = await renamed({ conflictPolicy });
      const { source } = window.world;
      end(window.world, 'new-a');
      expect(said(await window.pass(), 'old-a')).toBe('Skipped DestinationGone');
      source.put('old-a', { k: '2' });
      expect(said(await window.pass(), 'old-a')).toBe('Conflict BothChanged');
      source.put('old-a', { k: '1' });
      await window.pass();
      expect(source.textAt('new-a')).toBeUndefined();
    },
  );

  it('is not written again where the old name changed before a pass saw the end', async () => {
    const window = await renamed({ conflictPolicy: 'Overwrite' });
    window.world.source.put('old-a', { k: '2' });
    end(window.world, 'new-a');
    expect(said(await window.pass(), 'old-a')).toBe('Conflict BothChanged');
    expect(window.world.source.textAt('new-a')).toBeUndefined();
  });

  it('is not written again after the old name was deleted too and came back', async () => {
    const window = await renamed();
    const { source } = window.world;
    end(window.world, 'new-a');
    end(window.world, 'old-a');
    expect(said(await window.pass(), 'old-a')).toBe('Skipped SourceGone');
    source.put('old-a', { k: '1' });
    await window.pass();
    expect(source.textAt('new-a')).toBeUndefined();
  });

  it('does not take the old name with it', async () => {
    const window = await renamed({ sync: { prune: true, maxPrunePercent: 100 } });
    end(window.world, 'new-a');
    await window.pass();
    expect(window.world.source.textAt('old-a')).toEqual({ k: '1' });
  });
});

describe('a lost status', () => {
  it('does not bring back a value whose deletion the store records, whatever the policy', async () => {
    const window = await renamed({ conflictPolicy: 'Overwrite' });
    window.world.source.remove('new-a');
    window.prior = [];
    expect(said(await window.pass(), 'old-a')).toBe('Conflict DestinationDeleted');
    expect(window.world.source.textAt('new-a')).toBeUndefined();
  });
});

describe('after sync.untilTime', () => {
  const sync = { untilTime: UNTIL };

  it('nothing is written or removed, and rows say what changed', async () => {
    const window = await renamed({ sync });
    const { clock, source } = window.world;
    clock.jump(HOUR_MS);
    source.put('old-a', { k: '2' });
    source.put('old-b', { k: 'b' });
    const run = await window.pass();
    expect(changesIn(run.log)).toEqual([]);
    expect([said(run, 'old-a'), said(run, 'old-b')]).toEqual(['Skipped SyncEnded', 'Skipped SyncEnded']);
    expect(run.outcomeOf('old-a').message).toContain('2026-01-01T01:00:00');
    expect(source.textAt('new-a')).toEqual({ k: '1' });
    expect(window.hits).toBe(1);
  });

  it('a document in step stays Verified, and one that ended at both sides needs no row', async () => {
    const window = await renamed({ sync });
    const { clock, source } = window.world;
    source.put('old-b', { k: 'b' });
    await window.pass();
    for (const name of ['old-b', 'new-b']) source.remove(name);
    expect(said(await window.pass(), 'old-b')).toBe('Skipped SourceGone');
    clock.jump(HOUR_MS);
    const run = await window.pass();
    expect(said(run, 'old-a')).toBe('Verified');
    expect(run.rows.map(({ name }) => name)).not.toContain('old-b');
  });

  it('a run is due at that time', async () => {
    const window = await renamed({ sync });
    expect((await window.pass()).result.wakeAfterMs).toBe(HOUR_MS);
  });
});

const FALLBACK = { source: { fallback: { prefix: 'OLD_', untilTime: UNTIL } } };

/** Paths that Secrets follow; `ns/a` was `OLD_a` before. */
async function atOldName(spec: EngineRun['spec'] = {}): Promise<Window> {
  const world = aWorld({ addressing: 'tree', keepsRevisions: true }, { addressing: 'flat' });
  const window = new Window(world, { ...FALLBACK, ...spec });
  world.source.put('OLD_a', { k: '1' });
  await window.pass();
  expect(world.destination.textAt('a')).toEqual({ k: '1' });
  return window;
}

describe('a Secret whose document has its old name still', () => {
  it('follows it, counts what it takes, and an unchanged pass reads nothing', async () => {
    const window = await atOldName();
    expect(readsIn((await window.pass()).log)).toEqual([]);
    window.world.source.put('OLD_a', { k: '2' });
    const run = await window.pass();
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Verified',
      reason: 'FollowedSource',
      source: { path: 'OLD_a', version: '2' },
    });
    expect(window.world.destination.textAt('a')).toEqual({ k: '2' });
    expect(readsIn((await window.pass()).log)).toEqual([]);
    expect(window.hits).toBe(2);
  });

  it('is reported when it is edited, by its policy, and the row keeps the old name', async () => {
    const window = await atOldName();
    window.world.destination.put('a', { k: 'mine' });
    const run = await window.pass();
    expect(said(run, 'a')).toBe('Conflict DestinationEdited');
    expect(said(await window.pass(), 'a')).toBe('Conflict DestinationEdited');
    window.world.source.put('OLD_a', { k: '2' });
    expect(said(await window.pass(), 'a')).toBe('Conflict BothChanged');
  });

  it('follows the new name once it is there, equal or not, and the old one no longer', async () => {
    const window = await atOldName();
    const { destination, source } = window.world;
    source.put('ns/a', { k: '1' });
    const run = await window.pass();
    expect(said(run, 'a')).toBe('Verified');
    expect(run.outcomeOf('a').source?.path).toBeUndefined();
    source.put('OLD_a', { k: 'old' });
    source.put('ns/a', { k: '2' });
    await window.pass();
    source.put('OLD_a', { k: 'older' });
    await window.pass();
    expect(destination.textAt('a')).toEqual({ k: '2' });
    expect(window.hits).toBe(1);
  });

  it.each(DELETIONS)(
    'keeps its value when the new name is %s, and takes no other from the old one',
    async (_how, end) => {
      const window = await atOldName();
      const { destination, source } = window.world;
      source.put('ns/a', { k: '2' });
      await window.pass();
      end(window.world, 'ns/a');
      source.put('OLD_a', { k: 'old' });
      for (let pass = 0; pass < 3; pass += 1) {
        expect(said(await window.pass(), 'a')).toBe('Skipped SourceGone');
        expect(destination.textAt('a')).toEqual({ k: '2' });
      }
      destination.remove('a');
      for (let pass = 0; pass < 3; pass += 1) await window.pass();
      expect(destination.textAt('a')).toBeUndefined();
    },
  );

  it('keeps its value when the old name is deleted, and follows it when it comes back', async () => {
    const window = await atOldName();
    window.world.source.purge('OLD_a');
    expect(said(await window.pass(), 'a')).toBe('Skipped SourceGone');
    window.world.source.put('OLD_a', { k: '2' });
    expect(said(await window.pass(), 'a')).toBe('Verified FollowedSource');
  });
});

describe('a fallback of a Secret', () => {
  it('that ended leaves it its value, also with prune, and the row says so', async () => {
    const window = await atOldName({ sync: { prune: true, maxPrunePercent: 100 } });
    const { clock, destination, source } = window.world;
    clock.jump(HOUR_MS);
    source.put('OLD_a', { k: '2' });
    for (let pass = 0; pass < 2; pass += 1) {
      const run = await window.pass();
      expect(said(run, 'a')).toBe('Failed SourceMissing');
      expect(run.outcomeOf('a').message).toContain('2026-01-01T01:00:00');
      expect(run.log).not.toContain('source read OLD_a');
    }
    expect(destination.textAt('a')).toEqual({ k: '1' });
    source.put('ns/a', { k: '3' });
    expect(said(await window.pass(), 'a')).toBe('Verified FollowedSource');
  });

  it('is no way to write a source at its old name: only the authority Source is accepted', async () => {
    await expect(atOldName({ sync: { authority: 'Either' } })).rejects.toMatchObject({
      code: 'SPEC_INVALID',
    });
  });

  it.each(['AUTH_DENIED', 'SERVER_ERROR'] as const)(
    'is not looked at when its own name answers %s',
    async (code) => {
      const window = await atOldName();
      const before = always('read', ({ address }) => {
        if (address === 'ns/a') failsWith(code)();
      });
      const run = await window.pass({ only: ['a'], at: { source: { before } } });
      expect(run.outcomeOf('a').state).toBe('Failed');
      expect(run.log).not.toContain('source read OLD_a');
      expect((await window.pass()).outcomeOf('a')).toMatchObject({
        state: 'Verified',
        source: { path: 'OLD_a' },
      });
    },
  );
});
