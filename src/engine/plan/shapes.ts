import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { End } from '#src/core/mapping/traveling.ts';
import { OperatorError } from '#src/errors.ts';

/*
 * What gives a document another shape at the destination than it has at the source, and which ends that is for.
 */

export interface Ends {
  readonly source: End;
  readonly destination: End;
}

/** Throws `SPEC_INVALID` for a shape that these two ends cannot have. */
export function requireShapes({ spec }: SecretMigration, ends: Ends): void {
  const { keys = [] } = spec.mapping;
  const fromPaths = ends.source.addressing === 'tree' && ends.destination.addressing === 'flat';
  const decoded = keys.findIndex(({ decode }) => decode !== undefined);
  if (decoded >= 0 && !fromPaths) {
    throw invalid(`spec.mapping.keys[${decoded}].decode`, {
      detail: 'decode is supported only from paths to Secrets or files.',
      hint: 'Remove it: elsewhere a value is moved as it is written.',
    });
  }
}

function invalid(target: string, said: { readonly detail: string; readonly hint: string }): OperatorError {
  return new OperatorError('SPEC_INVALID', { op: 'mapping.compile', target, ...said });
}
