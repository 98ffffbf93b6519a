import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { MigrationJournal } from '#src/journal/journal.ts';
import { objectKey } from '#src/runtime/store.ts';
import type { BackendPair } from '../backend/lookup.ts';
import { isReady } from '../conditions.ts';
import type { Followed } from '../sync/followed.ts';
import type { PassEnd } from '../sync/following.ts';
import type { Attempt, MigrationParts } from './attempt.ts';

/*
 * Mode Sync: which documents an attempt processes, and what this process remembers of them afterwards.
 */

/** What an attempt processed. */
export interface Processed {
  readonly backends: BackendPair;
  readonly intent: PassEnd['intent'];
  /** Undefined: the whole selection. */
  readonly only: ReadonlySet<string> | undefined;
  /** Of every document. */
  readonly outcomes: readonly Outcome[];
}

/** True for a follow without anything to do: nothing changed, and the status shows that all is well. */
export function isQuiet({ followed, migration, parts, task }: Attempt): boolean {
  if (task.kind !== 'follow' || followed === undefined) return false;
  if (followed.take().size > 0 || followed.problem !== undefined) return false;
  return isReady(migration) && parts.backends.areReady(migration);
}

/** The documents of a follow: those that may have changed, else those whose rows are not done. Undefined: all. */
export function documentsOf(
  { followed, task }: Pick<Attempt, 'followed' | 'task'>,
  { prior }: Pick<MigrationJournal, 'prior'>,
): ReadonlySet<string> | undefined {
  if (task.kind !== 'follow' || followed === undefined) return undefined;
  const changed = followed.take();
  if (changed.size > 0) return changed;
  return new Set([...prior.values()].filter(isOpen).map(({ name }) => name));
}

function isOpen({ reason, state }: Pick<Outcome, 'reason' | 'state'>): boolean {
  return OPEN.has(state) || reason === 'AwaitingSoak';
}

const OPEN: ReadonlySet<Outcome['state']> = new Set(['Pending', 'Copied', 'Conflict', 'Failed']);

/** What this process knows of the changes of this very generation; undefined before its first pass. */
export function followedOf(
  { following }: Pick<MigrationParts, 'following'>,
  { metadata }: SecretMigration,
): Followed | undefined {
  const followed = following.get(objectKey(metadata));
  const isSame =
    followed?.metadata.uid === metadata.uid && followed.metadata.generation === metadata.generation;
  return isSame ? followed.followed : undefined;
}

/** After a pass or a follow whose rows are durable. True if something changed meanwhile. */
export function remember(
  { migration, parts }: Pick<Attempt, 'migration' | 'parts'>,
  { backends, intent, only, outcomes }: Processed,
): boolean {
  if (only === undefined) return parts.following.begin(migration, { backends, intent, outcomes }).isDirty;
  const followed = followedOf(parts, migration);
  followed?.remember(
    outcomes.filter(({ name }) => only.has(name)),
    'some',
  );
  followed?.leaveOut(only);
  return followed?.isDirty === true;
}
