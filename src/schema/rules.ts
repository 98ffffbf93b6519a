import type { z } from 'zod';

/** One CEL rule of the CRD, and the same rule for zod. */
export interface Rule<T> {
  /** CEL over `self`. A rule that uses `oldSelf` runs on updates only. */
  readonly rule: string;
  /** Shown to the user when the rule is violated: says what to do, quotes no value. */
  readonly message: string;
  /** CEL for a message that names what is wrong, instead of `message`. Over names only, never over a value. */
  readonly messageExpression?: string;
  /** The same rule as a predicate. Absent for a rule over `oldSelf`: zod sees one object only. */
  readonly holds?: (self: T) => boolean;
}

/** Attaches `rules` to `schema` for the apiserver (as `x-kubernetes-validations`) and for zod (as refinements). */
export function withRules<S extends z.ZodType>(schema: S, ...rules: readonly Rule<z.output<S>>[]): S {
  let refined = schema;
  for (const { holds, message } of rules) {
    if (holds !== undefined) refined = refined.refine((self) => holds(self), { error: message });
  }
  const validations = rules.map(({ rule, message, messageExpression }) => ({
    rule,
    message,
    ...(messageExpression === undefined ? {} : { messageExpression }),
  }));
  return refined.meta({ ...schema.meta(), 'x-kubernetes-validations': validations });
}

/** Exactly one of `members` is set: as CEL and as a predicate. */
export function exactlyOne<T extends object>(
  members: readonly (keyof T & string)[],
  message: string,
): Rule<T> {
  return {
    rule: `${members.map((member) => `(has(self.${member}) ? 1 : 0)`).join(' + ')} == 1`,
    message,
    holds: (self) => members.filter((member) => self[member] !== undefined).length === 1,
  };
}

/**
 * The text matches the pattern (RE2). A rule and not `pattern`, for which the apiserver has no message but the pattern
 * itself.
 */
export function matching(pattern: RegExp, message: string): Rule<string> {
  return {
    rule: `self.matches(r'${pattern.source.replaceAll(String.raw`\/`, '/')}')`,
    message,
    holds: (self) => pattern.test(self),
  };
}

/** The field cannot change after creation. */
export function immutable(message: string): Rule<unknown> {
  return { rule: 'self == oldSelf', message };
}

/** No segment of the path is empty, "." or "..". Of a `start`, more of the path follows, so its last segment can be empty. */
export function pathSegments(message: string, part: 'whole' | 'start' = 'whole'): Rule<string> {
  const more = part === 'whole' ? '' : 'x';
  const whole = part === 'whole' ? 'self' : "(self + 'x')";
  return {
    rule: `${whole}.split('/').all(segment, segment != '' && segment != '.' && segment != '..')`,
    message,
    holds: (self) => `${self}${more}`.split('/').every((segment) => !['', '.', '..'].includes(segment)),
  };
}
