import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/* Programs with old and with new names write and delete at random, and passes are killed before they record. */

type Name = 'old' | 'new';
type Act =
  | { readonly act: 'put' | 'remove' | 'purge'; readonly name: Name }
  | { readonly act: 'pass'; readonly isRecorded: boolean };

const name = fc.constantFrom<Name>('old', 'new');
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('put' as const), name }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('remove' as const, 'purge' as const), name }) },
  { weight: 5, arbitrary: fc.record({ act: fc.constant('pass' as const), isRecorded: fc.boolean() }) },
);
const acts = fc.array(anyAct, { maxLength: 25 });

interface Options {
  readonly world: World;
  readonly spec: NonNullable<EngineRun['spec']>;
  readonly addresses: Readonly<Record<Name, string>>;
  /** The name of the document in the rows. */
  readonly row: string;
}

/** The programs, and the migration between them. Each write is another value: `old 3`. */
class Programs {
  readonly #options: Options;
  #count = 0;
  /** The new name was deleted. One that is gone with its history, and was never on record, is as one that never was. */
  hasEnded = false;
  prior: RunReport['rows'] = [];

  constructor(options: Options) {
    this.#options = options;
  }

  act(act: 'put' | 'remove' | 'purge', by: Name): string | undefined {
    const { addresses, world } = this.#options;
    if (by === 'new') this.hasEnded = this.#endsWith(act);
    if (act === 'put') {
      this.#count += 1;
      const value = `${by} ${this.#count}`;
      world.source.put(addresses[by], { k: value });
      return value;
    }
    if (world.source.currentAt(addresses[by]) !== undefined) world.source[act](addresses[by]);
    return undefined;
  }

  #endsWith(act: 'put' | 'remove' | 'purge'): boolean {
    const wasThere = this.at('new') !== undefined;
    if (act === 'put') return false;
    if (act === 'remove') return wasThere || this.hasEnded;
    return this.proven !== undefined && (wasThere || this.hasEnded);
  }

  async pass(isRecorded: boolean): Promise<void> {
    const { spec, world } = this.#options;
    const run = await runEngine({ ...world, prior: this.prior, spec: { mode: 'Sync', ...spec } });
    if (isRecorded) this.prior = run.rows;
  }

  at(by: Name): string | undefined {
    return this.#options.world.source.textAt(this.#options.addresses[by])?.['k'];
  }

  /** The row, if the document was proven once. */
  get proven(): RunReport['rows'][number] | undefined {
    const row = this.prior.find((each) => each.name === this.#options.row);
    return row?.state === 'Verified' || row?.base !== undefined ? row : undefined;
  }
}

it('a new name takes values of its old name only, never over one of its own, and never after it was deleted', async () => {
  const spec = { mapping: { path: '{name}', prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }] } };
  const policies = fc.constantFrom('Fail', 'KeepDestination', 'Overwrite');
  await fc.assert(
    fc.asyncProperty(acts, policies, async (all, conflictPolicy) => {
      const world = aWorld({ addressing: 'tree', keepsRevisions: true }, 'same');
      const addresses = { old: 'old-a', new: 'new-a' };
      const programs = new Programs({ world, spec: { ...spec, conflictPolicy }, addresses, row: 'old-a' });
      for (const act of all) {
        if (act.act !== 'pass') {
          programs.act(act.act, act.name);
          continue;
        }
        const before = { old: programs.at('old'), new: programs.at('new') };
        await programs.pass(act.isRecorded);
        const after = programs.at('new');
        expect(programs.at('old')).toBe(before.old);
        expect([before.old, before.new]).toContain(after);
        if (programs.hasEnded) expect(after).toBeUndefined();
        const isOwn = before.new?.startsWith('new') === true;
        if (isOwn && conflictPolicy !== 'Overwrite') expect(after).toBe(before.new);
      }
    }),
    { numRuns: 300 },
  );
});

it('a new name that no program touches has the value of its old name after each pass', async () => {
  const spec = { mapping: { path: '{name}', prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }] } };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ isKilled: fc.boolean() }), { maxLength: 10 }), async (all) => {
      const world = aWorld({ addressing: 'tree', keepsRevisions: true }, 'same');
      const addresses = { old: 'old-a', new: 'new-a' };
      const programs = new Programs({ world, spec, addresses, row: 'old-a' });
      for (const { isKilled } of all) {
        const value = programs.act('put', 'old');
        await programs.pass(!isKilled);
        expect(programs.at('new')).toBe(value);
        if (isKilled) await programs.pass(true);
      }
    }),
    { numRuns: 50 },
  );
});

it('a Secret takes no value of an old name after its document was seen under the new one', async () => {
  const spec = { source: { fallback: { prefix: 'OLD_', untilTime: '2026-01-01T01:00:00Z' } } };
  await fc.assert(
    fc.asyncProperty(acts, async (all) => {
      const world = aWorld({ addressing: 'tree', keepsRevisions: true }, { addressing: 'flat' });
      const addresses = { old: 'OLD_a', new: 'ns/a' };
      const programs = new Programs({ world, spec, addresses, row: 'a' });
      const secret = (): string | undefined => world.destination.textAt('a')?.['k'];
      for (const act of all) {
        if (act.act !== 'pass') {
          programs.act(act.act, act.name);
          continue;
        }
        const before = secret();
        const { proven } = programs;
        const wasUnderItsName = proven !== undefined && proven.source?.path === undefined;
        const isUnderItsName = programs.at('new') !== undefined;
        await programs.pass(act.isRecorded);
        const after = secret();
        if (wasUnderItsName || isUnderItsName) expect([before, programs.at('new')]).toContain(after);
        if (before !== undefined) expect(after).toBeDefined();
      }
    }),
    { numRuns: 300 },
  );
});
