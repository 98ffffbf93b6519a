import type { ConditionReason, EventReason, LeftOutReason, RowReason } from '#src/errors/reasons.ts';

/** Closed lists of the words in a status. Each entry is API; the reference prints its sentence. */

/** Types of conditions. Ready and Succeeded are always present; the others only while they are true. */
export const CONDITION_TYPES = {
  Ready: 'The object matches its spec; Unknown while work remains.',
  Succeeded:
    'SecretMigration only, not in mode Sync: every key of the selection is done. Unknown during a run, never True in a dry run.',
  Reconciling: 'The operator is working on this generation.',
  Stalled: 'It does not proceed without a change: of the spec, of a document, or by a requested run.',
  Suspended: 'spec.suspend is true: the migration is paused.',
} as const;
export type ConditionType = keyof typeof CONDITION_TYPES;

/** Reasons of the conditions; kubectl prints them in the column STATUS. */
export const CONDITION_REASONS = {
  Progressing: 'The run is in progress.',
  Completed: 'Every key is done.',
  Synced: 'Mode Sync: every key is in step; changes are followed.',
  DryRunCompleted: 'Every key was compared; nothing was written.',
  AwaitingApproval: 'A plan is made, and nothing is written before a person approves it.',
  NeedsReplan:
    'The approved plan was carried out, except for documents that are not as they were when it was made.',
  AwaitingSoak: 'Every key is verified; sources are removed after soakSeconds.',
  PartiallyFailed: 'Some keys failed; the others are done.',
  ConflictsFound: 'The destination differs for some keys; nothing was overwritten.',
  RangeFailed:
    'With spec.parallelism: the pods of a range ended without telling what became of its documents.',
  ReportsIncomplete:
    'Reports of the table were deleted or changed by another writer, or their names are taken; see status.reports.',
  NothingSelected: 'The selection matches no document.',
  NothingMoved:
    'Nothing was copied or compared: every document stays where it is. Ready is True if all of them have their new names.',
  NestedEnds:
    'Source and destination overlap, and the migration would select its own copies; nothing was written.',
  IdentityShared:
    'Source and destination have the same identity at two addresses; one can be a copy of the other. Nothing was read or written.',
  SelectionTooLarge: 'A backend lists more than one migration can have; nothing was written.',
  InvalidSpec: 'Invalid spec; the message names the field.',
  CapabilityMissing: 'A backend lacks a capability that the migration requires.',
  NamespaceLeaving: 'The namespace of the destination is being deleted; nothing is copied or removed.',
  Suspended: 'spec.suspend is true.',
  BackendNotFound: 'A referenced backend does not exist.',
  BackendNotReady: 'A referenced backend is not Ready.',
  BackendIdentityChanged:
    'A backend leads to another store than before, and nobody acknowledged it; nothing is read or written.',
  BackendForbidden: 'The namespace is not in spec.allowedNamespaces of the ClusterSecretBackend.',
  DefaultMissing: 'The migration names no backend, and no ClusterSecretBackend is the default.',
  DefaultConflict:
    'This backend cannot be the default: another one is already, or it is not a ClusterSecretBackend.',
  DefaultChanged: 'The default backend changed since the migration started; nothing is done.',
  ReservedName: 'A selected name or its target is reserved for system use; nothing was read or written.',
  AdmissionDenied:
    'A quota, an admission policy or a webhook of the cluster refused an object that the operator writes.',
  AddressForbidden:
    'The operator does not connect to the address of a backend unless an administrator allows it.',
  AuditLogBlocked: 'The audit log of the operator cannot be written; nothing is accessed until it can be.',
  BackendUnavailable: 'The server of a backend cannot be reached.',
  Timeout: 'The server of a backend did not answer in time.',
  RateLimited: 'The server of a backend asked to slow down.',
  ServerError: 'The server of a backend failed to handle a request.',
  ReplyInvalid: 'The reply of a server is not what its API returns.',
  ReplyTooLarge: 'The reply of a server is larger than a reply of its kind can be.',
  Rejected: 'The server of a backend rejected a request permanently.',
  BackendSealed: 'The server of a backend is sealed.',
  CredentialsMissing: 'The Secret with the credentials of a backend is missing or incomplete.',
  CredentialsForbidden:
    'A backend may not use the credentials that it names: the ServiceAccount, its audience or the namespace of the backend.',
  PermissionDenied: 'A server refused the credentials or a permission.',
  MountMissing: 'There is no KV mount at the path of the backend, or no such namespace on the server.',
  FlagMissing:
    'The operator runs without a flag that the backend or spec.parallelism needs; the message names it.',
  FolderMissing: 'The folder that the backend names does not exist.',
  FolderExposed: 'Every user of the machine can access the folder of the backend.',
  TLSFailed: 'The TLS handshake with a server failed.',
  IntegrityViolated: 'A value read back differs from the value written, or is lost; see the rows.',
  InternalError: 'Internal error; see the log of the operator.',
  Undoing: 'spec.undo is true: the migration is taken back.',
  Undone: 'The migration was taken back: every key is as it was before.',
  UndoIncomplete:
    'The migration was taken back, except for some keys that stay as they are; the rows say why.',
  Available: 'Backends only: reachable; required operations available.',
} as const satisfies Readonly<Record<ConditionReason, string>>;

