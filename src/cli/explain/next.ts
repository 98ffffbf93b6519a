import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { codesWith } from '#src/api/v1alpha1/steps.ts';
import { readyOf } from '#src/controllers/conditions.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';
import { durationText } from '../age.ts';
import { isCurrent } from '../ready.ts';

/*
 * What the operator does next with a key, from what the object says: src/controllers/migration/task.ts decides when it looks
 * again, src/engine/gates.ts what holds a removal.
 */

/** One or two sentences. */
export function nextOf(migration: SecretMigration, row: KeyRow, nowMs: number): string {
  return whileHeld(migration) ?? nextOfState(migration, row, nowMs);
}

/** What holds the whole migration. */
function whileHeld(migration: SecretMigration): string | undefined {
  const { metadata, spec } = migration;
  if (metadata.deletionTimestamp !== undefined) return 'Nothing: the migration is being deleted.';
  if (spec.suspend) return 'Nothing while spec.suspend is true.';
  if (readyOf(migration.status)?.reason === 'AwaitingApproval') return 'Nothing until its plan is approved.';
  if (!isCurrent(migration))
    return 'It is decided again: the operator has not looked at the current spec yet.';
  if (spec.dryRun) return 'Nothing: a dry run only reads. Each run decides again.';
  return undefined;
}

function nextOfState(migration: SecretMigration, row: KeyRow, nowMs: number): string {
  const sentences: Readonly<Record<KeyRow['state'], () => string>> = {
    Pending: () =>
      `It is copied in this run or the next one: written, read back and compared. ${retryOf(migration, row)}`,
    Copied: () => `It is read back and compared before anything else happens. ${retryOf(migration, row)}`,
    Failed: () => retryOf(migration, row),
    Conflict: () => retryOf(migration, row),
    Verified: () => nextOfProven(migration, row, nowMs),
    Removed: () => `Nothing: the value is at the destination only.${backupOf(migration, row)}`,
    Skipped: () =>
      isKeptInStep(migration)
        ? 'It is decided again when one of the sides changes.'
        : 'Nothing, until the spec changes or you request a run.',
  };
  return sentences[row.state]();
}

/** When it is tried again: RETRY_SOON_MS and --waiting-retry-seconds. */
function retryOf(migration: SecretMigration, { reason = '', state }: KeyRow): string {
  if (reason === 'UnknownState') return 'This version of the operator does nothing with it.';
  if (state === 'Conflict' && isKeptInStep(migration))
    return 'Nothing is written until both sides are equal or you choose the winner. It is decided again when one of the sides changes.';
  const passes = codesWith(reason).some(([, { disposition }]) => PASSING.has(disposition));
  if (passes || state === 'Pending' || state === 'Copied')
    return 'The operator tries it again within seconds.';
  return 'The operator looks at both sides again every 30 seconds, unless its flag --waiting-retry-seconds says otherwise, and when the spec changes.';
}

const PASSING: ReadonlySet<string> = new Set(['conflict', 'transient']);

/** Reasons of proven rows that hold nothing: they say what was done. */
const ONLY_TOLD: ReadonlySet<string> = new Set([
  'BackupExpired',
  'DestinationWon',
  'FollowedDestination',
  'FollowedSource',
  'MetadataLost',
  'PriorVersionLost',
  'Projected',
  'RestoredDestination',
  'RestoredSource',
  'SourceWon',
]);

function nextOfProven(migration: SecretMigration, row: KeyRow, nowMs: number): string {
  const { spec } = migration;
  if (isKeptInStep(migration)) return `${FOLLOWED[authorityOf(spec)]}.`;
  if (row.reason === 'AwaitingSoak')
    return `The source is removed ${dueOf(spec.soakSeconds, row, nowMs)}, if the copy is still proven then.`;
  if (row.reason !== undefined && !ONLY_TOLD.has(row.reason))
    return `A gate holds the removal of the source: ${row.reason}. The operator asks it again every 30 seconds, unless its flag --waiting-retry-seconds says otherwise.`;
  if (row.reason === 'Projected') return 'Nothing: the source stays as the projection of the destination.';
  if (spec.sourcePolicy === 'Keep') return 'Nothing: the copy is proven, and the source is kept.';
  return `The copy is proven again; then the source is removed as sourcePolicy ${spec.sourcePolicy} says.`;
}

const FOLLOWED = {
  Source: 'A change of the source is carried to the destination',
  Destination: 'A change of the destination is carried to the source',
  Either: 'A change of one side is carried to the other',
} as const;

/** As src/engine/plan/sync-intent.ts. */
function authorityOf({ sourcePolicy, sync }: SecretMigration['spec']): keyof typeof FOLLOWED {
  return sync?.authority ?? (sourcePolicy === 'Project' ? 'Destination' : 'Source');
}

function dueOf(soakSeconds: number, { lastTransitionTime }: KeyRow, nowMs: number): string {
  const dueMs = Date.parse(lastTransitionTime) + soakSeconds * 1000;
  if (dueMs <= nowMs) return 'in the next run';
  return `in ${durationText(dueMs - nowMs)} (${toKubernetesTime(dueMs)})`;
}

function backupOf({ spec }: SecretMigration, { backup, lastTransitionTime }: KeyRow): string {
  if (backup === undefined) return '';
  const { backupTTLSeconds } = spec;
  if (backupTTLSeconds === undefined) return ' Its backup stays.';
  const until = toKubernetesTime(Date.parse(lastTransitionTime) + backupTTLSeconds * 1000);
  return ` Its backup stays until ${until}.`;
}
