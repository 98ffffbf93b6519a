import { z } from 'zod';
import { annotationsIn } from './annotations.ts';
import { metadataOf } from './labels.ts';
import { BACKUP_LABEL, BACKUP_METADATA_ANNOTATION } from './marks.ts';
import type { Address, Attributes, Document } from '#src/core/document.ts';
import { sameAttributes, sameFields } from '#src/core/document.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { jsonOrUndefined } from '#src/json/parse.ts';
import type { Permit } from '#src/ports.ts';
import type { SecretApi } from './api.ts';
import { toDocument, type WireSecret } from './codec.ts';
import { isBackupName } from './refusals.ts';

/*
 * What all backups of Secrets have in common: their own label, the type and immutability of the original, and its labels and
 * annotations as one text, so that no other client finds and uses a backup by them.
 */

export const BACKUP_OP = 'kube.secret.backup';

type Annotations = Readonly<Record<string, string>>;

/**
 * Stores a backup of `original` at this address, reads it back and compares it. Can run again after a lost reply or a killed
 * run: an equal backup counts as its own. Throws `ALREADY_EXISTS` if another Secret has the name. `annotations` are added to
 * those of a backup, and not compared.
 */
export async function storeBackup(
  api: SecretApi,
  { original, backup, annotations = {} }: BackupTask,
  permit: Permit,
): Promise<WireSecret> {
  const wanted: Wanted = {
    document: { address: backup, fields: original.fields, attributes: withoutMetadata(original) },
    metadata: metadataTextOf(original),
  };
  const was = wanted.metadata === undefined ? {} : { [BACKUP_METADATA_ANNOTATION]: wanted.metadata };
  try {
    await api.create(wanted.document, permit, {
      labels: { [BACKUP_LABEL]: 'true' },
      annotations: { ...was, ...annotations },
    });
  } catch (failure) {
    if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
  }
  const secret = await api.get(backup, permit.signal);
  if (secret !== undefined && isEqual(secret, wanted)) return secret;
  throw new OperatorError('ALREADY_EXISTS', {
    op: BACKUP_OP,
    target: backup,
    detail: 'It is not the backup of this Secret.',
    hint: 'Rename or delete the Secret that has the name of the backup.',
  });
}

export interface BackupTask {
  readonly original: Document;
  readonly backup: Address;
  readonly annotations?: Annotations;
}

interface Wanted {
  readonly document: Document;
  readonly metadata: string | undefined;
}

/** A backup that is being deleted keeps nothing. */
function isEqual(secret: WireSecret, { document, metadata }: Wanted): boolean {
  if (!isBackup(secret) || secret.metadata.annotations?.[BACKUP_METADATA_ANNOTATION] !== metadata)
    return false;
  const found = toDocument(secret);
  if (found.isLeaving === true) return false;
  return sameFields(document, found) && sameAttributes(document, found);
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

/** The document that a backup keeps, at the address of the backup. */
export function keptIn(secret: WireSecret): Document {
  const { address, fields, attributes } = toDocument(secret);
  const was = metadataIn(secret.metadata.annotations?.[BACKUP_METADATA_ANNOTATION]);
  return { address, fields, attributes: { ...withoutMetadata({ address, fields, attributes }), ...was } };
}

const Pairs = z.record(z.string(), z.string());
const Metadata = z.object({ labels: Pairs, annotations: Pairs });

/** The inverse of `metadataTextOf`. A text that another client changed into something else is none. */
function metadataIn(text: string | undefined): Pick<Attributes, 'metadata' | 'annotations'> {
  if (text === undefined) return {};
  const parsed = Metadata.safeParse(jsonOrUndefined(text));
  if (!parsed.success) return {};
  const metadata = metadataOf(parsed.data.labels);
  const annotations = annotationsIn(parsed.data.annotations);
  return {
    ...(metadata === undefined ? {} : { metadata }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

export function isBackup({
  metadata,
}: {
  readonly metadata: Pick<WireSecret['metadata'], 'name' | 'labels'>;
}): boolean {
  return isBackupName(metadata.name) && metadata.labels?.[BACKUP_LABEL] === 'true';
}
