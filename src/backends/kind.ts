import type { z } from 'zod';
import type { PrinterColumn } from '#src/schema/printer-column.ts';
import type { ReservedPrefix } from './reserved-prefix.ts';

/**
 * What a migration can require of a backend and not every kind supports.
 * changes: writes and deletes that check what they replace. backups: keeping a removed source beside the original.
 * projections: staying readable as a copy of another store. durability: keeping what was written until it is removed.
 * revisions: keeping what is overwritten.
 */
export type Requirement = 'changes' | 'backups' | 'projections' | 'durability' | 'revisions';

/**
 * Everything about one kind of backend except its driver. The API, the generated CRDs, the trust root, the watches and
 * the preflight use it. A new kind is one such value in its own folder and one line in kinds.ts.
 */
export interface BackendKind<T extends string = string, S extends z.ZodType = z.ZodType> {
  /** Value of `spec.type`, and the name of the member of the spec that configures it. */
  readonly type: T;
  /** Schema of that member. */
  readonly schema: S;
  /** One sentence for the API reference: what kind of store it is. */
  readonly summary: string;
  /**
   * Names of all Secrets that a backend with this member reads: credentials and CA. No migration removes them, and a
   * change of one reopens the backend. A Secret that is missing here can be lost.
   */
  secretReferences(member: z.output<S>): readonly string[];
  /** The server that a backend with this member asks, as text to compare; absent: none that a tenant chooses. */
  serverOf?(member: z.output<S>): string;
  /**
   * Present if the documents of a store are the Secrets of this cluster in the namespace of the migration: then a watch of Secrets
   * tells what a listing of versions would tell. True for a Secret that a listing yields, as far as its metadata say.
   */
  holdsSecret?(metadata: SecretMetadata): boolean;
  /**
   * Where a backend with this member says that its store is, as text to compare: a change of it is meant to lead to another
   * store. Absent: such a backend has one place only. Nothing else in the member chooses a store.
   */
  placeOf?(member: z.output<S>): string;
  /** Columns of `kubectl get` over fields of the member. */
  readonly columns: readonly PrinterColumn[];
  /** What some or all stores of this kind cannot do. Without an entry, all can. */
  readonly limits: Readonly<Partial<Record<Requirement, Limit>>>;
}

/** What a watch of metadata knows of a Secret. */
export interface SecretMetadata {
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Why a store cannot do what a migration asks of it. */
export interface Limit {
  /** One sentence. */
  readonly why: string;
  /** What to do about it, if there is more to do than to change the migration. */
  readonly hint?: string;
}

/** Returns the kind unchanged; infers the type of its member for `secretReferences`. */
export function defineKind<const T extends string, S extends z.ZodType>(
  kind: BackendKind<T, S>,
): BackendKind<T, S> {
  return kind;
}

/** The part of a backend spec that is the same for all kinds; `memberOf` reads the rest. */
export type AnyBackendSpec = Readonly<{
  [member: string]: unknown;
  type: string;
  reservedPrefixes?: readonly ReservedPrefix[] | undefined;
}>;

/** The member of a parsed spec for this kind; undefined if the spec is for another kind. */
export function memberOf<S extends z.ZodType>(
  { type }: BackendKind<string, S>,
  spec: AnyBackendSpec,
): z.output<S> | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parsed with the schema of this kind
  return spec[type] as z.output<S> | undefined;
}
