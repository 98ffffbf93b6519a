import type { Address, Document, Version } from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Clock, Permit } from '#src/ports.ts';
import type { Refusal } from '../driver.ts';
import { encodeFields, planStorage } from './codec.ts';
import type { StoragePlan } from './codec.ts';
import type { KvMount, VersionInfo } from './kv.ts';
import { lifetimeLeft } from './lifetime.ts';
import { Base64Marks, BASE64_MARKER, LIFETIME_MARKER, metadataPatch, pendingLifetime } from './markers.ts';

/*
 * How a document is written to a KV store, one request after the other. A crash can follow any of them.
 *
 *   plain text            data                                                                       1 request
 *   markers or metadata   read the metadata → custom_metadata → data                                 3
 *   and it expires        read the metadata → custom_metadata and the remaining lifetime → data
 *                         → the lifetime that the path must have from now on                         4
 *
 * So data never exists without its markers or its expiry. A lifetime that a crashed attempt left behind is set again
 * before the data is written. The marker keyferry-lifetime says that the last step is still to do.
 */

export interface WriterOptions {
  readonly kv: KvMount;
  readonly clock: Clock;
  readonly refusalOf: (document: Document, plan: StoragePlan) => Refusal | undefined;
}

interface Task {
  readonly document: Document;
  readonly plan: StoragePlan;
  readonly permit: Permit;
}

export function versionOf(info: VersionInfo): Version {
  return { identity: info.createdTime, revision: String(info.version) };
}

