import type { Reader } from '#src/backends/driver.ts';
import { sameFields, type Address, type Document, type StoredDocument } from '#src/core/document.ts';
import type { RecordedVersion, Base } from '#src/core/outcome.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import type { BySide, Observed, Side } from '#src/core/sync/observed.ts';
import { needsBaseBytes, type SyncPolicy } from '#src/core/sync/three-way.ts';
import { hasCode } from '#src/errors.ts';

/*
 * The bytes of the base, read from the history of a store that keeps one. They are never stored, and neither is a digest of
 * them: a store without a history has no base once its version moved, and two sides that differ are then left to a user.
 */

/** One side of a document, as far as its history can be asked. */
export interface HistorySide {
  readonly reader: Pick<Reader, 'read'>;
  readonly address: Address;
  /** Its store has the capability `Versions`. */
  readonly keepsVersions: boolean;
  /** The document that is there now. */
  readonly current: StoredDocument | undefined;
}

export interface Histories {
  readonly sides: BySide<HistorySide>;
  /** A document of the source as the destination would have it. Throws `KEYS_COLLIDE`. */
  readonly atDestination: (source: StoredDocument) => Document;
  readonly signal: AbortSignal;
}

/**
 * What was observed, with the bytes of the base if the step depends on them and a history has them. At most one request for
 * each side that keeps versions; none if one side is still in the version of the base. Throws what a read throws: a history
 * that cannot be read now is not one without the version.
 */
export async function withBaseBytes(
  policy: SyncPolicy,
  observed: Observed,
  histories: Histories,
): Promise<Observed> {
  const { base } = observed;
  if (base === undefined || !needsBaseBytes(policy, observed)) return observed;
  const document = await readBase(base, histories);
  if (document === 'unknown') return observed;
  const { source, destination } = histories.sides;
  const hasBytes = (current: Document | undefined): boolean =>
    current !== undefined && sameFields(document, current);
  const atDestination = source.current === undefined ? undefined : histories.atDestination(source.current);
  return {
    ...observed,
    baseBytes: { source: hasBytes(atDestination), destination: hasBytes(destination.current) },
  };
}

/** The base as the destination would have it; `unknown` if no history has exactly this version any more. */
async function readBase(base: Base, histories: Histories): Promise<Document | 'unknown'> {
  for (const side of candidates(base, histories)) {
    const document = await readVersion(histories.sides[side], base[side], histories.signal);
    const mapped =
      document === undefined || side === 'destination' ? document : mappedBy(histories, document);
    if (mapped !== undefined) return mapped;
  }
  return 'unknown';
}

/** The sides whose history can have the version: first one whose document is still the same incarnation. */
function candidates(base: Base, { sides }: Histories): readonly Side[] {
  const all: readonly Side[] = ['destination', 'source'];
  const isSame = (side: Side): boolean => sides[side].current?.version.identity === base[side]?.identity;
  return all
    .filter((side) => sides[side].keepsVersions && base[side]?.version !== undefined)
    .toSorted((left, right) => Number(isSame(right)) - Number(isSame(left)));
}

/** Exactly this version. A path that was removed with its history and made again has another one of this number. */
async function readVersion(
  { address, reader }: HistorySide,
  recorded: RecordedVersion | undefined,
  signal: AbortSignal,
): Promise<StoredDocument | undefined> {
  try {
    const found = await reader.read(address, signal, recorded?.version);
    if (found.state !== 'present' || found.document.unfinished === true) return undefined;
    return isRecorded(recorded, found.document.version) ? found.document : undefined;
  } catch (failure) {
    // It is there and cannot be understood: other reads would not change that.
    if (hasCode(failure, 'DOCUMENT_REFUSED') || hasCode(failure, 'ENCODING_CORRUPT')) return undefined;
    throw failure;
  }
}

/** Undefined for keys that the mapping gives one name: with it, this document was never proven. */
function mappedBy({ atDestination }: Histories, source: StoredDocument): Document | undefined {
  try {
    return atDestination(source);
  } catch (failure) {
    if (hasCode(failure, 'KEYS_COLLIDE')) return undefined;
    throw failure;
  }
}
