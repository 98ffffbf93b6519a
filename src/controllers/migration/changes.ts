import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Reader } from '#src/backends/driver.ts';
import { namesChangedBy, storedNameOf } from '#src/backends/layers/shaped.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { endOfUse } from '#src/journal/fallback-use.ts';
import { OperatorError } from '#src/errors.ts';
import type { ConditionReason } from '#src/errors/reasons.ts';
import type { MigrationJournal } from '#src/journal/journal.ts';
import { objectKey } from '#src/runtime/store.ts';
import type { BackendPair } from '../backend/lookup.ts';
import { isReady, readyOf } from '../conditions.ts';
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
  readonly changes: Changes | undefined;
  /** Of every document. */
  readonly outcomes: readonly Outcome[];
}

/** True for a follow without anything to do: nothing changed, all rows are durable, and the status shows that all is well. */
export function isQuiet({ followed, migration, parts, task, unsaved }: Attempt): boolean {
  if (task.kind !== 'follow' || followed === undefined || unsaved.size > 0) return false;
  if (followed.take().size > 0 || followed.problem !== undefined) return false;
  if ((quietMs({ migration, parts }) ?? 1) <= 0) return false;
  return isReady(migration) && parts.backends.areReady(migration);
}

/** Until the status must say that old names are not followed any more, milliseconds; undefined: never. */
export function quietMs({ migration, parts }: Pick<Attempt, 'migration' | 'parts'>): number | undefined {
  const end = endOfUse(migration);
  return end === undefined ? undefined : end - parts.clock.now();
}

/** Reasons of a verdict on the rows of a whole pass. */
const ON_ROWS: ReadonlySet<string> = new Set<ConditionReason>([
  'AwaitingSoak',
  'ConflictsFound',
  'IntegrityViolated',
  'PartiallyFailed',
  'Synced',
]);

/** True if Ready tells of a pass over this generation that ended: its rows are those of this spec. */
export function hasJudgedRows({ metadata, status }: SecretMigration): boolean {
  const ready = readyOf(status);
  return ready?.observedGeneration === metadata.generation && ON_ROWS.has(ready.reason);
}

/** What a follow is about. */
export interface Changes {
  /** The documents that the engine processes. */
  readonly only: ReadonlySet<string>;
  /** The names that were taken. */
  readonly taken: ReadonlySet<string>;
}

/**
 * The documents of a follow: those that may have changed, else those whose rows are not done. Undefined for a pass. Forgets those
 * whose labels no longer select them. Throws what a read of a Secret that is split throws.
 */
export async function changesIn(
  { followed, migration, stop, task }: Attempt,
  journal: MigrationJournal,
  source: Pick<Reader, 'list'>,
): Promise<Changes | undefined> {
  if (task.kind !== 'follow' || followed === undefined) return undefined;
  const { prior } = journal;
  const taken = followed.take();
  if (taken.size === 0) return { taken, only: openIn(prior.values()) };
  const left = new Set([...taken].filter((name) => followed.hasLeft(name)));
  for (const name of left) journal.forget(name);
  const staying = new Set([...taken].filter((name) => !left.has(name)));
  const seen = { source, known: prior.keys(), signal: stop.signal };
  return { taken, only: await withNewKeys(staying, migration.spec.mapping, seen) };
}

/** With a Secret that is split, its name stands for the keys that it has now and those that it had. */
async function withNewKeys(
  names: ReadonlySet<string>,
  shape: SecretMigration['spec']['mapping'],
  seen: Parameters<typeof namesChangedBy>[2],
): Promise<ReadonlySet<string>> {
  if (shape.split === undefined) return names;
  const known = [...seen.known];
  const all = new Set<string>();
  for (const name of names) {
    const isKey = storedNameOf(shape, name) !== name;
    for (const each of isKey ? [name] : await namesChangedBy(name, shape, { ...seen, known })) all.add(each);
  }
  return all;
}

function openIn(rows: Iterable<Pick<Outcome, 'name' | 'reason' | 'state'>>): ReadonlySet<string> {
  const open = new Set<string>();
  for (const row of rows) if (isOpen(row)) open.add(row.name);
  return open;
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
  { migration, parts, pass }: Pick<Attempt, 'migration' | 'parts' | 'pass'>,
  { backends, changes, intent, outcomes }: Processed,
): boolean {
  if (changes === undefined) {
    if (pass === undefined) throw new OperatorError('INVARIANT', { op: 'migration.remember' });
    return parts.following.begin(migration, { backends, intent, outcomes, pass }).isDirty;
  }
  const followed = followedOf(parts, migration);
  followed?.remember(
    outcomes.filter(({ name }) => changes.only.has(name)),
    'some',
  );
  followed?.leaveOut([...changes.taken, ...changes.only]);
  return followed?.isDirty === true;
}
