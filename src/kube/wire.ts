import type { KubernetesListObject, KubernetesObject } from '@kubernetes/client-node';

/**
 * A type of client-node as JSON has it: read-only, and with text for times. client-node declares them as Date
 * (V1MicroTime too), which its own clients make of them and ours do not: see ADR 0052.
 */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Wire<T[Key]> | (IsOptional<T, Key> extends true ? undefined : never) }
      : T;

/** True for `key?: …`, not for the keys of a map. */
type IsOptional<T, Key extends keyof T> = string extends Key ? false : {} extends Pick<T, Key> ? true : false;

/** What the API server sets in the metadata of each object that it stores. */
export interface StoredIdentity {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** An object of client-node as the API server returns it. */
export type Stored<T extends KubernetesObject> = Wire<Omit<T, 'metadata'>> & {
  readonly metadata: Wire<Omit<NonNullable<T['metadata']>, keyof StoredIdentity>> & StoredIdentity;
};

/** A list of them. The API server writes an empty one as null in kinds that CustomResourceDefinitions do not define. */
export type StoredList<T extends KubernetesObject> = Wire<Omit<KubernetesListObject<T>, 'items'>> & {
  readonly items: readonly Stored<T>[];
};
