/**
 * The reasons of conditions and rows. They are API; src/api/v1alpha1/conditions.ts has a sentence for each. One cause has
 * the same reason in both lists.
 */

/** Reasons that conditions and rows share. */
export type Cause =
  | 'AddressForbidden'
  | 'AdmissionDenied'
  | 'AuditLogBlocked'
  | 'BackendNotReady'
  | 'BackendSealed'
  | 'BackendUnavailable'
  | 'CapabilityMissing'
  | 'CredentialsForbidden'
  | 'CredentialsMissing'
  | 'FolderExposed'
  | 'FolderMissing'
  | 'InternalError'
  | 'MountMissing'
  | 'PermissionDenied'
  | 'RateLimited'
  | 'Rejected'
  | 'ReplyInvalid'
  | 'ReplyTooLarge'
  | 'ReservedName'
  | 'ServerError'
  | 'TLSFailed'
  | 'Timeout';

/** Reasons of conditions: closed. */
export type ConditionReason =
  | Cause
  | 'Available'
  | 'AwaitingApproval'
  | 'AwaitingSoak'
  | 'BackendForbidden'
  | 'BackendIdentityChanged'
  | 'BackendNotFound'
  | 'Completed'
  | 'ConflictsFound'
  | 'DefaultChanged'
  | 'DefaultConflict'
  | 'DefaultMissing'
  | 'DryRunCompleted'
  | 'FlagMissing'
  | 'IdentityShared'
  | 'IntegrityViolated'
  | 'InvalidSpec'
  | 'NamespaceLeaving'
  | 'NeedsReplan'
  | 'NestedEnds'
  | 'NothingMoved'
  | 'NothingSelected'
  | 'PartiallyFailed'
  | 'Progressing'
  | 'RangeFailed'
  | 'ReportsIncomplete'
  | 'SelectionTooLarge'
  | 'Suspended'
  | 'Synced'
  | 'UndoIncomplete'
  | 'Undoing'
  | 'Undone';

/** Reasons of events that are about no condition. All other events have the reason of a condition. */
export type EventReason =
  | 'DeletedWhileRemoving'
  | 'IdentityChanged'
  | 'KnownVulnerability'
  | 'RestartFailed'
  | 'RestartForbidden'
  | 'SecretChanged'
  | 'SourcesRemoved';

/** Why an existing destination is not adopted as it is. */
export type ConflictReason =
  | 'DestinationLeaving'
  | 'DestinationOwned'
  | 'DestinationDiffers'
  | 'DestinationDeleted'
  | 'AttributesDiffer'
  | 'OutlivesSource'
  | 'ExpiresEarly';

/** Why a document that is kept in step is written, removed or left as it is. */
export type SyncReason =
  | 'BaseUnknown'
  | 'BothChanged'
  | 'DestinationDeleted'
  | 'DestinationDiffers'
  | 'DestinationEdited'
  | 'DestinationGone'
  | 'DestinationLeaving'
  | 'DestinationOwned'
  | 'DestinationReturned'
  | 'DestinationWon'
  | 'FollowedDestination'
  | 'FollowedSource'
  | 'PruneLimited'
  | 'PrunedDestination'
  | 'PrunedSource'
  | 'RestoredDestination'
  | 'RestoredSource'
  | 'SecretImmutable'
  | 'SourceDeleted'
  | 'SourceEdited'
  | 'SourceGone'
  | 'SourceLeaving'
  | 'SourceOwned'
  | 'SourceReturned'
  | 'SourceWon'
  | 'SyncEnded';

/** What became of a document that is taken back, in addition to reasons that other runs give too. */
export type UndoReason = 'CreatorUnknown' | 'NoWayBack' | 'SourceTaken' | 'Undoing' | 'Undone';

/** Why a backend cannot store a document. */
export const REFUSAL_REASONS = [
  'TooLarge',
  'TooManyKeys',
  'PathRefused',
  'NameRefused',
  'KeyRefused',
  'TypeRefused',
  'ExpiryRefused',
  'MetadataRefused',
  'ReservedName',
  'NotRepresentable',
  'PermissionDenied',
  'CapabilityMissing',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** Why a document that the source lists has no row: closed. */
export type LeftOutReason =
  'Backup' | 'Excluded' | 'ExcludedType' | 'Hidden' | 'NotSelected' | 'OldName' | 'OtherPath' | 'Reserved';

/** Why a document stays that would be removed. */
export type GateReason =
  | 'ClockSkew'
  | 'CrossingMigrations'
  | 'InUse'
  | 'InUseUnknown'
  | 'NeedsReplan'
  | 'OwnedElsewhere'
  | 'TrustRoot'
  | 'WouldPropagate';

/** Reasons of rows: closed. */
export type RowReason =
  | Cause
  | ConflictReason
  | GateReason
  | RefusalReason
  | SyncReason
  | 'AlreadyRenamed'
  | 'AwaitingSoak'
  | 'BackupExists'
  | 'BackupExpired'
  | 'DecodeFailed'
  | 'DestinationChanged'
  | 'DestinationLost'
  | 'EncodingCorrupt'
  | 'Expired'
  | 'MappingCollision'
  | 'MappingIncomplete'
  | 'MetadataLost'
  | 'NeedsReplan'
  | 'NoRule'
  | 'NotMapped'
  | 'PartsRefused'
  | 'PriorVersionLost'
  | 'NotRecordable'
  | 'Projected'
  | 'ProofTooOld'
  | 'RemovalPending'
  | 'SecretImmutable'
  | 'SourceChanged'
  | 'SourceMissing'
  | 'SourceUnfinished'
  | 'UnknownState'
  | 'VerifyMismatch'
  | 'WillOverwrite'
  | 'WouldAdopt'
  | 'WouldCreate'
  | 'WouldOverwrite'
  | UndoReason;
