import type { Reader } from '#src/backends/driver.ts';
import type { Refusal } from '#src/backends/refusal.ts';
import { removesSource } from '#src/core/checks.ts';
import { decodedFields } from '#src/core/mapping/decoding.ts';
import {
  sameFields,
  type Address,
  type Document,
  type ReadResult,
  type StoredDocument,
} from '#src/core/document.ts';
import type { Intent } from './intent.ts';
import { heldValues } from './json-values.ts';
import { heldPart, keptPart, metadataRefusal } from './metadata-loss.ts';
import { withType } from './shapes.ts';

/** What the destination should have of one source. */
export interface Desired {
  readonly document: Document;
  /** What goes with the source and the destination will not have, by `spec.mapping.metadataLoss`: `annotation note`. */
  readonly lost: readonly string[];
  /** Why the destination can never hold the document. */
  readonly refusal?: Refusal;
}

interface Inputs {
  readonly intent: Pick<
    Intent,
    'jsonValues' | 'keyNames' | 'metadataLoss' | 'policyOf' | 'secretTypeOf' | 'traveling'
  >;
  readonly destination: Pick<Reader, 'refusalOf' | 'traits'>;
}

/** The source of a document and its target. */
interface Pair {
  readonly name: string;
  readonly destination: Address;
}

/** The document that the destination should have, without what it cannot hold if that is allowed. Throws `KEYS_COLLIDE` and `DECODE_FAILED`. */
export function desiredDocument(
  { intent, destination }: Inputs,
  { name, destination: address }: Pair,
  source: Document,
): Desired {
  const sourceGoes = removesSource(intent.policyOf(name));
  const renamed = intent.keyNames.rename(decodedFields(source.fields, intent.keyNames));
  const values = heldValues(intent, destination, renamed);
  const attributes = withType(intent.traveling(source.attributes, sourceGoes), intent.secretTypeOf(name));
  const document = { address, fields: values.fields, attributes };
  const refusal = destination.refusalOf(document);
  const part = refusal === undefined ? { document, lost: [] } : heldPart(destination, document);
  if (part === undefined) return { document, lost: [], ...(refusal === undefined ? {} : { refusal }) };
  const lost = [...(sourceGoes ? values.lost : []), ...part.lost];
  if (lost.length === 0) return { document, lost };
  if (intent.metadataLoss === 'Refuse')
    return { document, lost: [], refusal: metadataRefusal(refusal ?? TEXT_ONLY, lost) };
  return { document: part.document, lost: sourceGoes ? lost : [] };
}

/**
 * The marks of a document that is kept in step: of the version that it is written from, unless only this process knows that
 * version, and that Keyferry may remove it. None in mode Once.
 */
export function reflecting(
  { sync }: Pick<Intent, 'sync'>,
  { version }: StoredDocument,
): Pick<Document, 'reflects' | 'prunable'> {
  if (sync === undefined) return {};
  return {
    ...(version.isEphemeral === true ? {} : { reflects: { version } }),
    ...(sync.prune ? { prunable: true } : {}),
  };
}

const TEXT_ONLY: Refusal = {
  reason: 'MetadataRefused',
  message: 'It holds bytes only, and spec.mapping.jsonValues is AsText.',
};

/**
 * The same when the destination was read. A destination with the same keys and bytes may lack labels and annotations that go
 * with the source, if that is allowed; `Overwrite` writes them instead.
 */
export function desiredBeside(
  { intent }: Pick<Inputs, 'intent'>,
  { name }: Pick<Pair, 'name'>,
  { desired, found }: { readonly desired: Desired; readonly found: ReadResult },
): Desired {
  const policy = intent.policyOf(name);
  if (intent.metadataLoss === 'Refuse' || policy.conflictPolicy === 'Overwrite') return desired;
  if (!removesSource(policy) || found.state !== 'present') return desired;
  // A write of ours that was cut off is completed: nothing of it is lost.
  if (found.document.unfinished === true) return desired;
  if (!sameFields(desired.document, found.document)) return desired;
  const part = keptPart(desired.document, found.document);
  return { document: part.document, lost: [...desired.lost, ...part.lost] };
}
