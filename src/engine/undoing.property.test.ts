import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Hooks, Operation } from '#src/backends/memory/hooks.ts';
import type { MemoryStore } from '#src/backends/memory/store.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { OperatorError } from '#src/errors.ts';
import { aWorld, runEngine, type EngineRun, type World } from '#test/support/engine-run.ts';

/* Migrations, and runs that take them back, are killed at any change, between edits of other writers at both sides. */

type Side = 'source' | 'destination';

/** Dies at the change with this number: before it, or after it with its reply lost. */
interface Kill {
  readonly at: number;
  readonly when: 'before' | 'after';
}

type Act =
  | { readonly act: 'run' | 'undo'; readonly kill: Kill | undefined }
  | { readonly act: 'put' | 'mirror' | 'remove'; readonly side: Side };

const side = fc.constantFrom<Side>('source', 'destination');
const kill = fc.option(
  fc.record({ at: fc.nat({ max: 6 }), when: fc.constantFrom('before' as const, 'after' as const) }),
  { nil: undefined },
);
const engineAct = fc.record({ act: fc.constantFrom('run' as const, 'undo' as const), kill });
const edit = fc.record({ act: fc.constantFrom('put' as const, 'mirror' as const, 'remove' as const), side });
const acts = fc.array(fc.oneof({ weight: 3, arbitrary: engineAct }, { weight: 2, arbitrary: edit }), {
  maxLength: 12,
});
const setup = fc.record({
  way: fc.constantFrom('toTree' as const, 'toFlat' as const, 'flat' as const),
  sourcePolicy: fc.constantFrom('Keep', 'Delete', 'Backup', 'Project'),
  conflictPolicy: fc.constantFrom('Fail', 'KeepDestination', 'Overwrite'),
  destination: fc.constantFrom('absent', 'equal', 'other', 'deleted'),
});
type Setup = typeof setup extends fc.Arbitrary<infer T> ? T : never;

const CHANGES: ReadonlySet<Operation> = new Set<Operation>([
  'write',
  'delete',
  'retire',
  'discard',
  'mark',
  'unmark',
  'claim',
  'undelete',
]);

const ADDRESSES = {
  toTree: { source: 'a', destination: 'ns/a' },
  toFlat: { source: 'ns/a', destination: 'a' },
  flat: { source: 'a', destination: 'a' },
} as const;

/** A tree keeps no backups and projections, and only a tree is overwritten. */
function specOf({ conflictPolicy, sourcePolicy, way }: Setup): NonNullable<EngineRun['spec']> {
  return {
    sourcePolicy: way === 'toFlat' && sourcePolicy !== 'Keep' ? 'Delete' : sourcePolicy,
    conflictPolicy: way === 'toTree' || conflictPolicy !== 'Overwrite' ? conflictPolicy : 'Fail',
  };
}

/** One document, its migration, and everybody else. */
class Story {
  readonly world: World;
  readonly #spec: NonNullable<EngineRun['spec']>;
  readonly #addresses: Readonly<Record<Side, string>>;
  /** Who wrote what is there: an undo may only touch what the migration wrote. */
  readonly isForeign: Record<Side, boolean> = { source: true, destination: true };
  #rows: readonly PriorRecord[] = [];
  #isFirst = true;
  #count = 0;