export class DocumentWriter {
  readonly #options: WriterOptions;
  readonly #kv: KvMount;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#kv = options.kv;
  }

  async create(document: Document, permit: Permit): Promise<Version> {
    const { address } = document;
    const plan = planStorage(document);
    this.#requireStorable(document, plan);
    const task = { document, plan, permit };
    if (Object.keys(plan.customMetadata).length > 0) await this.#markNew(task);
    const written = await this.#kv.write(address, encodeFields(document, plan), 0, permit);
    if (written.outcome === 'written') return versionOf(await this.#finishNew(task, written));
    const current = await this.#kv.read(address, permit.signal);
    if (current.state !== 'absent') throw conflict('ALREADY_EXISTS', address);
    throw rejected(address);
  }

  /** Does not change the metadata of a path that already has a version: it belongs to that version. */
  async #markNew({ document, plan, permit }: Task): Promise<void> {
    const { address } = document;
    const found = await this.#kv.readMetadata(address, permit.signal);
    if (found.state === 'present' && found.currentVersion > 0) throw conflict('ALREADY_EXISTS', address);
    const lifetime = this.#lifetimeLeft(document, found.serverTime);
    if (found.state === 'absent') {
      await this.#kv.createMetadata(address, { custom: plan.customMetadata, lifetime }, permit);
      return;
    }
    const isLeftOver = found.customMetadata.has(LIFETIME_MARKER);
    if (isLeftOver && lifetime === undefined) await this.#kv.clearLifetime(address, permit);
    const custom = metadataPatch(found.customMetadata, plan.customMetadata);
    if (custom === undefined && lifetime === undefined) return;
    await this.#kv.patchMetadata(address, { custom: custom ?? {}, lifetime }, permit);
  }

  /** By the clock of the server, which decides; by the local clock if the server does not report its time. */
  #lifetimeLeft(document: Document, serverTime: number | undefined): number | undefined {
    const { expiresAt } = document.attributes;
    if (expiresAt === undefined) return undefined;
    return lifetimeLeft(expiresAt, serverTime ?? this.#options.clock.now(), document.address);
  }

  /**
   * The reply to the write shows, without a further request, what an attempt left that crashed between metadata and
   * data.
   */
  async #finishNew(task: Task, written: VersionInfo): Promise<VersionInfo> {
    const { document, plan, permit } = task;
    const { address } = document;
    if (document.attributes.expiresAt !== undefined) {
      await this.#endWithSource(task, written);
      return written;
    }
    const custom = metadataPatch(written.customMetadata, plan.customMetadata);
    if (custom === undefined) return written;
    const stays = written.customMetadata.has(LIFETIME_MARKER)
      ? await this.#writeToStay(task, written)
      : written;
    await this.#kv.patchMetadata(address, { custom }, permit);
    return stays;
  }

  /**
   * The version got the lifetime of an earlier attempt for a document that expires: a second version, which stays,
   * replaces it.
   */
  async #writeToStay({ document, plan, permit }: Task, written: VersionInfo): Promise<VersionInfo> {
    const { address } = document;
    await this.#kv.clearLifetime(address, permit);
    const again = await this.#kv.write(address, encodeFields(document, plan), written.version, permit);
    if (again.outcome === 'rejected') throw conflict('ALREADY_EXISTS', address);
    return again;
  }

  /**
   * Checks the expiry of the new version, and deletes a version without one: the mount may have stopped expiring
   * versions.
   */
  async #endWithSource({ document, permit }: Task, written: VersionInfo): Promise<void> {
    const { address } = document;
    if (written.deletionTime === undefined) {
      await this.#kv.softDelete(address, written.version, permit);
      throw new OperatorError('DOCUMENT_REFUSED', {
        op: 'openbao.write',
        target: address,
        detail: 'The source expires, and the mount does not let versions expire; the copy was deleted.',
        hint: 'Set delete_version_after of the mount to 0s or more, or exclude the document.',
      });
    }
    await this.#restoreLifetime(address, document.attributes.lifetime ?? 0, permit);
  }

  /** Sets the lifetime of the path to that at the source, for versions that users write later. */
  async #restoreLifetime(address: Address, lifetime: number, permit: Permit): Promise<void> {
    const custom = { [LIFETIME_MARKER]: null };
    if (lifetime === 0) await this.#kv.clearLifetime(address, permit);
    await this.#kv.patchMetadata(address, lifetime === 0 ? { custom } : { custom, lifetime }, permit);
  }

  /** Replaces one version: its creation time is compared first, because check-and-set compares only the number. */
  async replace(document: Document, expect: Version, permit: Permit): Promise<Version> {
    const { address } = document;
    const current = await this.#kv.read(address, permit.signal);
    if (current.state === 'absent' || !sameVersion(versionOf(current), expect)) {
      throw conflict('VERSION_CONFLICT', address);
    }
    const marks = Base64Marks.parse(current.customMetadata.get(BASE64_MARKER), address);
    const plan = planStorage(document, marks, current.version + 1);
    this.#requireStorable(document, plan);
    await this.#markCurrent({ document, plan, permit }, current);
    const written = await this.#kv.write(address, encodeFields(document, plan), current.version, permit);
    if (written.outcome === 'written') {
      if (document.attributes.expiresAt !== undefined) {
        await this.#endWithSource({ document, plan, permit }, written);
      }
      return versionOf(written);
    }
    const now = await this.#kv.read(address, permit.signal);
    if (now.state === 'absent' || !sameVersion(versionOf(now), expect)) {
      throw conflict('VERSION_CONFLICT', address);
    }
    throw rejected(address);
  }

  async #markCurrent({ document, plan, permit }: Task, current: VersionInfo): Promise<void> {
    const { address } = document;
    const expires = document.attributes.expiresAt !== undefined;
    const clock = expires ? (await this.#kv.readMetadata(address, permit.signal)).serverTime : undefined;
    const lifetime = this.#lifetimeLeft(document, clock);
    const isLeftOver = current.customMetadata.has(LIFETIME_MARKER);
    if (isLeftOver && !expires) await this.#kv.clearLifetime(address, permit);
    const custom = metadataPatch(current.customMetadata, plan.customMetadata);
    if (custom === undefined && !expires) return;
    await this.#kv.patchMetadata(address, { custom: custom ?? {}, lifetime }, permit);
  }

  /** Does the last step of a write that was cut off before that step. */
  async finish(address: Address, expect: Version, permit: Permit): Promise<void> {
    const current = await this.#kv.read(address, permit.signal);
    if (current.state === 'absent') throw new OperatorError('NOT_FOUND', { op: OP_FINISH, target: address });
    if (!sameVersion(versionOf(current), expect)) {
      throw new OperatorError('VERSION_CONFLICT', { op: OP_FINISH, target: address });
    }
    const lifetime = pendingLifetime(current.customMetadata, address);
    if (lifetime !== undefined) await this.#restoreLifetime(address, lifetime, permit);
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

const OP_FINISH = 'openbao.finish';

function conflict(code: 'ALREADY_EXISTS' | 'VERSION_CONFLICT', address: Address): OperatorError {
  return new OperatorError(code, { op: 'openbao.write', target: address });
}

/** A 400 with the expected state: the server refuses the document itself. */
function rejected(address: Address): OperatorError {
  return new OperatorError('REQUEST_REJECTED', { op: 'openbao.write', target: address, status: 400 });
}
