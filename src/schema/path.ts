import { z } from 'zod';
import { matching, withRules } from './rules.ts';

/** Segments of letters, digits, "_", "-" and ".", none of which starts with a dot, joined by single slashes. */
const PATH = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;
const PATH_PROBLEM =
  'must be segments of letters, digits, "_", "-" and ".", joined by single slashes: remove any other slash, also at the start and end';

/** A relative path inside a backend: no leading or trailing slash, and no segment that leads to a parent. */
export const PathSchema = withRules(z.string().min(1).max(253), matching(PATH, PATH_PROBLEM));

/**
 * A path in a KV engine: what src/backends/openbao/path.ts allows, in RE2. Its segments have printable characters except
 * `\\ % ? #`, start with neither a period nor a space and end with neither. `\p{Z}` has the space too.
 */
const TREE_PATH =
  /^[^\p{C}\p{Z}\\%?#/.](([^\p{C}\p{Z}\\%?#/]| )*[^\p{C}\p{Z}\\%?#/.])?(\/[^\p{C}\p{Z}\\%?#/.](([^\p{C}\p{Z}\\%?#/]| )*[^\p{C}\p{Z}\\%?#/.])?)*$/u;
const TREE_PATH_PROBLEM =
  'must be segments of printable characters except "\\", "%", "?" and "#", joined by single slashes: remove any other slash, also at the start and end, and a space or period at the end of a segment';

/** A relative path in a KV engine. */
export const TreePathSchema = withRules(z.string().min(1).max(253), matching(TREE_PATH, TREE_PATH_PROBLEM));

const NAMESPACE = /^\/?[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*\/?$/;
const NAMESPACE_PROBLEM =
  'must be names of letters, digits, "_", "-" and ".", joined by single slashes; one slash at the start or end is allowed';

/** The path of an OpenBao namespace. The command line of the server prints it with a slash at its end: `namespaceOf`. */
export const NamespacePathSchema = withRules(
  z.string().min(1).max(255),
  matching(NAMESPACE, NAMESPACE_PROBLEM),
);

/** The same path without the slashes at its start and end: one spelling for one OpenBao namespace. */
export function namespaceOf(path: string): string {
  return path.replace(/^\//, '').replace(/\/$/, '');
}
