import { isRowReason, ROW_REASONS } from '#src/api/v1alpha1/conditions.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';

type Side = 'source' | 'destination';

/** Reasons that say which side the last written value came from. */
const TOLD: ReadonlySet<string> = new Set([
  'DestinationWon',
  'FollowedDestination',
  'FollowedSource',
  'PrunedDestination',
  'PrunedSource',
  'RestoredDestination',
  'RestoredSource',
  'SourceWon',
]);

/** Which side led the last change, as far as the row tells; a whole sentence. */
export function ledBy(migration: SecretMigration, row: KeyRow): string | undefined {
  if (!isKeptInStep(migration)) return undefined;
  const { base, reason } = row;
  if (isRowReason(reason) && TOLD.has(reason)) return ROW_REASONS[reason];
  if (base === undefined)
    return row.state === 'Verified' ? 'Both sides were equal when they were last compared.' : undefined;
  const changed = (['source', 'destination'] as const).filter((side) => hasChanged(row, side));
  if (changed.length === 0) return 'Neither side has another version than when both were last equal.';
  if (changed.length === 2) return 'Both sides changed since they were last equal.';
  return `Only the ${changed.join()} changed since both were last equal.`;
}

function hasChanged(row: KeyRow, side: Side): boolean {
  const [before, now] = [row.base?.[side], row[side]];
  return before?.version !== now?.version || before?.identity !== now?.identity;
}

/** The versions in which both sides were last equal. */
export function lastEqual({ base }: KeyRow): string | undefined {
  if (base === undefined) return undefined;
  const sides = (['source', 'destination'] as const).flatMap((side) => {
    const version = base[side]?.version;
    return version === undefined ? [] : [`${side} version ${version}`];
  });
  return sides.length === 0 ? undefined : sides.join(', ');
}
