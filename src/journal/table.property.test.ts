import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRowReason, ROW_REASONS, ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import { countOutcomes, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import { toPriorRecords, toRows } from './rows.ts';
import { isDone, RowTable } from './table.ts';

/*
 * The table against one of whole objects: whatever a run does, and in whatever order.
 */

const NOW = Date.parse('2026-01-01T00:00:00Z');
const RULES = ['prefixes[0]', 'patterns[0]'];

const anOutcome: fc.Arbitrary<Outcome> = fc.record(
  {
    name: fc.integer({ min: 0, max: 30 }).map((index) => `doc-${index}`),
    keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')),
    state: fc.constantFrom(...ROW_STATES),
    reason: fc.constantFrom(...Object.keys(ROW_REASONS).filter(isRowReason)),
    message: fc.string({ maxLength: 20 }),
    destination: fc.record(
      { path: fc.constantFrom('p', 'q'), version: fc.constantFrom('1', '2') },
      { requiredKeys: ['path'] },
    ),
    rule: fc.constantFrom(...RULES, 'overrides[0]'),
    retry: fc.constantFrom('soon', 'later'),
  },
  { requiredKeys: ['name', 'keys', 'state'] },
);

interface Step {
  readonly does: 'set' | 'expect' | 'delete' | 'goOn' | 'dropUnvisited';
  /** Of a step that is about a document. */
  readonly outcome: Outcome;
}
const aStep: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom('set', 'set', 'set', 'expect', 'delete', 'goOn', 'dropUnvisited'),
  outcome: anOutcome,
});

class Model {
  readonly rows = new Map<string, Outcome>();
  readonly visited = new Set<string>();
  readonly prior = new Map<string, Outcome>();
  readonly news = new Set<string>();

  take(step: Step): void {
    if (step.does === 'goOn') this.#goOn();
    else if (step.does === 'dropUnvisited') {
      for (const name of this.rows.keys()) if (!this.visited.has(name)) this.rows.delete(name);
    } else this.#change(step);
  }

  #change({ does, outcome }: Step): void {
    const { name } = outcome;
    if (does === 'expect' && this.rows.has(name)) return;
    if (does === 'delete') {
      this.rows.delete(name);
      this.visited.delete(name);
    } else this.rows.set(name, outcome);
    if (does === 'set') this.visited.add(name);
    // Nothing is news of a document of which nothing is known.
    if (does === 'set' || (does === 'delete' && this.prior.has(name))) this.news.add(name);
    else if (does === 'delete') this.news.delete(name);
  }

  #goOn(): void {
    for (const name of this.news) {
      const outcome = this.rows.get(name);
      if (outcome === undefined) this.prior.delete(name);
      else this.prior.set(name, outcome);
    }
    this.news.clear();
  }
}

function take(table: RowTable, step: Step): void {
  if (step.does === 'goOn') table.goOn();
  else if (step.does === 'dropUnvisited') table.dropUnvisited();
  else if (step.does === 'delete') table.delete(step.outcome.name);
  else table[step.does](step.outcome, NOW);
}

/** Without what rows do not have. */
function recorded({ retry: _retry, ...outcome }: Outcome): Outcome {
  return outcome;
}

function priorOf(table: RowTable): readonly Outcome[] {
  return [...table.prior.values()].map(({ since: _since, ...outcome }: PriorRecord) => outcome);
}

const byName = (left: Outcome, right: Outcome): number => (left.name < right.name ? -1 : 1);

describe('a table of packed rows', () => {
  it('is the one of whole objects, and so are its counts, its exceptions and what the next round reads', () => {
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 60 }), (steps) => {
        const [table, model] = [new RowTable(new Map(), RULES), new Model()];
        for (const step of steps) {
          take(table, step);
          model.take(step);
        }
        const rows = [...model.rows.values()].toSorted(byName);
        expect([...table.outcomes()].toSorted(byName)).toEqual(rows);
        expect(table.counts).toEqual(countOutcomes(rows));
        expect([table.size, table.rowCount]).toEqual([rows.length, rows.length]);
        const open = rows.filter((outcome) => !isDone(outcome));
        expect([...table.open(5)].map(({ outcome }) => outcome)).toEqual(open.slice(0, 5));
        expect(priorOf(table).toSorted(byName)).toEqual(
          [...model.prior.values()].map(recorded).toSorted(byName),
        );
        expect(table.prior.size).toBe(model.prior.size);
        for (const { rule, total } of table.byRule().rules ?? [])
          expect(total).toBe(countOutcomes(rows.filter((row) => row.rule === rule)).total);
      }),
    );
  });

  it('reads a record as the next run reads it from its rows', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anOutcome, { selector: ({ name }) => name }), (outcomes) => {
        const table = new RowTable();
        const entries = outcomes.map((outcome) => table.set(outcome, NOW));
        table.goOn();
        const read = [...toPriorRecords(entries.flatMap(toRows)).values()];
        expect([...table.prior.values()]).toEqual(read);
        for (const record of read) expect(table.prior.get(record.name)).toEqual(record);
      }),
    );
  });

  it('keeps what earlier runs recorded while the run sets something else', () => {
    const earlier = { name: 'a', keys: ['k'], state: 'Verified', since: NOW } as const;
    const table = new RowTable(new Map([['a', earlier]]));
    table.set({ name: 'a', keys: ['k'], state: 'Removed' }, NOW);
    expect(table.prior.get('a')).toEqual(earlier);
    table.delete('a');
    expect([table.has('a'), table.prior.get('a'), table.prior.size]).toEqual([false, earlier, 1]);
    table.goOn();
    expect([table.prior.get('a'), table.prior.size]).toEqual([undefined, 0]);
  });

  it('finds the first open documents by name, in whatever order they came', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `doc-${String(999 - index).padStart(4, '0')}`);
    const table = new RowTable();
    for (const name of names) table.expect({ name, keys: [], state: 'Pending' }, NOW);
    expect([...table.open(3)].map(({ outcome }) => outcome.name)).toEqual([
      'doc-0000',
      'doc-0001',
      'doc-0002',
    ]);
  });
});
