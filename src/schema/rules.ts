import type { z } from 'zod';

/** One CEL rule of the CRD, together with what the same rule means to zod. */
export interface Rule<T> {
  /** CEL over `self` (and `oldSelf`: then the apiserver runs it on updates only). */
  readonly rule: string;
  /** What the user reads when it does not hold: says what to do, quotes no value. */
  readonly message: string;
  /** The same fact for objects that come from elsewhere. Absent for a rule over `oldSelf`: zod sees one object only. */
  readonly holds?: (self: T) => boolean;
}

/** Attaches `rules` to `schema` for the apiserver (as `x-kubernetes-validations`) and for zod (as refinements). */
export function withRules<S extends z.ZodType>(schema: S, ...rules: readonly Rule<z.output<S>>[]): S {
  let refined = schema;
  for (const { holds, message } of rules) {
    if (holds !== undefined) refined = refined.refine((self) => holds(self), { error: message });
  }
  const validations = rules.map(({ rule, message }) => ({ rule, message }));
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

/** The field keeps the value that it was created with. */
export function immutable(message: string): Rule<unknown> {
  return { rule: 'self == oldSelf', message };
}
