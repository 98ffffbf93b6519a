import {
  parseClusterSecretBackend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { OperatorError } from '#src/errors.ts';
import type { CachedObject, IndexFunction } from '#src/runtime/store.ts';
import type { Parsed } from '#src/schema/parse.ts';

/*
 * What the caches keep of each object that is watched. Kinds of ours are parsed: throws `SPEC_INVALID` for an object that
 * does not match the schema of its kind.
 */

/** Without the rows of its status: they are read live, and would cost memory here, and most of the time of a start. */
export function projectMigration(object: CachedObject): SecretMigration {
  return parsedBy(parseSecretMigration, withoutRows(object));
}

export function projectBackend(object: CachedObject): SecretBackend {
  return parsedBy(parseSecretBackend, object);
}

export function projectClusterBackend(object: CachedObject): ClusterSecretBackend {
  return parsedBy(parseClusterSecretBackend, object);
}

function withoutRows(object: CachedObject): CachedObject {
  if (!('status' in object) || typeof object.status !== 'object') return object;
  const kept = { ...object, status: { ...object.status, keys: undefined, exceptions: undefined } };
  return kept;
}

function parsedBy<T>(parse: (object: unknown) => Parsed<T>, object: CachedObject): T {
  const parsed = parse(object);
  if (parsed.ok) return parsed.value;
  throw new OperatorError('SPEC_INVALID', { op: 'watch.parse', detail: parsed.problems.join('; ') });
}

/** Indexes of the caches of namespaced objects of ours. */
export const NAMESPACE_INDEX: Readonly<Record<'namespace', IndexFunction<CachedObject>>> = {
  namespace: ({ metadata }) => [metadata.namespace ?? ''],
};
