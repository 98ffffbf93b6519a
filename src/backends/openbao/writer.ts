import type { Address, Document, Expectation, Version } from '#src/core/document.ts';
import { pairsOf, sameVersion } from '#src/core/document.ts';
import { errorOf, hasCode, OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { Refusal } from '../refusal.ts';
import type { WriteHint } from '../hints.ts';
import { encodeFields, planStorage } from './codec.ts';
import type { StoragePlan } from './codec.ts';
import { conflict } from './expectation.ts';
import type { KvMount, KvWrite, VersionInfo } from './kv.ts';
import type { PathMetadata } from './kv-metadata.ts';
import { hasLabels, hasMarkers, LIFETIME_MARKER } from './markers.ts';
import { pendingIn } from './pending.ts';
import type { Preparations, Prepared, WriteTask } from './preparation.ts';
import { undoRemains } from './remains.ts';

/*
 * How a document is written to a KV store, one request after the other. A crash can follow any of them, and another
 * client can write between any two.
 *
 *   plain text, new       data                                                                           1 request
 *   plain text, replaced  read the metadata → data                                                       2
 *   anything else         read the metadata → keyferry-pending, the marks of the coming version and, for a document that
 *                         expires, the remaining lifetime → data → metadata, the lifetime that the path must have from now
 *                         on, keyferry-pending removed                                                   4 or 5
 *   the same, unlisted    without the first request: metadata_cas 0 creates the path or is refused       3
 *
 * So data never exists without its marks or its expiry, and a path whose write did not happen says so: the loser of a
 * race undoes its preparation at once, and the next run that meets another one (`undo`). A server without metadata_cas (Vault)
 * reads such a path first and needs one request more to create it: 5. So does OpenBao for a document that expires: 4.
 */

export interface WriterOptions {
  readonly kv: KvMount;
  readonly preparations: Preparations;
  readonly refusalOf: (document: Document, plan: StoragePlan) => Refusal | undefined;
}

export function versionOf(info: Pick<VersionInfo, 'version' | 'createdTime'>): Version {
  return { identity: info.createdTime, revision: String(info.version) };
}

/** Tries of a write that the server rejects although the path is as expected; then it refuses the document itself. */
const MAX_TRIES = 2;

export class DocumentWriter {
  readonly #options: WriterOptions;
  readonly #kv: KvMount;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#kv = options.kv;
  }

  /** A rejected write means that the path is read again: only one in the expected state twice is refused. */
  async write(
    document: Document,
    { expect, hint }: { readonly expect: Expectation; readonly hint?: WriteHint | undefined },
    permit: Permit,
  ): Promise<Version> {
    const requireStorable = (plan: StoragePlan): void => this.#requireStorable(document, plan);
    const task: WriteTask = { document, expect, hint, permit, requireStorable };
    const plan = planStorage(document);
    requireStorable(plan);
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      const version =
        expect === 'absent' && isPlain(document, plan)
          ? await this.#createPlain(task, plan)
          : await this.#writePrepared(task);
      if (version !== undefined) return version;
      const current = await this.#kv.read(document.address, permit.signal);
      const isExpected =
        current.state === 'absent' ? expect === 'absent' : isSame(versionOf(current), expect);
      if (!isExpected) throw conflict(expect, document.address);
    }
    throw rejected(document.address);
  }

  /** Undefined if the server rejected the write. */
  async #createPlain(task: WriteTask, plan: StoragePlan): Promise<Version | undefined> {
    const { document, permit } = task;
    const { address } = document;
    const written = await this.#kv.write(address, encodeFields(document, plan), 0, permit);
    if (written.outcome === 'rejected') return undefined;
    if (!hasMarkers(written.customMetadata)) return versionOf(written);
    const stays = await this.#writeToStay(task, written, plan);
    await this.#options.preparations.complete({ document, version: versionOf(stays) }, permit);
    return versionOf(stays);
  }

  /**
   * Undoes what an interrupted write left on a path that was absent. A version that got the lifetime of that write is
   * replaced by a second one, which stays.
   */
  async #writeToStay(
    { document, expect, permit }: WriteTask,
    written: VersionInfo,
    plan: StoragePlan,
  ): Promise<VersionInfo> {
    const { address } = document;
    const { customMetadata, deletionTime, version } = written;
    await undoRemains(this.#kv.metadata, { address, except: version }, permit);
    const hadLifetime =
      customMetadata.has(LIFETIME_MARKER) ||
      pendingIn(customMetadata, version, address)?.lifetime !== undefined;
    if (!hadLifetime || deletionTime === undefined) return written;
    const again = await this.#kv.write(address, encodeFields(document, plan), version, permit);
    if (again.outcome === 'rejected') throw conflict(expect, address);
    return again;
  }

  /** Undefined if the server rejected the write; its preparation is undone then. */
  async #writePrepared(task: WriteTask): Promise<Version | undefined> {
    const { document, permit } = task;
    const prepared = await this.#options.preparations.begin(task);
    const written = await this.#writeData(task, prepared);
    if (written.outcome === 'rejected') {
      await this.#undo(task, prepared);
      return undefined;
    }
    if (document.attributes.expiresAt !== undefined) await this.#requireExpiry(task, prepared, written);
    const version = versionOf(written);
    const needsMore = prepared.pending !== undefined || written.customMetadata.has(LIFETIME_MARKER);
    if (needsMore) {
      const known = pathOf(prepared, written);
      await this.#options.preparations.complete(
        { document, version, known, pending: prepared.pending },
        permit,
      );
    }
    return version;
  }

  async #writeData(task: WriteTask, prepared: Prepared): Promise<KvWrite> {
    const { document, permit } = task;
    const { plan } = prepared;
    try {
      const cas = plan.version - 1;
      return await this.#kv.write(document.address, encodeFields(document, plan), cas, permit);
    } catch (failure) {
      if (!permit.signal.aborted && !errorOf(failure).indeterminate) await this.#undo(task, prepared);
      throw failure;
    }
  }

  /** What cannot be undone now is met by the next read, which says so. */
  async #undo({ document, permit }: WriteTask, { pending }: Prepared): Promise<void> {
    if (pending === undefined) return;
    try {
      await undoRemains(this.#kv.metadata, { address: document.address, by: pending }, permit);
    } catch (failure) {
      if (permit.signal.aborted || hasCode(failure, 'LEASE_LOST')) throw failure;
    }
  }

  /** Deletes a version that does not expire although its source does: the mount may have stopped expiring versions. */
  async #requireExpiry(task: WriteTask, prepared: Prepared, written: VersionInfo): Promise<void> {
    if (written.deletionTime !== undefined) return;
    const { address } = task.document;
    await this.#kv.softDelete(address, written.version, task.permit);
    await this.#undo(task, prepared);
    throw new OperatorError('DOCUMENT_REFUSED', {
      op: 'openbao.write',
      target: address,
      detail: 'The source expires, and the mount does not let versions expire; the copy was deleted.',
      hint: 'Set delete_version_after of the mount to 0s or more, or exclude the document.',
    });
  }

  /** Does the last step of a write that was cut off before that step. */
  async finish(document: Document, expect: Version, permit: Permit): Promise<void> {
    await this.#options.preparations.complete({ document, version: expect }, permit);
  }

  /** Undoes the first step of a write that was cut off after that step. */
  async undo(address: Address, expect: Version, permit: Permit): Promise<void> {
    await undoRemains(this.#kv.metadata, { address, expect }, permit);
  }

  #requireStorable(document: Document, plan: StoragePlan): void {
    const refusal = this.#options.refusalOf(document, plan);
    if (refusal === undefined) return;
    throw new OperatorError('DOCUMENT_REFUSED', {
      op: 'openbao.write',
      target: document.address,
      detail: refusal.message,
    });
  }
}

/** True for a document that needs nothing but its data. */
function isPlain({ attributes }: Document, { labels }: StoragePlan): boolean {
  const hasPairs = pairsOf({ attributes }).length > 0;
  return !hasLabels(labels) && attributes.expiresAt === undefined && !hasPairs;
}

function isSame(version: Version, expect: Expectation): boolean {
  return expect !== 'absent' && sameVersion(version, expect);
}

/** The path right after the write, without another request: its reply shows the custom metadata at that moment. */
function pathOf(
  { path }: Prepared,
  { customMetadata, version, createdTime, deletionTime }: VersionInfo,
): PathMetadata {
  return {
    state: 'present',
    ...path,
    customMetadata,
    currentVersion: version,
    versions: [{ number: version, createdTime, deletionTime, isDestroyed: false }],
  };
}

/** A 400 with the expected state, twice: the server refuses the document itself. */
function rejected(address: Address): OperatorError {
  return new OperatorError('REQUEST_REJECTED', { op: 'openbao.write', target: address, status: 400 });
}
