import type { Policy } from '#src/core/plan.ts';
import type { Route } from '#src/core/mapping/route.ts';
import type { Selection } from '#src/core/selection.ts';

/** A SecretMigration's spec, parsed and compiled: what the engine carries out. Shared by operator and CLI. */
export interface Intent {
  readonly selection: Selection;
  readonly route: Route;
  readonly policy: Policy;
  /** How long a document stays Verified before its source may be removed, milliseconds. */
  readonly soakMs: number;
  /** Read everything, write nothing, report `Would*`. */
  readonly dryRun: boolean;
}
