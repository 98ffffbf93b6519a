import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import type { EvidenceOutcome } from './evidence.ts';

/** What of a migration decides what its rows mean. */
export interface Meaning {
  /** Whether a source that stays is held. */
  readonly sourcePolicy: SecretMigration['spec']['sourcePolicy'];
  /** When the migration was created, in milliseconds since the epoch; undefined if the API server does not say it. */
  readonly createdMs: number | undefined;
}

/** What the state of a document means for the balance (ADR 0069). */
export function outcomeOf(row: KeyRow, meaning: Meaning): EvidenceOutcome {
  const { state, reason } = row;
  if (reason === TAKEN_BACK_NEXT) return 'pending';
  if (state === 'Removed' || (state === 'Verified' && !removesSources(meaning)))
    return originOf(row, meaning);
  return state === 'Verified' ? keptOf(row) : BY_STATE[state];
}

/** With spec.undo, both sides have the value for a moment: the copy is taken back next. */
const TAKEN_BACK_NEXT = 'Undoing';

const BY_STATE = {
  Pending: 'pending',
  Copied: 'pending',
  Conflict: 'failed',
  Failed: 'failed',
  Skipped: 'skipped',
} as const satisfies Readonly<Partial<Record<KeyRow['state'], EvidenceOutcome>>>;

function removesSources({ sourcePolicy }: Meaning): boolean {
  return sourcePolicy === 'Delete' || sourcePolicy === 'Backup';
}

/** The source is to be removed and is still there. A reason of the copy holds nothing: its removal is to come. */
function keptOf({ reason }: KeyRow): EvidenceOutcome {
  return reason === undefined || reason === 'MetadataLost' ? 'pending' : 'held';
}

/** The clocks of the API server and of a KV server can differ by so much. */
const CLOCK_MARGIN_MS = 5 * 60_000;
const A_TIME = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/;

/**
 * An overwrite records what was there before, and newer rows tell a created document from one that was found. In older rows,
 * only a version of KV that is older than the migration was certainly found: its identity is the time when it was made.
 */
function originOf({ destination }: KeyRow, { createdMs }: Meaning): EvidenceOutcome {
  const { priorVersion, created, identity = '' } = destination ?? {};
  if (created !== undefined) return created ? 'migrated' : 'adopted';
  if (priorVersion !== undefined) return 'migrated';
  const wasThere = createdMs !== undefined && madeMs(identity) < createdMs - CLOCK_MARGIN_MS;
  return wasThere ? 'adopted' : 'migratedOrAdopted';
}

/** When a version of KV was made, in milliseconds since the epoch; not a number for other identities. */
function madeMs(identity: string): number {
  return A_TIME.test(identity) ? Date.parse(identity) : Number.NaN;
}

/** The least settled comes first. */
const BY_CONCERN: readonly EvidenceOutcome[] = [
  'failed',
  'pending',
  'held',
  'migratedOrAdopted',
  'migrated',
  'adopted',
  'skipped',
];

/** The outcome of a document is that of its least settled key. All of them share a state, unless the table was changed. */
export function outcomeOfDocument(rows: readonly { readonly outcome: EvidenceOutcome }[]): EvidenceOutcome {
  return BY_CONCERN.find((outcome) => rows.some((row) => row.outcome === outcome)) ?? 'pending';
}
