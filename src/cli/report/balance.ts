import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { EvidenceOutcome, EvidenceRow, EvidenceTotals } from './evidence.ts';
import { outcomeOfDocument } from './outcome.ts';

/*
 * The numbers of a report, and whether each document that the source listed is in exactly one of them.
 */

type Status = SecretMigration['status'];

/** What the numbers are counted from. */
export interface Counted {
  readonly status: Pick<Status, 'inventory' | 'summary' | 'documents' | 'reports'>;
  readonly isSync: boolean;
  readonly rows: readonly EvidenceRow[];
  /** False if rows of the table could not be read or are not as the operator wrote them. */
  readonly isComplete: boolean;
}

/** Documents by what became of them. */
export function totalsOf({
  status: { inventory },
  isSync,
  rows,
}: Omit<Counted, 'isComplete'>): EvidenceTotals {
  const documents = documentsOf(rows);
  const excluded = excludedIn(inventory);
  const { size } = documents;
  const counts = {
    migrated: 0,
    adopted: 0,
    migratedOrAdopted: 0,
    skipped: 0,
    held: 0,
    failed: 0,
    pending: 0,
  };
  for (const outcome of documents.values()) counts[outcome] += 1;
  const sinceLastPass = isSync && inventory !== undefined ? size - inventory.selected : 0;
  return { discovered: inventory?.discovered ?? size + excluded, ...counts, excluded, sinceLastPass };
}

function excludedIn(inventory: Status['inventory']): number {
  return (inventory?.leftOut ?? []).reduce((sum, { documents }) => sum + documents, 0);
}

/** The outcome of each document. */
function documentsOf(rows: readonly EvidenceRow[]): ReadonlyMap<string, EvidenceOutcome> {
  const groups = Map.groupBy(rows, ({ name }) => name);
  return new Map([...groups].map(([name, keys]) => [name, outcomeOfDocument(keys)]));
}

/** The right-hand side of the equation whose left-hand side is `discovered`. */
export function accountedFor(totals: EvidenceTotals): number {
  const { migrated, adopted, migratedOrAdopted, skipped, excluded, held, failed, pending, sinceLastPass } =
    totals;
  return (
    migrated + adopted + migratedOrAdopted + skipped + excluded + held + failed + pending - sinceLastPass
  );
}

/** Number of keys in each state. */
export function keysByState(rows: readonly Pick<EvidenceRow, 'state'>[]): Record<string, number> {
  const groups = Map.groupBy(rows, ({ state }) => state);
  return Object.fromEntries([...groups].map(([state, keys]) => [state, keys.length]));
}

/** Why the numbers do not account for every document; empty if they do. */
export function imbalancesOf(counted: Counted, totals: EvidenceTotals): string[] {
  const { status, rows, isComplete } = counted;
  const { inventory, documents, reports } = status;
  const problems: string[] = [];
  if (inventory === undefined)
    problems.push(
      'No run has ended yet, so it is not known how many documents the source has. Wait for the end of the run.',
    );
  if (reports?.lost !== undefined)
    problems.push(
      'Reports with rows of this migration were deleted or changed by another writer, as status.reports.lost says.',
    );
  if (!isComplete)
    problems.push(
      'A SecretMigrationReport of this migration is missing, cannot be read, or has other rows than its counts say.',
    );
  const accounted = accountedFor(totals);
  if (totals.discovered !== accounted)
    problems.push(
      `The source had ${totals.discovered} documents, and ${accounted} are accounted for. If a run is in progress, wait for its end.`,
    );
  const named = new Set(rows.map(({ name }) => name)).size;
  if (documents !== undefined && documents !== named)
    problems.push(`The status counts ${documents} documents, and ${named} have rows.`);
  return [...problems, ...unequalCounts(status.summary, rows)];
}

const STATES = ['Pending', 'Copied', 'Verified', 'Removed', 'Conflict', 'Failed', 'Skipped'] as const;

function unequalCounts(summary: Status['summary'], rows: readonly EvidenceRow[]): string[] {
  if (summary === undefined) return [];
  const found: Readonly<Record<string, number>> = keysByState(rows);
  const stored = new Map(Object.entries(summary));
  return STATES.flatMap((state) => {
    const [expected, actual] = [stored.get(state.toLowerCase()) ?? 0, found[state] ?? 0];
    return expected === actual
      ? []
      : [`The status counts ${expected} keys as ${state}, and the table has ${actual}.`];
  });
}
