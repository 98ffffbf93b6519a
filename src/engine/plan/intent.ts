import type { Policy } from '#src/core/checks.ts';
import type { KeyNames } from '#src/core/mapping/key-names.ts';
import type { OldKeys } from '#src/core/mapping/old-keys.ts';
import type { Route } from '#src/core/mapping/route.ts';
import type { Traveling } from '#src/core/mapping/traveling.ts';
import type { Selection } from '#src/core/selection.ts';
import type { Resolutions } from '#src/core/sync/resolution.ts';
import type { SyncPolicy } from '#src/core/sync/three-way.ts';

/** What only mode Sync has. */
export interface SyncIntent extends SyncPolicy {
  /** At most this percentage of the documents is removed in one hour, and at least one document. */
  readonly maxPrunePercent: number;
  /** A read of the source lists a folder: that a document is deleted is only known from a listing, which removes nothing. */
  readonly listsToRead: boolean;
  /** Documents that belong to another object are written too. */
  readonly adopts: boolean;
  readonly recreatesImmutable: boolean;
  /** When following ends, milliseconds since the epoch; undefined: never. */
  readonly untilMs: number | undefined;
  /** What users decided of conflicts: an annotation of the migration. */
  readonly resolutions: Resolutions;
  /** The way back of `keyNames`. */
  readonly oldKeys: OldKeys;
}

/** What only spec.undo has. */
export interface UndoIntent {
  /** The way back of `keyNames`; undefined if it has none. */
  readonly oldKeys: OldKeys | undefined;
}

/** A SecretMigration's spec, parsed and compiled: what the engine carries out. Shared by operator and CLI. */
export interface Intent {
  readonly selection: Selection;
  readonly route: Route;
  /** The policy for the document of this name: a rule of the mapping can override the spec. */
  policyOf(name: string): Policy;
  /** True when the policy of some document removes its source. */
  readonly removesSources: boolean;
  /** The names of its keys at the destination. */
  readonly keyNames: KeyNames;
  /** The type that the document of this name gets at the destination if it has none; undefined: Opaque. */
  secretTypeOf(name: string): string | undefined;
  /** Which of its labels, annotations or custom metadata are copied. */
  readonly traveling: Traveling;
  /** What happens to a source with metadata that the destination cannot hold or lacks. */
  readonly metadataLoss: 'Refuse' | 'Allow';
  /** What happens to a JSON value that is not a string, where the destination holds bytes only. */
  readonly jsonValues: 'Refuse' | 'AsText';
  /** How long a document stays Verified before its source may be removed, milliseconds. */
  readonly soakMs: number;
  /** When the fallback to old addresses ends, milliseconds since the epoch. */
  readonly fallbackUntil: number | undefined;
  /** How long a backup is kept, milliseconds; undefined: forever. */
  readonly backupTtlMs: number | undefined;
  /** How both sides are kept in step; undefined: mode Once. */
  readonly sync: SyncIntent | undefined;
  /** What taking the migration back needs; undefined: it is not taken back. */
  readonly undo: UndoIntent | undefined;
  /** Read everything, write nothing, report `Would*`. */
  readonly dryRun: boolean;
}
