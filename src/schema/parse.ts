import type { z } from 'zod';

/** A typed object, or its problems: one sentence per field, with its path and never a value. */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Parses an object read from the API. Applies the schema's defaults and drops unknown fields, so the result is
 * for reading only: writing it back would delete what a newer version stored.
 */
export function parseWith<S extends z.ZodType>(schema: S, input: unknown): Parsed<z.output<S>> {
  const result = schema.safeParse(input);
  if (result.success) return { ok: true, value: result.data };
  return {
    ok: false,
    problems: result.error.issues.map((issue) => `${pathOf(issue.path)}: ${issue.message}`),
  };
}

function pathOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'object';
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}
