import type { SecretMigrationStatus } from '#src/api/v1alpha1/secret-migration.ts';
import { KeyCounter, type Counts, type Outcome } from '#src/core/outcome.ts';

/** What is counted of a document. */
interface Counted {
  readonly outcome: Outcome;
  /** How many rows it has. */
  readonly rows: number;
}

/** Running counts of a table: nothing walks through it to know how far a run is. */
export class Tally {
  readonly #all = new KeyCounter();
  readonly #byRule: ReadonlyMap<string, KeyCounter>;
  #documents = 0;
  #rows = 0;

  /** `rules`: ids of the mapping rules to count keys for. */
  constructor(rules: readonly string[]) {
    this.#byRule = new Map(rules.map((rule) => [rule, new KeyCounter()]));
  }

  replace(before: Counted | undefined, after: Counted | undefined): void {
    if (before !== undefined) this.#count(before, -1);
    if (after !== undefined) this.#count(after, 1);
  }

  get counts(): Counts {
    return this.#all.counts;
  }

  get documents(): number {
    return this.#documents;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Counts of keys for each rule, in their order; nothing without rules. */
  byRule(): Pick<SecretMigrationStatus, 'rules'> {
    if (this.#byRule.size === 0) return {};
    return {
      rules: [...this.#byRule].map(([rule, { counts }]) => {
        const { total, verified, removed, skipped, failed, conflict } = counts;
        return { rule, total, migrated: verified + removed, skipped, failed: failed + conflict };
      }),
    };
  }

  #count({ outcome, rows }: Counted, times: 1 | -1): void {
    this.#all.count(outcome, times);
    if (outcome.rule !== undefined) this.#byRule.get(outcome.rule)?.count(outcome, times);
    this.#documents += times;
    this.#rows += times * rows;
  }
}
