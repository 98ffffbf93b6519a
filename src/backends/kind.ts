import type { z } from 'zod';
import type { PrinterColumn } from '#src/schema/printer-column.ts';
import type { ReservedPrefix } from './reserved-prefix.ts';

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
  /** What stores of this kind, or some of them, cannot do. No entry: all can. */
  readonly limits: Readonly<Partial<Record<Requirement, Limit>>>;
}

/** Why a store cannot do what a migration asks of it. */
export interface Limit {
  /** One sentence. */
  readonly why: string;
  /** What to do about it, where there is more to say than to ask for less. */
  readonly hint?: string;
}

/** Checks a kind where it is written, with the type of its member known to `secretReferences`. */
export function defineKind<const T extends string, S extends z.ZodType>(
  kind: BackendKind<T, S>,
): BackendKind<T, S> {
  return kind;
}

/** The spec of a backend of any kind, as far as no kind is needed to read it; the rest is read with `memberOf`. */
export type AnyBackendSpec = Readonly<{
  [member: string]: unknown;
  type: string;
  reservedPrefixes?: readonly ReservedPrefix[] | undefined;
}>;

/** What configures this kind in a parsed spec; undefined when the spec is of another kind. */
export function memberOf<S extends z.ZodType>(
  { type }: BackendKind<string, S>,
  spec: AnyBackendSpec,
): z.output<S> | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parsed with the schema of this kind
  return spec[type] as z.output<S> | undefined;
}