  constructor(given: Setup) {
    const flat = { addressing: 'flat' } as const;
    const { destination, way } = given;
    this.world = way === 'toTree' ? aWorld() : aWorld(way === 'toFlat' ? { addressing: 'tree' } : {}, flat);
    this.#addresses = ADDRESSES[way];
    this.#spec = specOf(given);
    this.world.source.put(this.#addresses.source, { k: 'first' });
    if (destination === 'absent') return;
    const value = destination === 'equal' ? 'first' : 'other';
    this.world.destination.put(this.#addresses.destination, { k: value });
    if (destination === 'deleted') this.world.destination.remove(this.#addresses.destination);
  }

  at(which: Side): string | undefined {
    return this.world[which].textAt(this.#addresses[which])?.['k'];
  }

  /** True if the value is somewhere where a person can read it. */
  isReadable(value: string): boolean {
    const { destination, source } = this.world;
    const kept = [...source.backups.keys()].map((backup) => source.backupTextAt(backup)?.['k']);
    const inHistory = historyOf(destination, this.#addresses.destination);
    return [this.at('source'), this.at('destination'), ...kept, ...inHistory].includes(value);
  }

  act({ act, side: which }: Extract<Act, { side: Side }>): void {
    const store = this.world[which];
    const address = this.#addresses[which];
    this.#count += 1;
    const other = this.at(which === 'source' ? 'destination' : 'source');
    if (act !== 'remove')
      store.put(address, { k: (act === 'mirror' ? other : undefined) ?? `foreign ${this.#count}` });
    else if (store.textAt(address) !== undefined) store.remove(address);
    this.isForeign[which] = true;
  }

  /** Resolves with the reason of the row; undefined if the run was killed. */
  async engine(task: 'run' | 'undo', killed?: Kill): Promise<string | undefined> {
    const before = this.#versions();
    const onFlush = (rows: readonly PriorRecord[]): void => void (this.#rows = rows);
    const hooks = killed === undefined ? {} : killing(killed);
    const { world } = this;
    const prior = this.#rows;
    try {
      const at = { source: hooks, destination: hooks };
      const run = { ...world, prior, task, at, onFlush, spec: this.#spec, isFirstRun: this.#isFirst };
      const { rows } = await runEngine(run);
      this.#rows = rows;
      return rows[0]?.reason;
    } catch (failure) {
      expect(failure).toMatchObject({ code: 'LEASE_LOST' });
      return undefined;
    } finally {
      this.#isFirst = false;
      this.#noteWrites(before);
    }
  }

  #noteWrites(before: Readonly<Record<Side, string | undefined>>): void {
    const after = this.#versions();
    for (const each of ['source', 'destination'] as const)
      if (before[each] !== after[each]) this.isForeign[each] = false;
  }

  #versions(): Record<Side, string | undefined> {
    const of = (each: Side): string | undefined => {
      const state = this.world[each].currentAt(this.#addresses[each]);
      return state && `${state.version.identity} ${state.version.revision}`;
    };
    return { source: of('source'), destination: of('destination') };
  }
}

function historyOf(store: MemoryStore, address: string): readonly (string | undefined)[] {
  const current = Number(store.currentAt(address)?.version.revision ?? 0);
  if (!store.traits.keepsRevisions) return [];
  return Array.from({ length: current }, (_, index) => store.stateAt(address, String(index + 1)))
    .filter((state) => state !== undefined && state.isDeleted !== true)
    .map((state) => state?.fields.get('k')?.toString());
}

function killing({ at, when }: Kill): Hooks {
  let changes = 0;
  const die = ({ operation }: { readonly operation: Operation }): void => {
    if (!CHANGES.has(operation)) return;
    changes += 1;
    if (changes === at + 1) throw new OperatorError('LEASE_LOST', { op: 'test' });
  };
  return { [when]: die };
}

/** An announced overwrite that another writer made instead: an undo that left it alone must not make it look like ours. */
const FOUND: [Setup, Act[]] = [
  { way: 'toTree', sourcePolicy: 'Keep', conflictPolicy: 'Overwrite', destination: 'absent' },
  [
    { act: 'put', side: 'destination' },
    { act: 'run', kill: { at: 0, when: 'before' } },
    { act: 'mirror', side: 'destination' },
    { act: 'undo', kill: undefined },
    { act: 'run', kill: undefined },
    { act: 'undo', kill: undefined },
  ],
];

it('no value is lost and no foreign one is touched, whatever is done, undone, killed and edited', async () => {
  await fc.assert(
    fc.asyncProperty(setup, acts, async (given, all) => {
      const story = new Story(given);
      for (const act of all) {
        if ('side' in act) {
          story.act(act);
          continue;
        }
        const before = { source: story.at('source'), destination: story.at('destination') };
        const wasForeign = { ...story.isForeign };
        await story.engine(act.act, act.kill);
        for (const value of [before.source, before.destination])
          if (value !== undefined) expect(story.isReadable(value), `${value} is readable`).toBe(true);
        if (act.act !== 'undo') continue;
        if (before.source !== undefined) expect(story.at('source')).toBe(before.source);
        if (wasForeign.destination) expect(story.at('destination')).toBe(before.destination);
      }
    }),
    { numRuns: 300, examples: [FOUND] },
  );
});

it('an undo that is killed at any change is finished by the next one, and both sides are as they were', async () => {
  await fc.assert(
    fc.asyncProperty(setup, fc.array(kill, { maxLength: 4 }), async (given, kills) => {
      const story = new Story(given);
      const before = { source: story.at('source'), destination: story.at('destination') };
      await story.engine('run');
      for (const each of kills) {
        await story.engine('undo', each);
        expect(story.isReadable('first')).toBe(true);
      }
      expect(await story.engine('undo')).toBe('Undone');
      expect({ source: story.at('source'), destination: story.at('destination') }).toEqual(before);
      expect([...story.world.source.backups.keys()]).toEqual([]);
      expect(story.world.source.currentAt('a')?.origin).toBeUndefined();
    }),
    { numRuns: 150 },
  );
});
