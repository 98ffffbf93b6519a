import { BACKUP_LABEL, BACKUP_METADATA_ANNOTATION } from './marks.ts';
import type { Address, Attributes, Document, Version } from '#src/core/document.ts';
import { sameAttributes, sameFields, sameVersion } from '#src/core/document.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { BackupStore } from '../driver.ts';
import type { SecretApi } from './api.ts';
import { toDocument, type WireSecret } from './codec.ts';
import { BACKUP_SUFFIX, fullNameRefusalOf } from './refusals.ts';

const OP = 'kube.secret.backup';

/**
 * A backup is a Secret `<name>.migrated-bak` with its own label: no workload mounts it, no migration reads it. It is
 * stored and compared before the original Secret is removed.
 */
export class SecretBackups implements BackupStore {
  readonly #api: SecretApi;

  constructor(api: SecretApi) {
    this.#api = api;
  }

  addressOf(address: Address): Address {
    return `${address}${BACKUP_SUFFIX}`;
  }

  async has(address: Address, signal: AbortSignal): Promise<boolean> {
    return (await this.#find(this.addressOf(address), signal)) !== undefined;
  }

  async get(backup: Address, signal: AbortSignal): Promise<Document | undefined> {
    const found = await this.#api.get(backup, signal);
    if (found === undefined) return undefined;
    if (!isBackup(found)) throw noBackup(backup);
    return toDocument(found);
  }

  async retire(address: Address, expect: Version, permit: Permit): Promise<Address> {
    const backup = this.addressOf(address);
    const refusal = fullNameRefusalOf(backup);
    if (refusal !== undefined) {
      throw new OperatorError('DOCUMENT_REFUSED', {
        op: OP,
        target: address,
        detail: 'The name is too long for the suffix of a backup.',
        hint: 'Use sourcePolicy Keep or Delete.',
      });
    }
    const secret = await this.#api.get(address, permit.signal);
    if (secret === undefined) throw new OperatorError('NOT_FOUND', { op: OP, target: address });
    const document = toDocument(secret);
    if (!sameVersion(document.version, expect)) {
      throw new OperatorError('VERSION_CONFLICT', { op: OP, target: address });
    }
    const kept = { address: backup, fields: document.fields, attributes: withoutMetadata(document) };
    await this.#keep(kept, metadataTextOf(document), permit);
    await this.#api.remove(address, expect, permit);
    return backup;
  }

  /** Can run again after a lost reply or a killed run: an equal backup counts as its own. */
  async #keep(backup: Document, metadata: string | undefined, permit: Permit): Promise<void> {
    try {
      const annotations = metadata === undefined ? {} : { [BACKUP_METADATA_ANNOTATION]: metadata };
      await this.#api.create(backup, permit, { labels: { [BACKUP_LABEL]: 'true' }, annotations });
    } catch (failure) {
      if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
    }
    const secret = await this.#api.get(backup.address, permit.signal);
    if (secret !== undefined && isBackup(secret)) {
      const found = toDocument(secret);
      const hasMetadata = secret.metadata.annotations?.[BACKUP_METADATA_ANNOTATION] === metadata;
      if (hasMetadata && sameFields(backup, found) && sameAttributes(backup, found)) return;
    }
    throw new OperatorError('ALREADY_EXISTS', { op: OP, target: backup.address });
  }

  async discard(backup: Address, permit: Permit): Promise<void> {
    const found = await this.#api.get(backup, permit.signal);
    if (found === undefined) return;
    if (!isBackup(found)) throw noBackup(backup);
    await this.#api.remove(backup, toDocument(found).version, permit);
  }

  async #find(backup: Address, signal: AbortSignal): Promise<Document | undefined> {
    const found = await this.#api.get(backup, signal);
    return found !== undefined && isBackup(found) ? toDocument(found) : undefined;
  }
}

/** Other clients find and use Secrets by their labels and annotations; they must not find a backup. */
function withoutMetadata({ attributes }: Document): Attributes {
  const { metadata: _metadata, annotations: _annotations, ...rest } = attributes;
  return rest;
}

/** The labels and annotations of a Secret as text in one annotation of its backup; undefined if it has none. */
function metadataTextOf({ attributes: { metadata, annotations } }: Document): string | undefined {
  if (metadata === undefined && annotations === undefined) return undefined;
  const sorted = (pairs: Attributes['metadata']): [string, string][] =>
    [...(pairs ?? [])].toSorted(([left], [right]) => (left < right ? -1 : 1));
  return JSON.stringify({
    labels: Object.fromEntries(sorted(metadata)),
    annotations: Object.fromEntries(sorted(annotations)),
  });
}

function isBackup({
  metadata,
}: {
  readonly metadata: Pick<WireSecret['metadata'], 'name' | 'labels'>;
}): boolean {
  return metadata.name.endsWith(BACKUP_SUFFIX) && metadata.labels?.[BACKUP_LABEL] === 'true';
}

function noBackup(target: Address): OperatorError {
  const detail = 'It is not a backup made by Keyferry.';
  return new OperatorError('DOCUMENT_REFUSED', { op: OP, target, detail, hint: 'Rename or remove it.' });
}
