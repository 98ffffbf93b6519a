import { isJsonObject } from '#src/kube/json.ts';

/*
 * Members of an object whose kind is not one of ours, or that this version need not be able to read as a whole.
 */

/** The member at this path, if every part of it is there. */
export function at(object: unknown, ...path: readonly string[]): unknown {
  let current = object;
  for (const member of path) current = isJsonObject(current) ? current[member] : undefined;
  return current;
}

export function textAt(object: unknown, ...path: readonly string[]): string {
  const value = at(object, ...path);
  return typeof value === 'string' ? value : '';
}

export function numberAt(object: unknown, ...path: readonly string[]): number {
  const value = at(object, ...path);
  return typeof value === 'number' ? value : 0;
}

export function listAt(object: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = at(object, ...path);
  return Array.isArray(value) ? value : [];
}
