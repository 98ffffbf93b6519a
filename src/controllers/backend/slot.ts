import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { Driver } from '#src/backends/driver.ts';
import type { OpenBackend } from '#src/backends/registry.ts';
import { stopped } from '#src/errors/stopped.ts';

/** One backend of one generation. */
export interface Slot {
  readonly uid: string;
  readonly generation: number;
  /** As it was last read: its status says which store it is for. */
  latest: Backend;
  readonly backend: OpenBackend;
  readonly users: Set<User>;
  /** A migration has had it since the last question (`DriverPool.takeUse`). */
  wasLent: boolean;
  retired: boolean;
}

/** One lease of a slot. */
export interface User {
  /** Undefined: it uses the backend as a whole. */
  readonly lent: { readonly namespace: string; readonly driver: Driver } | undefined;
  readonly retired: AbortController;
  readonly revoked: AbortController;
}

/** True if a migration uses it. */
export function isLent({ users }: Slot): boolean {
  return [...users].some(({ lent }) => lent !== undefined);
}

/** Makes the leases of namespaces that may not use it refuse work at once. */
export async function revoke(
  { users }: Slot,
  mayUse: (namespace: string) => boolean,
  because: string,
): Promise<void> {
  const withdrawn = [...users].filter(({ lent }) => lent !== undefined && !mayUse(lent.namespace));
  for (const { revoked } of withdrawn) revoked.abort(stopped(because));
  await Promise.all(withdrawn.map(async ({ lent }) => lent?.driver[Symbol.asyncDispose]()));
}
