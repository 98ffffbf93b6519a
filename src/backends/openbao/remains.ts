import type { Address, Version } from '#src/core/document.ts';
import { errorOf, type OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import { conflict, requireExpected } from './expectation.ts';
import type { KvMetadataTree, MetadataWrite, PathMetadata } from './kv-metadata.ts';
import { lifetimeOf } from './lifetime.ts';
import { LIFETIME_MARKER, markersOf, marksOf, marksWithout, PENDING_MARKER } from './markers.ts';
import { metadataPatch } from './metadata.ts';
import { pendingIn } from './pending.ts';
import type { Pending } from './pending.ts';

/** Reads of a path that another client changes all the time. */
export const MAX_LOOKS = 4;

/** A write that is not complete. */
export interface Remains {
  readonly pending: Pending;
  /** The lifetime that the path had before, in seconds; undefined if it has the right one. */
  readonly restored: number | undefined;
}

/** What a write that is not complete has prepared on this path. */
export function remainsOn(found: PathMetadata, address: Address): Remains | undefined {
  const pending = pendingIn(found.customMetadata, found.currentVersion, address);
  if (pending === undefined) return undefined;
  // Prepared before keyferry-pending existed.
  if (pending.writer === '') return { pending, restored: 0 };
  // Else another client has set a lifetime of its own meanwhile.
  const isUnchanged = pending.lifetime?.set === found.lifetime;
  return { pending, restored: isUnchanged ? pending.lifetime?.before : undefined };
}

/** Another client has replaced the custom metadata, but not the lifetime: its writer still knows. */
export function lifetimeLeftBy(
  pending: Pending | undefined,
  { lifetime }: PathMetadata,
): Remains | undefined {
  if (pending?.lifetime === undefined || pending.lifetime.set !== lifetime) return undefined;
  return { pending, restored: pending.lifetime.before };
}

export interface UndoOptions {
  /** Only what this attempt has prepared. */
  readonly by?: Pending;
  /** Only while this is the current version. */
  readonly expect?: Version;
  /** A version that keeps its lifetime. */
  readonly except?: number;
}

/**
 * Undoes what an interrupted write has prepared. Versions of other clients that took over the lifetime get that of the path.
 * Throws `VERSION_CONFLICT` if the path changes all the time or has another version than expected, and `AUTH_DENIED` if
 * something must stay.
 */
export async function undoRemains(
  metadata: KvMetadataTree,
  { address, by, expect, except }: UndoOptions & { readonly address: Address },
  permit: Permit,
): Promise<void> {
  for (let look = 1; look <= MAX_LOOKS; look += 1) {
    const found = await metadata.read(address, permit.signal);
    if (expect !== undefined) requireExpected(found, expect, address);
    if (found.state === 'absent') return;
    const remains = remainsOn(found, address) ?? lifetimeLeftBy(by, found);
    if (remains === undefined || (by !== undefined && remains.pending.writer !== by.writer)) return;
    const undo = new Undo({ metadata, address, found, remains, permit });
    if ((await undo.run(except)) === 'written') return;
  }
  throw conflict({ identity: '', revision: '' }, address);
}

interface UndoTask {
  readonly metadata: KvMetadataTree;
  readonly address: Address;
  readonly found: PathMetadata;
  readonly remains: Remains;
  readonly permit: Permit;
}

/** One try. keyferry-pending goes last, so that the next run meets what a crash leaves. */
class Undo {
  readonly #task: UndoTask;
  #counter: number | undefined;

  constructor(task: UndoTask) {
    this.#task = task;
    this.#counter = task.found.counter;
  }

  async run(except: number | undefined): Promise<MetadataWrite> {
    if ((await this.#restoreLifetime()) === 'changed') return 'changed';
    const denied = await this.#prolong(except);
    const written = await this.#removeMarkers(denied === undefined);
    if (denied !== undefined && written === 'written') throw denied;
    return written;
  }

  async #restoreLifetime(): Promise<MetadataWrite> {
    const { metadata, address, found, permit } = this.#task;
    const { restored: seconds } = this.#task.remains;
    if (seconds === undefined || seconds === found.lifetime) return 'written';
    const counter = this.#counter;
    if (counter !== undefined) this.#counter = counter + 1;
    return metadata.setLifetime(address, { seconds, counter }, permit);
  }

  /** Gives versions that took over the lifetime of the interrupted write that of the path; the error if it may not. */
  async #prolong(except: number | undefined): Promise<OperatorError | undefined> {
    const { metadata, address, found, permit } = this.#task;
    const { version: from, lifetime } = this.#task.remains.pending;
    if (lifetime === undefined) return undefined;
    const shortened = found.versions
      .filter(({ number, isDestroyed }) => number >= from && number !== except && !isDestroyed)
      .filter(({ createdTime, deletionTime }) => lifetimeOf(createdTime, deletionTime) === lifetime.set)
      .map(({ number }) => number);
    if (shortened.length === 0) return undefined;
    try {
      await metadata.undelete(address, shortened, permit);
      return undefined;
    } catch (failure) {
      const error = errorOf(failure);
      if (error.code === 'AUTH_DENIED') return error;
      throw failure;
    }
  }

  /** The marks go in any case; keyferry-pending stays as long as a version has the lifetime. */
  async #removeMarkers(isDone: boolean): Promise<MetadataWrite> {
    const { metadata, address, found, permit } = this.#task;
    const { version } = this.#task.remains.pending;
    const custom = metadataPatch(found.customMetadata, {
      ...markersOf(marksWithout(marksOf(found.customMetadata, address), version)),
      ...(isDone ? { [PENDING_MARKER]: null, [LIFETIME_MARKER]: null } : {}),
    });
    if (Object.keys(custom).length === 0) return 'written';
    return metadata.patch(address, { custom, counter: this.#counter }, permit);
  }
}
