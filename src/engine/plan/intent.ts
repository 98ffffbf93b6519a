import type { Policy } from '#src/core/checks.ts';
import type { KeyNames } from '#src/core/mapping/key-names.ts';
import type { MetadataFilter } from '#src/core/mapping/metadata.ts';
import type { Route } from '#src/core/mapping/route.ts';
import type { Selection } from '#src/core/selection.ts';

/** A SecretMigration's spec, parsed and compiled: what the engine carries out. Shared by operator and CLI. */
export interface Intent {
  readonly selection: Selection;
  readonly route: Route;
  /** What is wanted of the document of this name: a rule of the mapping may say other than the spec. */
  policyOf(name: string): Policy;
  /** What its fields are called at the destination. */
  readonly keyNames: KeyNames;
  /** Which of its labels or custom metadata go along. */
  readonly travellingMetadata: MetadataFilter;
  /** How long a document stays Verified before its source may be removed, milliseconds. */
  readonly soakMs: number;
  /** Until when what is absent is looked for at its old address, milliseconds since the epoch. */
  readonly fallbackUntil: number | undefined;
  /** How long a backup is kept, milliseconds; undefined: for ever. */
  readonly backupTtlMs: number | undefined;
  /** Read everything, write nothing, report `Would*`. */
  readonly dryRun: boolean;
}
