import type { z } from 'zod';
import type { PrinterColumn } from '#src/schema/printer-column.ts';

/**
 * What a migration can ask of a backend and not every kind of it can do.
 * changes: writes and deletes that check what they replace. backups: keeping a removed source beside the original.
 * projections: staying readable as the copy of another store. durability: keeping what was written until it is removed.
 * revisions: keeping what is overwritten.
 */
export type Requirement = 'changes' | 'backups' | 'projections' | 'durability' | 'revisions';

/**
 * All that is said of one kind of backend, apart from its driver: the API, the generated CRDs, the trust root, the
 * watches and the preflight ask it. A new kind is one such value in its own folder and one line in kinds.ts.
 */
export interface BackendKind<T extends string = string, S extends z.ZodType = z.ZodType> {
  /** Value of `spec.type`, and the name of the member of the spec that configures it. */
  readonly type: T;
  /** What the member holds. */
  readonly schema: S;
  /** One sentence for the API reference: what kind of store it is. */
  readonly summary: string;
  /**
   * Names of all Secrets that a backend with this member reads: credentials and CA. No migration removes them, and a
   * change of one reopens the backend, so a Secret that is missing here can be lost.
   */
  secretReferences(member: z.output<S>): readonly string[];
  /** Columns of `kubectl get` over fields of the member. */
  readonly columns: readonly PrinterColumn[];
  /** Sentences: why stores of this kind, or some of them, cannot do it, and what to do instead. No entry: all can. */
  readonly limits: Readonly<Partial<Record<Requirement, string>>>;
}

/** Checks a kind where it is written, with the type of its member known to `secretReferences`. */
export function defineKind<const T extends string, S extends z.ZodType>(
  kind: BackendKind<T, S>,
): BackendKind<T, S> {
  return kind;
}
