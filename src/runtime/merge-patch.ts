import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';

/**
 * The RFC 7386 merge patch that turns `before` into `after`, or undefined when they are equal. Removed members become null,
 * arrays are replaced as a whole, members that are `undefined` count as absent. Precondition: no object in `after` has a
 * null member, because a merge patch cannot express that.
 */
export function toMergePatch(before: JsonObject, after: JsonObject): JsonObject | undefined {
  const patch: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const change = toMemberPatch(ownMember(before, name), ownMember(after, name));
    // defineProperty: a member named __proto__ is data here.
    if (change !== undefined) Object.defineProperty(patch, name, { ...PLAIN, value: change });
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** Not what each object inherits, such as `constructor`. */
function ownMember(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

const PLAIN = { enumerable: true, writable: true, configurable: true };

function toMemberPatch(before: unknown, after: unknown): unknown {
  if (after === undefined) return before === undefined ? undefined : null;
  if (isJsonObject(before) && isJsonObject(after)) return toMergePatch(before, after);
  return isDeepStrictEqual(before, after) ? undefined : after;
}

/** What RFC 7386 makes of an object and a patch. */
export function applyMergePatch(before: JsonObject, patch: JsonObject): JsonObject {
  const after = new Map(Object.entries(before));
  for (const [name, change] of Object.entries(patch)) {
    const old = after.get(name);
    if (change === null) after.delete(name);
    else
      after.set(name, isJsonObject(change) ? applyMergePatch(isJsonObject(old) ? old : {}, change) : change);
  }
  return Object.fromEntries(after);
}