/** States of a key. */
export const ROW_STATES = [
  'Pending',
  'Copied',
  'Verified',
  'Removed',
  'Conflict',
  'Failed',
  'Skipped',
] as const;

/** What a plan does with a document. */
export const PLANNED_ACTIONS = ['Create', 'Adopt', 'Overwrite', 'Keep'] as const;

/** One sentence for each state. */
export const ROW_STATE_MEANINGS: Readonly<Record<(typeof ROW_STATES)[number], string>> = {
  Pending: 'Not written yet.',
  Copied: 'Written to the destination, not yet read back.',
  Verified: 'Read back from the destination and compared byte for byte.',
  Removed: 'Verified, and then removed from the source.',
  Conflict: 'The destination differs; nothing was overwritten.',
  Failed: 'Not moved; the reason says why.',
  Skipped: 'Skipped intentionally.',
};

/** Reasons for the state of a key. Pending, Copied, Verified and Removed rows may have none. */
export const ROW_REASONS = {
  WouldCreate: 'Dry run, or a plan: it would be created.',
  NeedsReplan:
    'The document is not as it was when the plan was made that a person approved; nothing was done for it.',
  WouldOverwrite: 'Dry run, or a plan: the destination differs and would be overwritten.',
  WillOverwrite: 'The destination differs and will be overwritten.',
  WouldAdopt: 'Dry run, or a plan: the destination is already equal.',
  DestinationDiffers: 'The destination has other bytes, other keys or other attributes.',
  DestinationDeleted: 'The current version at the destination is deleted; the name is taken.',
  DestinationLeaving: 'The document at the destination is being deleted.',
  DestinationOwned:
    'The document at the destination belongs to another object or program, which can delete or overwrite it.',
  AttributesDiffer:
    'The bytes are equal, but the type, immutability, labels or custom metadata of the source would be lost.',
  OutlivesSource: 'The bytes are equal, but the source expires and the destination does not.',
  ExpiresEarly: 'The bytes are equal, but the destination expires before the source.',
  Expired: 'The value expired and was not copied.',
  DestinationLost:
    'The source was removed after verification, and the destination no longer has the document.',
  DestinationChanged: 'Another writer changed the destination during the run.',
  SourceChanged: 'The source changed during the run; it is read again.',
  SecretImmutable: 'The Secret is immutable and has another value; nothing was written.',
  SourceMissing: 'The source does not exist.',
  SourceDeleted: 'The newest version of the source is deleted; older ones are never copied.',
  SourceGone: 'Another writer removed the source.',
  BothChanged: 'Source and destination changed since they were last equal, and differ.',
  BaseUnknown: 'Source and destination differ, and it is not known which of them changed.',
  SourceEdited: 'Another writer changed the source, which follows the destination.',
  DestinationEdited: 'Another writer changed the destination, which follows the source.',
  SourceLeaving: 'The document at the source is being deleted.',
  SyncEnded: 'Source and destination differ, and spec.sync.untilTime is over, so nothing is written.',
  SourceOwned: 'The document at the source belongs to another object, so it is not written.',
  DestinationGone: 'Another writer removed the destination; the source is kept.',
  FollowedSource: 'The destination took a changed value of the source.',
  FollowedDestination: 'The source took a changed value of the destination.',
  RestoredSource: 'A change of the source was undone: it has the value of the destination again.',
  RestoredDestination: 'A change of the destination was undone: it has the value of the source again.',
  SourceWon: 'A conflict was resolved by the annotation: the destination took the value of the source.',
  DestinationWon: 'A conflict was resolved by the annotation: the source took the value of the destination.',
  PruneLimited: 'More documents would be removed than spec.sync.maxPrunePercent allows; none is.',
  SourceReturned: 'The source was pruned, and another writer brought it back; it is kept.',
  DestinationReturned: 'The destination was pruned, and another writer brought it back; it is kept.',
  PrunedSource: 'The destination was deleted, and the source was removed as spec.sync.prune requires.',
  PrunedDestination: 'The source was deleted, and the destination was removed as spec.sync.prune requires.',
  MappingCollision: 'Another document maps to the same path, or another key to the same name.',
  AwaitingSoak: 'Verified; the source is removed once the copy has been verified for soakSeconds.',
  MetadataLost:
    'The destination does not have some labels, annotations or types of JSON values that go with the source, as spec.mapping.metadataLoss allows.',
  AlreadyRenamed: 'The document already has its new name.',
  NotMapped: 'The name has several segments, and the destination has single names.',
  NoRule: 'Source and destination use the same store, and no rule of spec.mapping renames the document.',
  NotRecordable:
    'A row cannot hold the name or a path of the document, because it is too long or not Unicode. It is not touched.',
  Projected: 'Verified; the source is kept as the projection of the destination.',
  BackupExists: 'The source is kept: a different backup of this name exists.',
  BackupExpired: 'The backup of the source was removed after backupTTLSeconds.',
  PriorVersionLost:
    'The destination was overwritten, and the version that was there before did not stay readable.',
  SourceUnfinished: 'A write of the source was cut off, so its bytes are not certain; nothing was copied.',
  MappingIncomplete: 'The source lacks a label that spec.mapping.path uses.',
  CrossingMigrations:
    'Another migration removes the document that this one writes, or the reverse; both wait.',
  ProofTooOld: 'The source is kept: the copy was proven too long before the removal; it is proven again.',
  RemovalPending: 'The source is deleted, but a finalizer still holds it.',
  ClockSkew: 'The source or backup is kept: the clock of the operator differs from that of a server.',
  InUse: 'The document is kept: pods, workloads or other objects use the Secret.',
  InUseUnknown: 'The document is kept: it is not known whether anything uses the Secret.',
  OwnedElsewhere: 'The document is kept: another program or object owns, writes or replicates the Secret.',
  WouldPropagate: 'The document is kept: a PushSecret would delete elsewhere what it pushed of the Secret.',
  TrustRoot:
    'A backend reads its credentials from this Secret: it is never removed, and not copied unless spec.select.names lists it. Or a backend is not valid and what it reads is unknown: no source is removed.',
  Undoing: 'Source and destination both have the value; the copy is taken back next.',
  Undone:
    'spec.undo: the source has the value, and of what the migration wrote at the destination nothing is left.',
  CreatorUnknown: 'spec.undo: it is not recorded that this migration created the copy, so the copy stays.',
  NoWayBack:
    'spec.undo: the document at the destination cannot become the source again as spec.mapping is, so nothing was written.',
  SourceTaken: 'spec.undo: another document has the name of the removed source; it is not overwritten.',
  TooLarge: 'The document exceeds the size that the destination can store.',
  TooManyKeys: 'The document has more keys than the destination can store.',
  PathRefused: 'A backend does not allow a document at this path.',
  NameRefused: 'A backend does not allow a document of this name.',
  KeyRefused: 'The destination does not allow a key of this name.',
  TypeRefused: 'Documents of this type are never migrated, or the destination does not allow them.',
  ExpiryRefused: 'The source expires, and the destination cannot let it expire.',
  MetadataRefused:
    'The destination cannot hold a label, an annotation, an entry of custom metadata or the type of a JSON value of the source.',
  ReservedName: 'The name is reserved for system use.',
  PermissionDenied: 'A server refused the credentials or a permission.',
  CapabilityMissing: 'A backend lacks a capability that the migration requires.',
  BackendNotReady: 'A backend is not Ready.',
  AdmissionDenied: 'A quota, an admission policy or a webhook of the cluster refused the Secret.',
  AddressForbidden: 'The operator does not connect to the address unless an administrator allows it.',
  AuditLogBlocked: 'The audit log of the operator cannot be written; nothing is accessed until it can be.',
  BackendUnavailable: 'The server cannot be reached.',
  BackendSealed: 'The server is sealed.',
  TLSFailed: 'The TLS handshake with the server failed.',
  MountMissing: 'There is no KV mount at the path of the backend, or no such namespace on the server.',
  FolderMissing: 'The folder that the backend names does not exist.',
  FolderExposed: 'Every user of the machine can access the folder of the backend.',
  CredentialsMissing: 'The Secret with the credentials of a backend is missing or incomplete.',
  CredentialsForbidden:
    'A backend may not use the credentials that it names: the ServiceAccount, its audience or the namespace of the backend.',
  Timeout: 'The server did not answer in time.',
  RateLimited: 'The server asked to slow down.',
  ServerError: 'The server failed to handle the request.',
  ReplyInvalid: 'The reply is not what this API returns.',
  ReplyTooLarge: 'The reply is larger than a reply of this kind can be.',
  NotRepresentable: 'A backend cannot store or read the document unchanged.',
  UnknownState: 'Another version of the operator recorded a state that this version does not know.',
  VerifyMismatch: 'The value read back differs from the value written; the source is unchanged.',
  DecodeFailed: 'A value does not have the encoding that spec.mapping.keys names; nothing was written.',
  PartsRefused:
    'A document of the folder has no value, or the documents cannot be joined (spec.mapping.join); nothing was written.',
  EncodingCorrupt: 'A stored value does not have the encoding that its marker names.',
  Rejected: 'The server rejected the request permanently.',
  InternalError: 'Internal error; see the log of the operator.',
} as const satisfies Readonly<Record<RowReason, string>>;

