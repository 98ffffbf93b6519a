/** An iterable whose items are made while somebody iterates, as often as somebody does. */
export function repeatable<T>(items: () => Iterator<T>): Iterable<T> {
  return { [Symbol.iterator]: items };
}

export function isEmpty(items: Iterable<unknown>): boolean {
  for (const _first of items) return false;
  return true;
}
