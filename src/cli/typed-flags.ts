/*
 * The flags that a person typed, as commander hands them on: by name, each of a type that its declaration decides.
 */

/** Flags by name, in camel case: `--all-namespaces` is `allNamespaces`. */
export type TypedFlags = Readonly<Record<string, unknown>>;

export function typedFlags(options: unknown): TypedFlags {
  return typeof options === 'object' && options !== null ? { ...options } : {};
}

/** The text of a flag with a value. */
export function textOf(flags: TypedFlags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

/** Whether a flag without a value was typed. */
export function isSet(flags: TypedFlags, name: string): boolean {
  return flags[name] === true;
}

/** The texts of a flag that can be repeated. */
export function textsOf(flags: TypedFlags, name: string): readonly string[] {
  const value = flags[name];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
