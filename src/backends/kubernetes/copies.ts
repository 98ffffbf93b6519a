import { createHash } from 'node:crypto';
import { BACKUP_LABEL, BACKUP_OF_ANNOTATION, EXPIRES_ANNOTATION } from './marks.ts';
import type { Address, Version } from '#src/core/document.ts';
import { errorOf, hasCode, isAbort, OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { CopyStore, Discarded } from '../driver.ts';
import type { SecretApi } from './api.ts';
import { toDocument, versionOf, type WireSecret } from './codec.ts';
import { COPY_INFIX, isCopyName, MAX_NAME_LENGTH, typeRefusalOf } from './refusals.ts';
import { BACKUP_OP as OP, isBackup, storeBackup } from './stored-backup.ts';

type Metadata = WireSecret['metadata'];

/** Hexadecimal digits of a digest of names and versions, which are not secret. */
const DIGEST_LENGTH = 16;
const REVISION = /^[0-9a-z]{1,20}$/;
/** RFC 3339. `Date.parse` accepts more: a text that Keyferry did not write is not a time. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** A kept copy is a Secret beside the original, with the label of a backup and the time when it expires. */
export class SecretCopies implements CopyStore {
  readonly #api: SecretApi;

  constructor(api: SecretApi) {
    this.#api = api;
  }

  async keep(address: Address, expect: Version, expiresAt: string, permit: Permit): Promise<Address> {
    const original = toDocument(
      await this.#api.getExactly(address, expect, { op: OP, signal: permit.signal }),
    );
    const refusal = typeRefusalOf(original);
    if (refusal !== undefined)
      throw new OperatorError('DOCUMENT_REFUSED', { op: OP, target: address, detail: refusal.message });
    const backup = copyNameOf(address, expect);
    const annotations = { [EXPIRES_ANNOTATION]: expiresAt, [BACKUP_OF_ANNOTATION]: address };
    const kept = await storeBackup(this.#api, { original, backup, annotations }, permit);
    if (expiryOf(kept.metadata) >= Date.parse(expiresAt)) return backup;
    // Of an earlier try. The change fails if the copy was discarded meanwhile, and makes a removal that is under way fail.
    await this.#api.annotate(backup, versionOf(kept), { [EXPIRES_ANNOTATION]: expiresAt }, permit);
    return backup;
  }

  async *discardExpired(nowMs: number, permit: Permit): AsyncGenerator<Discarded> {
    const { signal } = permit;
    if (!(await this.#api.mayList(signal))) return;
    for await (const page of this.#api.metadataPages({ labelSelector: `${BACKUP_LABEL}=true` }, signal)) {
      for (const metadata of page.items) {
        const isOurs = isCopyName(metadata.name) && isBackup({ metadata });
        if (isOurs && expiryOf(metadata) <= nowMs) yield* this.#discard(metadata, permit);
      }
    }
  }

  /** Nothing for a copy that changed or is gone: the next call decides. */
  async *#discard(metadata: Metadata, permit: Permit): AsyncGenerator<Discarded> {
    const address = metadata.name;
    try {
      await this.#api.remove(address, versionOf({ metadata }), permit);
      yield { address };
    } catch (failure) {
      if (isAbort(failure, permit.signal)) throw failure;
      if (hasCode(failure, 'VERSION_CONFLICT') || hasCode(failure, 'NOT_FOUND')) return;
      yield { address, error: errorOf(failure) };
    }
  }
}

/** Milliseconds since the epoch; NaN, which is neither before nor after any time, if nothing readable says it. */
function expiryOf({ annotations }: Metadata): number {
  const text = annotations?.[EXPIRES_ANNOTATION] ?? '';
  return TIME.test(text) ? Date.parse(text) : Number.NaN;
}

/**
 * The name of the copy of one state: `<name>.keyferry-bak-<resourceVersion>`, because no two states of a Secret share a
 * resourceVersion. If that is too long, the name is cut and a digest takes the place of the version.
 */
export function copyNameOf(address: Address, { identity, revision }: Version): Address {
  const name = `${address}${COPY_INFIX}${revision}`;
  if (REVISION.test(revision) && name.length <= MAX_NAME_LENGTH) return name;
  const hash = createHash('sha256').update(`${address}/${identity}/${revision}`);
  const digest = hash.digest('hex').slice(0, DIGEST_LENGTH);
  const room = MAX_NAME_LENGTH - COPY_INFIX.length - DIGEST_LENGTH;
  // A part of a name ends with a letter or digit.
  return `${address.slice(0, room).replace(/[-.]+$/, '')}${COPY_INFIX}${digest}`;
}
