import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { nameOf, type Seen } from '../secret-migrations.ts';
import type { Table } from '../rows.ts';

/** What the operator would do with one document, or why it leaves it alone. */
export type Action = 'create' | 'adopt' | 'overwrite' | 'conflict' | 'fail' | 'skip' | 'none';

export interface PlannedDocument {
  readonly action: Action;
  readonly name: string;
  readonly keys: readonly string[];
  readonly destination?: string | undefined;
  /** What becomes of the source after the proof; absent: it stays, or the operator does not say. */
  readonly source?: SourceFate | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

/** `hold`: it would be removed, and a gate holds it. */
export type SourceFate = 'remove' | 'backup' | 'project' | 'hold';

/** Numbers of documents. What only the operator counts is absent where its version does not. */
export interface Totals {
  readonly create: number;
  readonly adopt: number;
  readonly overwrite: number;
  readonly conflicts: number;
  readonly failed: number;
  readonly skipped: number;
  readonly remove?: number | undefined;
  readonly excluded?: number | undefined;
  readonly metadataLost?: number | undefined;
}

/** A plan as it is printed. Names, versions and numbers of documents, as the rows have them; never a value. */
export interface ShownPlan {
  readonly migration: string;
  /** What an approval names; absent for a plan that cannot be approved. */
  readonly digest?: string | undefined;
  readonly totals: Totals;
  readonly documents: readonly PlannedDocument[];
  /** False if rows are missing. */
  readonly isComplete: boolean;
}

/** As diff and `terraform plan`: nothing, an error, changes. */
export const EXIT = { nothing: 0, failure: 1, changes: 2 } as const;

export interface PlanSource {
  /** Of the SecretMigration that the plan is about: a temporary one has another. */
  readonly name: string;
  readonly namespace: string;
  readonly seen: Seen;
  readonly table: Table;
  /** Documents whose source an earlier run removed: a new plan does not find them at the source. */
  readonly settled?: ReadonlySet<string>;
}

/** The plan that the status and the rows of a migration show. */
export function shownPlan({ name, namespace, seen, settled = new Set(), table }: PlanSource): ShownPlan {
  const documents = documentsOf(table.rows).filter(
    ({ name: document, reason }) => !(reason === 'SourceMissing' && settled.has(document)),
  );
  return {
    migration: nameOf({ namespace, name }),
    digest: seen.migration.status.plan?.digest,
    totals: totalsOf(documents, seen),
    documents,
    isComplete: table.isComplete,
  };
}

/** The exit code of a plan: a document that cannot be planned is an error, and a conflict is not nothing. */
export function exitCodeOf({ isComplete, totals }: ShownPlan): number {
  if (totals.failed > 0 || !isComplete) return EXIT.failure;
  const { conflicts, create, overwrite, remove = 0 } = totals;
  return create + overwrite + remove + conflicts > 0 ? EXIT.changes : EXIT.nothing;
}

function documentsOf(rows: readonly KeyRow[]): readonly PlannedDocument[] {
  return [...Map.groupBy(rows, ({ name }) => name)].flatMap(([name, group]) => {
    const [first] = group;
    if (first === undefined) return [];
    const { destination, message } = first;
    const planned = {
      action: actionOf(first),
      name,
      keys: group.map(({ key }) => key).filter((key) => key !== ''),
      destination: destination?.path,
      source: fateOf(first),
      reason: isPlannedReason(first.reason) ? undefined : first.reason,
      message,
    };
    return [planned];
  });
}

const FATES = { Delete: 'remove', Backup: 'backup', Project: 'project' } as const;

/** What the plan in a row says of its source (ADR 0064). */
function fateOf({ expected: { held, removal } = {} }: KeyRow): SourceFate | undefined {
  if (removal === undefined) return undefined;
  return held === undefined ? FATES[removal] : 'hold';
}

const BY_REASON: Readonly<Record<string, Action>> = {
  WouldCreate: 'create',
  WouldAdopt: 'adopt',
  WouldOverwrite: 'overwrite',
  WillOverwrite: 'overwrite',
};

/** A reason that only repeats the action. */
function isPlannedReason(reason: string | undefined): boolean {
  return reason !== undefined && Object.hasOwn(BY_REASON, reason);
}

const BY_STATE: Readonly<Record<KeyRow['state'], Action>> = {
  Pending: 'none',
  Copied: 'none',
  Verified: 'none',
  Removed: 'none',
  Conflict: 'conflict',
  Failed: 'fail',
  Skipped: 'skip',
};

const PLANNED: Readonly<Record<string, Action>> = {
  Create: 'create',
  Adopt: 'adopt',
  Overwrite: 'overwrite',
};

function actionOf(row: KeyRow): Action {
  // What is done of an approved plan stays in it.
  if (row.state !== 'Pending') return BY_STATE[row.state];
  const named = row.planned === undefined ? undefined : PLANNED[row.planned];
  return named ?? (row.reason === undefined ? undefined : BY_REASON[row.reason]) ?? BY_STATE[row.state];
}

function totalsOf(documents: readonly PlannedDocument[], { migration: { status } }: Seen): Totals {
  const numberOf = (action: Action): number => documents.filter((each) => each.action === action).length;
  return {
    create: numberOf('create'),
    adopt: numberOf('adopt'),
    overwrite: numberOf('overwrite'),
    conflicts: numberOf('conflict'),
    failed: numberOf('fail'),
    skipped: numberOf('skip'),
    remove: status.plan?.remove,
    excluded: status.plan?.excluded ?? excludedIn(status.inventory),
    metadataLost: status.plan?.metadataLost,
  };
}

function excludedIn(inventory: Seen['migration']['status']['inventory']): number | undefined {
  if (inventory === undefined) return undefined;
  const { leftOut = [] } = inventory;
  return leftOut
    .filter(({ reason }) => reason === 'Excluded' || reason === 'ExcludedType')
    .reduce((sum, { documents }) => sum + documents, 0);
}
