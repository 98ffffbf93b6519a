/** A text that a path leads to, or a value that is not one: then the path is not that of a name. */
export type Reached = { readonly text: string } | { readonly isOther: true };

/**
 * What a dotted path leads to in an object: `spec.tls.secretName`. A list on the way stands for each of its items. A member that
 * is absent or null leads nowhere. Each value is visited at most once, so the time is linear in the size of the object.
 */
export function* valuesAt(object: unknown, path: readonly string[]): Generator<Reached> {
  // A stack of its own: lists in lists can be deeper than that of calls.
  const open: (readonly [value: unknown, depth: number])[] = [[object, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, depth] = next;
    if (value === null || value === undefined) continue;
    if (Array.isArray(value)) {
      for (const item of value.toReversed()) open.push([item, depth]);
      continue;
    }
    const member = path[depth];
    if (member === undefined) yield typeof value === 'string' ? { text: value } : { isOther: true };
    else if (isObject(value))
      open.push([Object.hasOwn(value, member) ? value[member] : undefined, depth + 1]);
    else yield { isOther: true };
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
