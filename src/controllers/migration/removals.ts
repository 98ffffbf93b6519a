import { API_VERSION } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { EventSink, Logger, ObjectReference } from '#src/ports.ts';
import { objectKey } from '#src/runtime/store.ts';

/** How far a migration came with its removals, in documents. */
export interface Removals {
  readonly removed: number;
  /** Documents whose sources are still there. */
  readonly left: number;
}

type Metadata = Pick<SecretMigration['metadata'], 'name' | 'namespace' | 'uid'>;

/** Where removals are told: removed sources are gone, so a status that may go with its object is not enough. */
export interface RemovalReport {
  readonly events: EventSink;
  readonly logger: Logger;
}

/** Counts the rows of documents, whatever run removed them. */
export function removalsIn(outcomes: Iterable<Outcome>): Removals {
  let [removed, left] = [0, 0];
  for (const { state } of outcomes) {
    if (state === 'Removed') removed += 1;
    else left += 1;
  }
  return { removed, left };
}

/**
 * The migrations of this process that have removed some of their sources and not all. When one is deleted, its status is
 * gone: only this is left to tell.
 */
export class HalfRemoved {
  readonly #migrations = new Map<string, { readonly metadata: Metadata; readonly removals: Removals }>();

  /** Replaces what was noted before; forgets a migration that removed nothing or everything. */
  note(metadata: Metadata, removals: Removals): void {
    const key = objectKey(metadata);
    if (removals.removed === 0 || removals.left === 0) this.#migrations.delete(key);
    else this.#migrations.set(key, { metadata, removals });
  }

  forget(metadata: Parameters<typeof objectKey>[0]): void {
    this.#migrations.delete(objectKey(metadata));
  }

  /** Tells how far the migration of this key came if it is gone: `uid` is that of the migration that exists, if any. */
  tellIfGone(key: string, uid: string | undefined, report: RemovalReport): void {
    const noted = this.#migrations.get(key);
    if (noted === undefined || noted.metadata.uid === uid) return;
    this.#migrations.delete(key);
    tellDeleted(noted.metadata, noted.removals, report);
  }
}

/** Tells that a migration was deleted before it had removed all of its sources. */
export function tellDeleted(
  metadata: Metadata,
  { removed, left }: Removals,
  { events, logger }: RemovalReport,
): void {
  logger.warn('migration deleted while it removed sources', { removed, left });
  events.record({
    regarding: referenceTo(metadata),
    type: 'Warning',
    reason: 'DeletedWhileRemoving',
    action: 'Remove',
    note: `The migration was deleted while it removed sources: removed ${removed}, left ${left}. The values of removed sources are at the destination; create the migration again to go on.`,
  });
}

/** Tells how many sources one run removed; nothing for none. */
export function tellRemoved(metadata: Metadata, removed: number, { events, logger }: RemovalReport): void {
  if (removed === 0) return;
  logger.info('sources removed', { removed });
  events.record({
    regarding: referenceTo(metadata),
    type: 'Normal',
    reason: 'SourcesRemoved',
    action: 'Remove',
    note: `This run removed ${removed} ${removed === 1 ? 'source' : 'sources'}.`,
  });
}

/** The object that an event is about. */
export function referenceTo({ name, namespace, uid }: Metadata): ObjectReference {
  return { apiVersion: API_VERSION, kind: 'SecretMigration', name, namespace, uid };
}
