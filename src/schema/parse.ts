import type { z } from 'zod';

/** A typed object, or its problems: one sentence per field, with its path and never a value. */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly string[] };

/** What an object of the API can have that this version of the schema has not. */
export interface Observed {
  /** Paths of fields of the spec that only another version knows; absent if there are none. */
  readonly unknownFields?: readonly string[];
}

/**
 * Parses an object read from the API. Applies the schema's defaults and drops unknown fields, so the result is
 * for reading only: writing it back would delete what a newer version stored.
 */
export function parseWith<S extends z.ZodType>(schema: S, input: unknown): Parsed<z.output<S>> {
  return parsedAs(schema.safeParse(input));
}

function parsedAs<T>(result: z.ZodSafeParseResult<T>): Parsed<T> {
  if (result.success) return { ok: true, value: result.data };
  return {
    ok: false,
    problems: result.error.issues.map((issue) => `${pathOf(issue.path)}: ${issue.message}`),
  };
}

/**
 * As `parseWith`, for an object whose status and spec another version may have written. A member of the status that this
 * version cannot read is absent from the result: the run finds it out again, and a merge patch that does not name it
 * leaves it as it is. `required` are members that must be readable. Fields of the spec that the schema has not are named.
 */
export function parseObserved<S extends z.ZodType<{ readonly spec: unknown }>>(
  schema: S,
  input: unknown,
  required: readonly string[] = [],
): Parsed<z.output<S> & Observed> {
  const result = schema.safeParse(input);
  const parsed = result.success
    ? parsedAs(result)
    : parseWith(schema, withoutStrangeStatus(input, result.error, required));
  if (!parsed.ok) return parsed;
  const unknownFields = unknownIn(memberOf(input, 'spec'), parsed.value.spec, 'spec');
  return {
    ok: true,
    value: Object.assign(parsed.value, unknownFields.length === 0 ? {} : { unknownFields }),
  };
}

/** The input without the members of its status that caused this error. */
function withoutStrangeStatus(input: unknown, error: z.ZodError, required: readonly string[]): unknown {
  const status = memberOf(input, 'status');
  if (!isObject(input) || !isObject(status)) return input;
  const strange = error.issues.flatMap(({ path: [root, member] }) =>
    root === 'status' && typeof member === 'string' && !required.includes(member) ? [member] : [],
  );
  const readable = Object.entries(status).filter(([member]) => !strange.includes(member));
  return { ...input, status: Object.fromEntries(readable) };
}

/** Paths of the members of `input` that parsing dropped. */
function unknownIn(input: unknown, parsed: unknown, path: string): string[] {
  if (Array.isArray(input) && Array.isArray(parsed))
    return input.flatMap((item, index) => unknownIn(item, parsed[index], `${path}[${index}]`));
  if (!isObject(input) || !isObject(parsed)) return [];
  return Object.entries(input).flatMap(([name, value]) =>
    Object.hasOwn(parsed, name) ? unknownIn(value, parsed[name], `${path}.${name}`) : [`${path}.${name}`],
  );
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function pathOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'object';
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}
