import type { ConflictReason } from '#src/errors/reasons.ts';
import { differencesOf, keysThatDiffer } from './differences.ts';
import {
  expiresBefore,
  isPlain,
  keepsKind,
  keepsMetadata,
  outlives,
  sameFields,
  type Document,
  type ReadResult,
  type StoredDocument,
  type Version,
} from './document.ts';

/** What happens to a source once its copy is proven. The values are those of the API. */
export type SourcePolicy = 'Keep' | 'Delete' | 'Backup' | 'Project';

/** The policies that apply to one document. */
export interface Policy {
  readonly conflictPolicy: 'Fail' | 'KeepDestination' | 'Overwrite';
  readonly sourcePolicy: SourcePolicy;
  /** Mode Sync: whether a destination of another object is written too, from the first copy on. */
  readonly adopts?: boolean;
}

/** True when the source no longer has the document once this policy was applied. */
export function removesSource({ sourcePolicy }: Pick<Policy, 'sourcePolicy'>): boolean {
  return sourcePolicy === 'Delete' || sourcePolicy === 'Backup';
}

/** True when this policy, or that of one of the rules that override it, removes a source. */
export function someRemoveSource(
  sourcePolicy: SourcePolicy,
  rules: readonly { readonly sourcePolicy?: SourcePolicy | undefined }[],
): boolean {
  return [{ sourcePolicy }, ...rules].some((each) =>
    removesSource({ sourcePolicy: each.sourcePolicy ?? sourcePolicy }),
  );
}

/** Source and destination of one document, read before any decision. */
export interface Observation {
  /** The document that the destination should have. */
  readonly desired: Document;
  readonly destination: ReadResult;
  /** True when a destination document without type and immutability is known to be Opaque and mutable. */
  readonly attributesAreStated: boolean;
}

/** The next action for a document. */
export type Step =
  /** `version`: the deleted version that it follows, which no reader can want back. Absent: nothing is there. */
  | { readonly kind: 'create'; readonly version?: Version }
  | { readonly kind: 'adopt'; readonly version: Version }
  | { readonly kind: 'conflict'; readonly reason: ConflictReason; readonly message: string }
  /** The destination differs and stays as it is. */
  | { readonly kind: 'keep'; readonly reason: ConflictReason; readonly message: string }
  /** The destination differs and is overwritten if it still has the version that was read. */
  | { readonly kind: 'overwrite'; readonly reason: ConflictReason; readonly version: Version };

export type Conflict = Extract<Step, { kind: 'conflict' }>;

type Check = (policy: Policy, observation: Observation) => Step | undefined;

function destinationIsAbsent(_policy: Policy, observation: Observation): Step | undefined {
  return observation.destination.state === 'absent' ? { kind: 'create' } : undefined;
}

/** Another writer deleted it deliberately; a write would silently undo that. */
function destinationWasDeleted(_policy: Policy, observation: Observation): Step | undefined {
  if (observation.destination.state !== 'deleted') return undefined;
  return {
    kind: 'conflict',
    reason: 'DestinationDeleted',
    message: 'The current version at the destination is deleted. Undelete it, or remove its metadata.',
  };
}

/**
 * The end of the destination is decided, or follows another object: it cannot take the place of the source. No
 * conflictPolicy changes that.
 */
function destinationWillGo(policy: Policy, { destination }: Observation): Conflict | undefined {
  return destination.state === 'present' ? willGo(policy, destination.document) : undefined;
}

/** The same of a document that was read at the destination. */
export function willGo(
  { adopts, sourcePolicy }: Pick<Policy, 'adopts' | 'sourcePolicy'>,
  { isLeaving, manager, owner }: Pick<StoredDocument, 'isLeaving' | 'manager' | 'owner'>,
): Conflict | undefined {
  if (isLeaving === true) {
    return {
      kind: 'conflict',
      reason: 'DestinationLeaving',
      message:
        'The document at the destination is being deleted; a finalizer still holds it. Wait until it is gone, or remove the finalizer.',
    };
  }
  if (adopts !== undefined) return adopts ? undefined : belongsTo(owner ?? manager);
  if (owner === undefined || sourcePolicy === 'Keep') return undefined;
  return {
    kind: 'conflict',
    reason: 'DestinationOwned',
    message: `The document at the destination is deleted together with its owner, ${owner}. Remove its ownerReferences, or use sourcePolicy Keep.`,
  };
}

function belongsTo(other: string | undefined): Conflict | undefined {
  if (other === undefined) return undefined;
  return {
    kind: 'conflict',
    reason: 'DestinationOwned',
    message: `The document at the destination belongs to ${other}, which may overwrite or delete it. Nothing is written. Remove its ownerReferences, set spec.sync.adopt, or exclude the document.`,
  };
}

function destinationDiffers(_policy: Policy, observation: Observation): Step | undefined {
  if (
    observation.destination.state !== 'present' ||
    sameFields(observation.desired, observation.destination.document)
  )
    return undefined;
  const keys = keysThatDiffer(observation.desired, observation.destination.document);
  const differs = keys ?? 'has other bytes in the same keys';
  return {
    kind: 'conflict',
    reason: 'DestinationDiffers',
    message: `The destination ${differs}. Make source and destination equal, or exclude the document.`,
  };
}

