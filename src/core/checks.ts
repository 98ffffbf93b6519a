import type { ConflictReason } from '#src/errors/reasons.ts';
import {
  expiresBefore,
  isPlain,
  keepsKind,
  keepsMetadata,
  outlives,
  sameFields,
  type Document,
  type ReadResult,
  type Version,
} from './document.ts';

/** What becomes of a source once its copy is proven; the words of the API. */
export type SourcePolicy = 'Keep' | 'Delete' | 'Backup' | 'Project';

/** What a migration wants, as far as one document is concerned. */
export interface Policy {
  readonly conflictPolicy: 'Fail' | 'KeepDestination' | 'Overwrite';
  readonly sourcePolicy: SourcePolicy;
}

/** Both sides of one document, read before anything is decided. */
export interface Observation {
  /** The source document as it shall stand at the destination. */
  readonly desired: Document;
  readonly destination: ReadResult;
  /** True when a destination that says nothing of type and immutability is known to be Opaque and mutable. */
  readonly attributesAreStated: boolean;
}

/** The one next thing to do with a document. */
export type Step =
  | { readonly kind: 'create' }
  | { readonly kind: 'adopt'; readonly version: Version }
  | { readonly kind: 'conflict'; readonly reason: ConflictReason; readonly message: string }
  /** The destination differs and stays as it is. */
  | { readonly kind: 'keep'; readonly reason: ConflictReason; readonly message: string }
  /** The destination differs and is written over, if it still is the version that was read. */
  | { readonly kind: 'overwrite'; readonly reason: ConflictReason; readonly version: Version };

export type Conflict = Extract<Step, { kind: 'conflict' }>;

type Check = (policy: Policy, seen: Observation) => Step | undefined;

function destinationIsAbsent(_policy: Policy, seen: Observation): Step | undefined {
  return seen.destination.state === 'absent' ? { kind: 'create' } : undefined;
}

/** Somebody removed it there on purpose; writing it again would undo that silently. */
function destinationWasDeleted(_policy: Policy, seen: Observation): Step | undefined {
  if (seen.destination.state !== 'deleted') return undefined;
  return {
    kind: 'conflict',
    reason: 'DestinationDeleted',
    message: 'The current version at the destination is deleted. Undelete it, or remove its metadata.',
  };
}

function destinationDiffers(_policy: Policy, seen: Observation): Step | undefined {
  if (seen.destination.state !== 'present' || sameFields(seen.desired, seen.destination.document))
    return undefined;
  return {
    kind: 'conflict',
    reason: 'DestinationDiffers',
    message: 'The destination has other keys or bytes. Make both sides equal, or exclude the document.',
  };
}

/** A value that was meant to end must not go on somewhere else; harmless is only the reverse, while the source stays. */
function expiryDiffers(policy: Policy, seen: Observation): Conflict | undefined {
  if (seen.destination.state !== 'present') return undefined;
  const copy = seen.destination.document;
  if (outlives(copy, seen.desired)) {
    return {
      kind: 'conflict',
      reason: 'OutlivesSource',
      message:
        'The bytes are equal, but the source expires and the destination does not. Let the destination expire too, or exclude the document.',
    };
  }
  if (policy.sourcePolicy === 'Keep' || !expiresBefore(copy, seen.desired)) return undefined;
  return {
    kind: 'conflict',
    reason: 'ExpiresEarly',
    message:
      'The bytes are equal, but the destination expires before the source. Check delete_version_after of its key and mount, or use sourcePolicy Keep.',
  };
}

/**
 * Equal bytes, but the source has a type, is immutable or has metadata, and the destination says otherwise. Harmless while
 * the source stays and the destination says nothing at all; removing the source would lose what only the source knows.
 */
function attributesWouldBeLost(policy: Policy, seen: Observation): Conflict | undefined {
  if (seen.destination.state !== 'present') return undefined;
  const { desired, destination } = seen;
  const isSilent = isPlain(destination.document) && !seen.attributesAreStated;
  const sourceStays = policy.sourcePolicy === 'Keep';
  const kindIsSafe = keepsKind(desired, destination.document) || (sourceStays && isSilent);
  const metadataIsSafe = sourceStays || keepsMetadata(desired, destination.document);
  if (kindIsSafe && metadataIsSafe) return undefined;
  return {
    kind: 'conflict',
    reason: 'AttributesDiffer',
    message:
      'The bytes are equal, but type, immutability, labels or custom metadata differ. Add them at the destination, or exclude the document.',
  };
}

/** What speaks against a destination that holds the same bytes, or undefined: it is as good as the source. */
export function adoptionConflict(policy: Policy, seen: Observation): Conflict | undefined {
  return expiryDiffers(policy, seen) ?? attributesWouldBeLost(policy, seen);
}

function destinationIsEqual(_policy: Policy, seen: Observation): Step | undefined {
  if (seen.destination.state !== 'present') return undefined;
  return { kind: 'adopt', version: seen.destination.document.version };
}

/** In this order; the first that has something to say decides. */
const CHECKS: readonly Check[] = [
  destinationIsAbsent,
  destinationWasDeleted,
  destinationDiffers,
  adoptionConflict,
  destinationIsEqual,
];

/** What the user said about a destination that differs. */
function settleConflict(policy: Policy, seen: Observation, conflict: Conflict): Step {
  const { reason } = conflict;
  if (policy.conflictPolicy === 'KeepDestination') {
    const message =
      'The destination differs and is kept, as spec.conflictPolicy requires; the source is kept too.';
    return { kind: 'keep', reason, message };
  }
  // Written again it would expire just as early, with every run.
  const isInVain = reason === 'ExpiresEarly';
  if (policy.conflictPolicy === 'Fail' || isInVain || seen.destination.state === 'absent') return conflict;
  const { destination } = seen;
  const version = destination.state === 'deleted' ? destination.version : destination.document.version;
  return { kind: 'overwrite', reason, version };
}

/** Decides for one document. Pure: same observation, same step. */
export function decideStep(policy: Policy, seen: Observation): Step {
  for (const check of CHECKS) {
    const step = check(policy, seen);
    if (step?.kind === 'conflict') return settleConflict(policy, seen, step);
    if (step !== undefined) return step;
  }
  return {
    kind: 'conflict',
    reason: 'DestinationDiffers',
    message: 'The destination is in an unknown state.',
  };
}
