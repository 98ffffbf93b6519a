import { MAX_REPORTS, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { isLeftOutReason } from '#src/api/v1alpha1/conditions.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import type { InventoryCounts } from '#src/core/inventory.ts';
import { COUNTED, countOutcomes, doneKeys, type Counts } from '#src/core/outcome.ts';
import type { LeftOutReason } from '#src/errors/reasons.ts';
import { firstExceptions } from '#src/journal/excerpts.ts';
import type { TableStatus } from '#src/journal/journal.ts';
import { addLoss, type Loss } from '#src/journal/loss.ts';
import { MAX_COUNT } from '#src/schema/meta.ts';
import type { RangeRead } from './read.ts';

/** The tables of all ranges as one: counts, and the first rows that are not done. No other rows. */
export class RangeSums {
  readonly loss: Loss | undefined;
  readonly #ranges: readonly RangeRead[];

  constructor(ranges: readonly RangeRead[], losses: readonly (Loss | undefined)[] = []) {
    this.#ranges = ranges;
    let all: Loss | undefined;
    for (const loss of [...ranges.map(({ status }) => status.reports?.lost), ...losses])
      all = addLoss(all, loss);
    this.loss = all;
  }

  counts(): Counts {
    const sum = { ...countOutcomes([]) };
    for (const { status } of this.#ranges)
      for (const state of COUNTED) sum[state] += status.summary?.[state] ?? 0;
    return sum;
  }

  table(): TableStatus {
    const counts = this.counts();
    const sumOf = (numberOf: (status: RangeRead['status']) => number | undefined): number =>
      this.#ranges.reduce((sum, { status }) => sum + (numberOf(status) ?? 0), 0);
    const destinationStore = this.#ranges.find(({ status }) => status.destinationStore !== undefined)?.status
      .destinationStore;
    const labelSelector = this.#ranges[0]?.status.reports?.labelSelector ?? '';
    return {
      progress: `${doneKeys(counts)}/${counts.total}`,
      summary: counts,
      documents: sumOf(({ documents }) => documents),
      ...(destinationStore === undefined ? {} : { destinationStore }),
      exceptions: firstExceptions(
        this.#ranges.flatMap(({ status }) => status.exceptions ?? []).toSorted(byName),
      ),
      keysTruncated: true,
      reports: {
        count: Math.min(
          MAX_REPORTS,
          sumOf(({ reports }) => reports?.count),
        ),
        rows: Math.min(
          MAX_COUNT,
          sumOf(({ reports }) => reports?.rows),
        ),
        labelSelector,
        ...(this.loss === undefined ? {} : { lost: this.loss }),
      },
    };
  }

  /** Of all ranges together; undefined while a range has none. */
  inventory(): InventoryCounts | undefined {
    let discovered = 0;
    let selected = 0;
    const leftOut = new Map<LeftOutReason, number>();
    for (const { status } of this.#ranges) {
      if (status.inventory === undefined) return undefined;
      discovered += status.inventory.discovered;
      selected += status.inventory.selected;
      for (const { reason, documents } of status.inventory.leftOut ?? [])
        if (isLeftOutReason(reason)) leftOut.set(reason, (leftOut.get(reason) ?? 0) + documents);
    }
    return { discovered, selected, leftOut };
  }

  /** What the first range that knows them says; all of them use the same. */
  get backends(): SecretMigration['status']['backends'] {
    return this.#ranges.find(({ status }) => status.backends !== undefined)?.status.backends;
  }
}

function byName(left: StatusRow, right: StatusRow): number {
  return left.name < right.name ? -1 : 1;
}
