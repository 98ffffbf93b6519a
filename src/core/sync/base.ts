import type { PriorRecord, RecordedVersion, Base } from '../outcome.ts';
import type { Address, Reflected, Version } from '../document.ts';
import { otherSide, type Observed, type Side } from './observed.ts';

/*
 * The base of a three-way comparison: the versions in which both sides were last proven equal. A version that is still the
 * current one has the bytes of the base, so the bytes themselves are needed only if both versions moved.
 */

/**
 * What a row proves of both sides: the versions in which they were equal. `oldSource`: the source is at this old address, not
 * at that of its name; a version of another address proves nothing of this one. Undefined if the row proves nothing of this
 * destination.
 */
export function recordedBase(
  prior: PriorRecord | undefined,
  destination: Address,
  oldSource?: Address,
): Base | undefined {
  if (prior === undefined || prior.destination?.path !== destination) return undefined;
  const base = provenIn(prior);
  if (base === undefined || prior.source?.path === oldSource) return base;
  return base.destination === undefined ? {} : { destination: base.destination };
}

/** Rows of other states than Verified have versions that were read and not proven. */
function provenIn({ base, destination, source, state }: PriorRecord): Base | undefined {
  if (state !== 'Verified') return base;
  return {
    ...(source === undefined ? {} : { source: versionIn(source) }),
    ...(destination === undefined ? {} : { destination: versionIn(destination) }),
  };
}

function versionIn({ version, identity }: RecordedVersion): RecordedVersion {
  return { ...(version === undefined ? {} : { version }), ...(identity === undefined ? {} : { identity }) };
}

/**
 * The base to compare with. `recorded` is what the row says. What the document at `side` says itself counts if there is no
 * row, or if the write that it tells of followed directly on the row: the run was killed before it could record it. Else the
 * row counts, because another writer can put an old document back together with its annotations.
 */
export function baseFrom(
  recorded: Base | undefined,
  side: Side,
  reflected: Reflected | undefined,
): Base | undefined {
  if (reflected === undefined) return recorded;
  const followsOnRow = recorded !== undefined && isRevision(recorded[side], reflected.replaced);
  if (recorded !== undefined && !followsOnRow) return recorded;
  const { identity, revision } = reflected.version;
  return { [otherSide(side)]: { version: revision, identity } };
}

function isRevision(recorded: RecordedVersion | undefined, revision: string | undefined): boolean {
  return revision !== undefined && recorded?.version === revision;
}

/** True when this is the version of the base. A record without an identity tells nothing. */
export function isRecorded(recorded: RecordedVersion | undefined, version: Version): boolean {
  return recorded?.identity === version.identity && recorded.version === version.revision;
}

/** What became of the bytes of a side that is there, since the base. */
export type Since = 'unchanged' | 'changed' | 'unknown';

/**
 * Compares the bytes of a side that is there with those of the base, where the other side is gone or differs: by its version,
 * by the version of the other side, or by the bytes that were read from a history. Unknown for two sides that differ in the
 * versions of the base: a field of spec.mapping changed.
 */
export function sinceBase(observed: Observed, side: Side): Since {
  const { base, baseBytes } = observed;
  const isThisAt = isAtBase(observed, side);
  const isOtherAt = isAtBase(observed, otherSide(side));
  if (isThisAt) return isOtherAt ? 'unknown' : 'unchanged';
  if (isOtherAt) return 'changed';
  if (base === undefined || baseBytes === undefined) return 'unknown';
  return baseBytes[side] ? 'unchanged' : 'changed';
}

/** True when both sides are there in the versions of the base. */
export function isStill(observed: Observed): boolean {
  return isAtBase(observed, 'source') && isAtBase(observed, 'destination');
}

/** True when at least one side is there in the version of the base: its bytes are those of the base. */
export function hasBaseBytesAlready(observed: Observed): boolean {
  return isAtBase(observed, 'source') || isAtBase(observed, 'destination');
}

function isAtBase({ base, sides }: Observed, side: Side): boolean {
  const found = sides[side];
  return found.state === 'present' && isRecorded(base?.[side], found.version);
}