/** A copy must not outlive a source that expires. A copy that expires earlier is harmless only while the source stays. */
function expiryDiffers(policy: Policy, observation: Observation): Conflict | undefined {
  if (observation.destination.state !== 'present') return undefined;
  const copy = observation.destination.document;
  if (outlives(copy, observation.desired)) {
    return {
      kind: 'conflict',
      reason: 'OutlivesSource',
      message:
        'The bytes are equal, but the source expires and the destination does not. Let the destination expire too, or exclude the document.',
    };
  }
  if (policy.sourcePolicy === 'Keep' || !expiresBefore(copy, observation.desired)) return undefined;
  return {
    kind: 'conflict',
    reason: 'ExpiresEarly',
    message:
      'The bytes are equal, but the destination expires before the source. Check delete_version_after of its key and mount, or use sourcePolicy Keep.',
  };
}

/** A store that states types never changes the type of a document (Secrets: tested), so no conflictPolicy helps. */
function typeIsFixed({ attributesAreStated, desired, destination }: Observation): boolean {
  if (destination.state !== 'present' || !attributesAreStated) return false;
  return desired.attributes.type !== destination.document.attributes.type;
}

const FIXED_TYPE =
  'The type of a Secret cannot change: delete the Secret there, change mapping.secretType, or exclude the document.';

/**
 * Equal bytes, but the source has a type, is immutable or has metadata, and the destination differs in that. Harmless while
 * the source stays and the destination has neither; removing the source would lose what only the source has.
 */
function attributesWouldBeLost(policy: Policy, observation: Observation): Conflict | undefined {
  if (observation.destination.state !== 'present') return undefined;
  const { desired, destination } = observation;
  const isSilent = isPlain(destination.document) && !observation.attributesAreStated;
  const sourceStays = policy.sourcePolicy === 'Keep';
  const kindIsSafe = keepsKind(desired, destination.document) || (sourceStays && isSilent);
  const metadataIsSafe = sourceStays || keepsMetadata(desired, destination.document);
  if (kindIsSafe && metadataIsSafe) return undefined;
  const differs = `Equal bytes, but the destination differs in ${differencesOf(desired, destination.document)}.`;
  const advice =
    !kindIsSafe && typeIsFixed(observation)
      ? FIXED_TYPE
      : 'Add it there, set conflictPolicy to Overwrite or mapping.metadataLoss to Allow, or exclude the document.';
  return { kind: 'conflict', reason: 'AttributesDiffer', message: `${differs} ${advice}` };
}

/** Why a destination with the same bytes cannot replace the source; undefined if it can. */
export function adoptionConflict(policy: Policy, observation: Observation): Conflict | undefined {
  return (
    destinationWillGo(policy, observation) ??
    expiryDiffers(policy, observation) ??
    attributesWouldBeLost(policy, observation)
  );
}

function destinationIsEqual(_policy: Policy, observation: Observation): Step | undefined {
  if (observation.destination.state !== 'present') return undefined;
  return { kind: 'adopt', version: observation.destination.document.version };
}

/** In this order; the first check that returns a step decides. */
const CHECKS: readonly Check[] = [
  destinationIsAbsent,
  destinationWasDeleted,
  destinationWillGo,
  destinationDiffers,
  adoptionConflict,
  destinationIsEqual,
];

/** Applies the user's conflictPolicy to a destination that differs. */
function applyConflictPolicy(policy: Policy, observation: Observation, conflict: Conflict): Step {
  const { reason } = conflict;
  if (reason === 'DestinationLeaving' || reason === 'DestinationOwned') return conflict;
  if (policy.conflictPolicy === 'KeepDestination') {
    const message =
      'The destination differs and is kept, as spec.conflictPolicy requires; the source is kept too.';
    return { kind: 'keep', reason, message };
  }
  // Each run would write a copy that expires just as early.
  const wouldExpireAgain = reason === 'ExpiresEarly';
  if (policy.conflictPolicy === 'Fail' || wouldExpireAgain || observation.destination.state === 'absent')
    return conflict;
  if (typeIsFixed(observation)) {
    if (reason === 'AttributesDiffer') return conflict;
    return { ...conflict, message: `The destination differs and cannot be overwritten. ${FIXED_TYPE}` };
  }
  const { destination } = observation;
  const version = destination.state === 'deleted' ? destination.version : destination.document.version;
  return { kind: 'overwrite', reason, version };
}

/** Chooses the step for one document. Pure: same arguments, same step. */
export function decideStep(policy: Policy, observation: Observation): Step {
  for (const check of CHECKS) {
    const step = check(policy, observation);
    if (step?.kind === 'conflict') return applyConflictPolicy(policy, observation, step);
    if (step !== undefined) return step;
  }
  return {
    kind: 'conflict',
    reason: 'DestinationDiffers',
    message: 'The destination is in an unknown state.',
  };
}
