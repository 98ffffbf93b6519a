import type { ConditionReason, EventReason, LeftOutReason, RowReason } from '#src/errors/reasons.ts';

export type Word = ConditionReason | RowReason | EventReason | LeftOutReason;

const NOTHING = 'No action needed.';
const MOVE_IT = 'Rename it with `spec.mapping`, or exclude it with `spec.select.exclude`.';
const BY_HAND = 'Make source and destination equal, or set `spec.conflictPolicy`: [conflicts](conflicts.md).';
const WHAT_PROVES = 'What a destination must be to count as a copy: [removals](removals.md).';

/**
 * What to do, for reasons that no error code has, or that need more than the hint of their code. For docs/reasons.md and
 * `kubectl keyferry explain`. Markdown; links are relative to docs/.
 */
export const NEXT_STEPS: Readonly<Partial<Record<Word, string>>> = {
  Available: NOTHING,
  Completed: `${NOTHING} A completed migration does nothing until its spec changes or you [request a run](running-again.md).`,
  Synced: 'Nothing. Set `spec.mode` to Once to stop following changes.',
  DryRunCompleted: 'Read the rows, then set `spec.dryRun` to false to start the migration.',
  Progressing: 'Wait. The message shows how far the run is, and which server slows it down.',
  AwaitingApproval:
    'Read the plan in `status.plan` and in the [table of keys](keys.md). A user with the verb `approve` then runs the command in the message: [approval](approval.md).',
  NeedsReplan:
    'Find out who changed the document. Then approve the new plan, in which it has its own action: [approval](approval.md#what-changed-meanwhile).',
  AwaitingSoak: 'Wait, or set a shorter `spec.soakSeconds`. Sources are kept until then.',
  PartiallyFailed:
    'Read the rows whose state is `Failed` in the [table of keys](keys.md); each message says what to do. The others are done.',
  ConflictsFound: `Read the rows whose state is \`Conflict\` in the [table of keys](keys.md). ${BY_HAND}`,
  RangeFailed:
    'Ask an administrator for the logs of the pods of the Job that the message names. Another Job is made by itself: [several replicas](scaling.md#one-very-large-migration).',
  ReportsIncomplete:
    'If the message names a report, delete that report. If rows are lost, check the destination and [request a run](running-again.md): [source policies](source-policies.md#if-rows-are-lost).',
  UnknownState:
    'Run that version of the operator again, or look at the destination. Delete the migration when you know where its value is.',
  NothingSelected: 'Correct `spec.select`, or create the documents.',
  NothingMoved: 'If Ready is False, use another destination, or give new names in `spec.mapping`.',
  InternalError: 'Report it with the log line.',
  Undoing: 'Wait. The message shows how far it is.',
  Undone: 'Nothing. Remove `spec.undo` to migrate again, or delete the migration.',
  UndoIncomplete:
    'Read the rows without the reason `Undone` in the [table of keys](keys.md); each message says what to do: [undoing a move](undoing-a-move.md#what-is-not-taken-back).',
  CreatorUnknown:
    'If nobody needs the copy, remove it by hand: [undoing a move](undoing-a-move.md#what-is-not-taken-back).',
  NoWayBack: 'Create the source by hand from the value at the destination, which stays.',
  SourceTaken: 'Compare both, then rename or remove the document at the source; the undo goes on by itself.',
  Suspended: 'Set `spec.suspend` to false to continue.',
  IntegrityViolated:
    'Stop other writers to the destination, and compare source and destination of the named rows before you do anything else. Sources that still exist are kept.',
  BackendNotReady:
    'Run `kubectl describe secretbackend <name>`: its own reason says what is wrong. The migration goes on by itself.',
  BackendIdentityChanged:
    'Find out who replaced or restored the store. If it is the intended one, run the command in the message: [another store](another-store.md).',
  PermissionDenied:
    'The message names the identity and the right. Grant it in [OpenBao](openbao-policy.md) or in [Kubernetes](security/rbac.md).',
  AdmissionDenied:
    'The message names the quota, the policy or the webhook. Change the object or the rule; it is tried again: [admission](security/admission.md).',
  AddressForbidden:
    'Use another address, or ask an administrator to allow it with `--allow-connect-to`: [connections](security/connections.md).',
  BackendUnavailable:
    'Check address, port, CA and network policy. The log of the operator has the cause: [connections](security/connections.md).',
  TLSFailed:
    'Check `caBundle` or `caSecretRef`, `tlsServerName` and the certificate of the server: [connections](security/connections.md).',
  ReservedName:
    'Use another name in `spec.select` or `spec.mapping`, or ask the owner of `spec.reservedPrefixes` of the backend: [reserved names](reserved-names.md).',
  SelectionTooLarge:
    'Use a narrower `spec.select` or `spec.mapping.path`, in several migrations: [limits](limits.md#listings).',
  AuditLogBlocked:
    'Free disk space or correct the file; work resumes automatically and no record is lost: [audit log](audit-log.md).',
  NestedEnds:
    'Exclude the destination in `spec.select.exclude.prefixes`, or use separate folders: [inventory](inventory.md#one-folder-inside-the-other).',
  IdentityShared:
    'One server: give both backends one address. A copied server: enable a new mount there. See [inventory](inventory.md#two-backends-one-place).',

  WouldCreate: 'Set `spec.dryRun` to false to start the migration, or [approve the plan](approval.md).',
  WouldOverwrite:
    'Check what is at the destination; then set `spec.dryRun` to false or [approve the plan](approval.md), or exclude the document.',
  WouldAdopt:
    'Set `spec.dryRun` to false to start the migration, or [approve the plan](approval.md). Nothing is written for this document.',
  WillOverwrite: 'Wait. The row shows the version to [restore](undoing-a-move.md) afterwards.',
  DestinationDiffers: BY_HAND,
  DestinationDeleted: `Undelete the version, or remove the document completely, or set \`spec.conflictPolicy\`: [conflicts](conflicts.md).`,
  DestinationLeaving: `Wait until the document or its namespace is gone, or use another name. ${WHAT_PROVES}`,
  DestinationOwned: `Remove the owner from the document, or use \`sourcePolicy: Keep\`, in \`mode: Sync\` \`sync.adopt\`. ${WHAT_PROVES}`,
  AttributesDiffer:
    'Set `spec.conflictPolicy: Overwrite`, or do without them with `spec.mapping.metadataLoss: Allow`: [metadata](metadata.md).',
  OutlivesSource: 'Let the copy expire at the destination, or set `spec.conflictPolicy: Overwrite`.',
  ExpiresEarly:
    'Change `delete_version_after` of the mount or document at the destination: [metadata](metadata.md#expiry).',
  DestinationLost:
    'Find out who removed the document. Undelete it at the destination, or restore the value from a backup: [undoing a move](undoing-a-move.md).',
  DestinationChanged: 'No action needed; Keyferry reads the document and decides again.',
  SourceChanged: 'No action needed; the source is read again.',
  SourceMissing: 'Create the document, or remove its name from `spec.select.names`.',
  SourceDeleted: 'Undelete the newest version at the source if it is still needed, or exclude the document.',
  SourceGone: 'Check who removed it. The row shows whether it was copied before.',
  SecretImmutable:
    'Set `spec.sync.recreateImmutable: true`, or delete the Secret: it is created again. [What that means](limits.md#immutable-secrets).',
  BothChanged: 'Decide which value is right and [choose the winner](conflicts.md#choose-the-winner).',
  BaseUnknown: 'Decide which value is right and [choose the winner](conflicts.md#choose-the-winner).',
  SourceEdited:
    'Change the destination instead. Undo the change of the source, or set `spec.conflictPolicy`.',
  DestinationEdited: BY_HAND,
  SourceLeaving: 'Wait until the document or its namespace is gone, or remove its finalizer.',
  SyncEnded:
    'Make them equal, or set a later `spec.sync.untilTime`: [new names](re-keying.md#keep-old-names-working).',
  SourceOwned: 'Remove the owner from the document, set `spec.sync.adopt`, or exclude it.',
  DestinationGone: 'Check who removed it. Remove the source too, or restore the destination.',
  FollowedSource: NOTHING,
  FollowedDestination: NOTHING,
  RestoredSource: 'Find out who changed it.',
  RestoredDestination: 'Find out who changed it.',
  SourceWon: NOTHING,
  DestinationWon: NOTHING,
  PruneLimited:
    'Check why so many documents were deleted. Restore them, raise `spec.sync.maxPrunePercent`, or remove the documents by hand: [pruning](prune.md).',
  SourceReturned: 'Restore the destination, or remove the source by hand: [pruning](prune.md).',
  DestinationReturned: 'Restore the source, or remove the destination by hand: [pruning](prune.md).',
  PrunedSource: NOTHING,
  PrunedDestination: NOTHING,
  SourceUnfinished: 'Run the migration that wrote the source again: [metadata](metadata.md#markers).',
  MappingCollision: 'Change `spec.mapping`, or exclude all but one of the documents that the message names.',
  MappingIncomplete: 'Add the label to the Secret, or use another `spec.mapping.path`.',
  MetadataLost: NOTHING,
  AlreadyRenamed: NOTHING,
  NoRule: 'Add a rule to `spec.mapping` if the document needs a new name: [new names](re-keying.md).',
  NotMapped:
    'Set `spec.mapping.segmentSeparator`, or give the name in `spec.mapping.overrides`: [inventory](inventory.md#paths-with-more-segments-than-the-destination-has).',
  NotRecordable: 'Rename the document at its source, or exclude it.',
  Projected: NOTHING,
  BackupExists: 'Compare the existing backup with the source. Then remove or rename the backup.',
  BackupExpired: NOTHING,
  PriorVersionLost:
    'Keep more versions (`max_versions`) before the next overwrite: [conflicts](conflicts.md).',
  CrossingMigrations: 'Suspend or delete one of the two migrations.',
  RemovalPending:
    'Look at `metadata.finalizers` of the Secret; the program that set the finalizer must remove it.',
  ClockSkew: 'Synchronize the clocks of the node and of the named server (NTP).',
  InUse:
    'Let the objects in the message use another Secret, or set `spec.removal.inUse: Ignore`. The removal follows by itself: [removals](removals.md#gates).',
  InUseUnknown:
    'Grant what the message says, or set `spec.removal.inUse: Ignore` once you know that nothing uses the Secret: [removals](removals.md#gates).',
  OwnedElsewhere:
    'Remove the Secret where it is managed, or set `spec.removal.owned: Remove`: [removals](removals.md#gates).',
  WouldPropagate:
    'Set `deletionPolicy: None` in the PushSecret, or delete it: [removals](removals.md#gates).',
  TrustRoot:
    'No action needed if the Secret is a credential of a backend. If a backend is not valid, correct it: until then no source is removed.',
  TooLarge: `Split the document, or exclude it: [limits](limits.md).`,
  TooManyKeys: `Split the document, or exclude it: [limits](limits.md).`,
  PathRefused: MOVE_IT,
  NameRefused: MOVE_IT,
  KeyRefused: 'Rename the key with `spec.mapping.keys`, or exclude the document.',
  TypeRefused: 'Exclude the document. Tokens and Helm releases belong to the programs that make them.',
  ExpiryRefused:
    'Use a destination where values can expire, or exclude the document: [metadata](metadata.md#expiry).',
  NotRepresentable:
    'Change the document at its source, or exclude it. Numbers, objects and other JSON: [JSON values](json-values.md).',
  MetadataRefused:
    'Remove or rename the label that the message names, or set `spec.mapping.metadataLoss: Allow`: [metadata](metadata.md). For a JSON type: [JSON values](json-values.md).',

  DeletedWhileRemoving: 'The values are at the destination. To go on, create the migration again.',
  IdentityChanged:
    'No action needed, unless you did not mean it: then suspend its migrations. Each soak starts again.',
  KnownVulnerability:
    'Update the server, and restrict who reads its audit log: [policy](openbao-policy.md#versions-with-a-leak-in-their-audit-log).',
  RestartFailed:
    'Do what the note says, then restart the workload: `kubectl rollout restart`. Keyferry tried it five times and does not try again: [rotation](rotate-without-restart.md).',
  RestartForbidden:
    'Set `rollout.enabled` of the chart, or bind the role of `config/rollouts`: [rotation](rotate-without-restart.md#let-the-operator-do-it). Then restart the workloads yourself, this time.',
  SecretChanged: NOTHING,
  SourcesRemoved: NOTHING,

  NotSelected: 'No action needed, unless the document is to be moved: then change `spec.select`.',
  Excluded: 'No action needed, unless the document is to be moved: then change `spec.select.exclude`.',
  ExcludedType:
    'No action needed, unless the document is to be moved: then change `spec.select.exclude.types`.',
  OtherPath: 'No action needed, unless the document is to be moved: then change `spec.mapping.path`.',
  OldName: 'No action needed; the document at its new path is used: [new names](re-keying.md).',
  Reserved: 'No action needed: [reserved names](reserved-names.md).',
  Backup: 'No action needed: [source policies](source-policies.md#backup).',
  Hidden: 'Rename the file if it is to be moved: [directories](directory.md).',
};
