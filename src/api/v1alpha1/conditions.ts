/** Closed lists of what a status can say. Each entry is API: its sentence is what the reference prints. */

/** Types of conditions. Ready and Succeeded are always there; the others only while they are true. */
export const CONDITION_TYPES = {
  Ready: 'The object does what its spec asks; Unknown while there is still work to do.',
  Succeeded: 'SecretMigration only: every key of the selection is done. Unknown while the run goes on.',
  Reconciling: 'The operator is at work on this generation.',
  Stalled: 'Nothing but an edit of this object can help.',
  Suspended: 'The spec says suspend: nothing is done until it no longer does.',
} as const;
export type ConditionType = keyof typeof CONDITION_TYPES;

/** Reasons of the conditions; printed in the column STATUS. */
export const CONDITION_REASONS = {
  Pending: 'Not looked at yet.',
  Progressing: 'The run is under way.',
  Completed: 'Every key is done.',
  DryRunCompleted: 'Every key was looked at; nothing was written.',
  AwaitingSoak: 'Every key is verified; sources wait for soakSeconds to pass before they are removed.',
  PartiallyFailed: 'Some keys failed; the others are done.',
  ConflictsFound: 'The destination holds something else for some keys; nothing was overwritten.',
  NothingSelected: 'The selection matches no document.',
  MappingCollision: 'Two documents would go to one path; nothing was written.',
  InvalidSpec: 'The spec cannot be carried out; the message names the field.',
  CapabilityMissing: 'A backend cannot do what the migration asks of it.',
  Suspended: 'The spec says suspend.',
  BackendNotFound: 'A backend that is referred to does not exist.',
  BackendNotReady: 'A backend that is referred to is not Ready.',
  BackendForbidden: 'The namespace is not in spec.allowedNamespaces of the ClusterSecretBackend.',
  DefaultMissing: 'No backend is named, and no ClusterSecretBackend is the default.',
  DefaultConflict: 'Another backend is the default already, and stays it; this one is refused.',
  DefaultChanged: 'Another backend is the default now than when the migration began; nothing is done.',
  ReservedName:
    'A name of the selection or its target is reserved for system use; nothing was read or written.',
  BackendUnavailable: 'The server of a backend cannot be reached or fails.',
  BackendSealed: 'The server of a backend is sealed.',
  CredentialsMissing: 'The Secret with the credentials of a backend is missing or incomplete.',
  PermissionDenied: 'A server refused the credentials or a permission.',
  MountMissing: 'There is no KV mount at the path of the backend.',
  FolderMissing: 'There is no folder at the path of the backend.',
  FolderExposed: 'Everybody on the machine can use the folder of the backend.',
  TLSFailed: 'The certificate of a server was not accepted.',
  IntegrityViolated: 'Bytes that were read back are not those that were written; look at the rows.',
  InternalError: 'Keyferry contradicts itself; see its log.',
  Available: 'Backends only: the server answers and does what is needed.',
} as const;
export type ConditionReason = keyof typeof CONDITION_REASONS;

/** Where a key can stand. */
export const ROW_STATES = [
  'Pending',
  'Copied',
  'Verified',
  'Removed',
  'Conflict',
  'Failed',
  'Skipped',
] as const;

/** The same states with a sentence each. */
export const ROW_STATE_MEANINGS: Readonly<Record<(typeof ROW_STATES)[number], string>> = {
  Pending: 'Nothing was written yet.',
  Copied: 'Written to the destination, not yet read back.',
  Verified: 'Read back from the destination and compared byte for byte.',
  Removed: 'Verified, and then removed from the source.',
  Conflict: 'The destination holds something else; nothing was overwritten.',
  Failed: 'Could not be moved; the reason says why.',
  Skipped: 'Deliberately left out.',
};

/** Why a key stands where it does. A row in a plain state may have none. */
export const ROW_REASONS = {
  AwaitingSoak: 'Verified; the source waits for soakSeconds to pass before it is removed.',
  WouldCreate: 'Dry run: it would be written.',
  WouldOverwrite: 'Dry run: it holds something else and would be overwritten.',
  WillOverwrite: 'It holds something else and is about to be overwritten.',
  WouldAdopt: 'Dry run: the destination already holds the same bytes.',
  DestinationDiffers: 'The destination holds other bytes, other fields or other attributes.',
  DestinationDeleted: 'The current version at the destination was deleted; the name is taken.',
  AttributesDiffer:
    'The bytes are equal, but the type, immutability, labels or custom metadata of the source would be lost.',
  OutlivesSource: 'The bytes are equal, but the source expires and the destination would stay.',
  ExpiresEarly: 'The bytes are equal, but the destination expires before the source would.',
  Expired: 'It came to the end of its life; an expired value is not brought back.',
  DestinationLost: 'The source was removed after proof, and the destination no longer has the document.',
  DestinationChanged: 'Somebody else wrote to the destination during the run.',
  SourceChanged: 'The source changed during the run; it is read again.',
  SourceMissing: 'The source does not exist.',
  SourceDeleted: 'The source holds only a deleted version.',
  SourceGone: 'The source was removed by somebody else.',
  MappingCollision: 'Another document goes to the same path, or another field to the same name.',
  AlreadyRenamed: 'It has the name that a rule of spec.mapping would give it.',
  NoRule: 'Inside one store: no rule of spec.mapping gives it another name.',
  Projected: 'Verified; the source stays as the projection of the destination.',
  BackupExists: 'The source stays: there is another backup of this name.',
  BackupExpired: 'The backup of the source was removed after backupTTLSeconds.',
  MappingIncomplete: 'The source lacks a label that the path asks for.',
  TrustRoot: 'The source stays: a backend needs it for its credentials.',
  TooLarge: 'The document exceeds the size that the destination can store.',
  TooManyKeys: 'The document has more fields than the destination can store.',
  PathRefused: 'The destination cannot have a document at this path.',
  NameRefused: 'The destination cannot have a document of this name.',
  KeyRefused: 'The destination cannot have a field of this name.',
  TypeRefused: 'Documents of this type are never migrated, or the destination cannot have them.',
  ExpiryRefused: 'The source expires, and the destination could only keep it for ever.',
  NoteRefused: 'The destination cannot have a label or an entry of custom metadata of the source.',
  ReservedName: 'The name is reserved for system use.',
  PermissionDenied: 'The credentials of a backend do not allow it.',
  BackendUnavailable: 'The server could not be reached or failed.',
  BackendSealed: 'The server is sealed.',
  MountMissing: 'There is no KV mount at the path of the backend.',
  FolderMissing: 'There is no folder at the path of the backend.',
  FolderExposed: 'Everybody on the machine can use the folder of the backend.',
  CredentialsMissing: 'The Secret with the credentials of a backend is missing or incomplete.',
  Timeout: 'The server did not answer in time.',
  RateLimited: 'The server asked to slow down.',
  ServerError: 'The server failed to handle the request.',
  ReplyInvalid: 'The reply is not what this API returns.',
  NotRepresentable: 'It cannot be moved unchanged: the destination has no form for something it holds.',
  VerifyMismatch: 'What was read back is not what was written; the source was left as it is.',
  EncodingCorrupt: 'A stored value does not have the encoding that its marker says.',
  Rejected: 'The server refused the request for good.',
  InternalError: 'Keyferry contradicts itself; see its log.',
} as const;
export type RowReason = keyof typeof ROW_REASONS;