/** Why a document that the source lists has no row. */
export const LEFT_OUT_REASONS = {
  NotSelected: 'spec.select does not select the name.',
  Excluded: 'spec.select.exclude excludes the name.',
  ExcludedType:
    'spec.select.exclude excludes the type, or documents of this type are never migrated (service account tokens, Helm releases, bootstrap tokens).',
  OtherPath: 'The path does not match spec.mapping.path.',
  OldName: 'A document at an old path (spec.source.fallback) that also exists at its new path.',
  Reserved: 'The name is reserved for system use. A reserved folder counts as one document.',
  Backup: 'A backup that Keyferry made of a removed source.',
  Hidden: 'Directories only: a name that starts with a period, or lost+found.',
} as const satisfies Readonly<Record<LeftOutReason, string>>;

/** All other events have the reason of a condition. */
export const EVENT_REASONS = {
  DeletedWhileRemoving:
    'A migration was deleted before it had removed all of its sources. The note says how far it came.',
  IdentityChanged: 'A backend leads to another store than before, as its annotation or its spec says.',
  KnownVulnerability: 'The version of a server is known to leak values, for example into its own audit log.',
  RestartFailed: 'A Secret changed, and a workload that uses it could not be restarted. The note says why.',
  RestartForbidden:
    'A Secret changed, and the operator may not restart the workloads that use it. The note says which right is missing.',
  SecretChanged:
    'On a workload: it restarts, because a Secret that it uses changed. The note names the Secrets.',
  SourcesRemoved: 'A run removed sources. The note says how many.',
} as const satisfies Readonly<Record<EventReason, string>>;

/** A stored condition can have a reason from another version of Keyferry. */
export function isConditionReason(word: string): word is ConditionReason {
  return Object.hasOwn(CONDITION_REASONS, word);
}

/** A stored row can have a reason from another version of Keyferry. */
export function isRowReason(word: string | undefined): word is RowReason {
  return word !== undefined && Object.hasOwn(ROW_REASONS, word);
}

/** A stored inventory can have a reason from another version of Keyferry. */
export function isLeftOutReason(word: string): word is LeftOutReason {
  return Object.hasOwn(LEFT_OUT_REASONS, word);
}
