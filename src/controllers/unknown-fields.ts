import { OperatorError } from '#src/errors.ts';
import type { Observed } from '#src/schema/parse.ts';

const MAX_NAMED = 3;

/** True when the spec has fields that this version does not know. */
export function hasUnknownFields({ unknownFields = [] }: Observed): boolean {
  return unknownFields.length > 0;
}

/** The sentence about these fields; undefined if there are none. */
export function unknownFieldsProblem({ unknownFields = [] }: Observed): string | undefined {
  if (unknownFields.length === 0) return undefined;
  const named = unknownFields.slice(0, MAX_NAMED).join(', ');
  return `This version of the operator does not know ${named}, so it cannot do what the spec asks`;
}

/**
 * Throws `SPEC_INVALID` for a spec with fields that this version does not know. The CRDs have them, or the API server would
 * have dropped them: a newer version is being installed or was rolled back. Without what such a field asks, more could be
 * moved or removed than the user wants.
 */
export function requireKnownFields(
  observed: Observed,
  about: { readonly op: string; readonly target: string },
): void {
  const problem = unknownFieldsProblem(observed);
  if (problem === undefined) return;
  const hint = 'Run the version of the operator that the CRDs are from, or remove the fields.';
  throw new OperatorError('SPEC_INVALID', { ...about, detail: `${problem}.`, hint });
}
