/** Which documents of the source a migration selects. */
export interface Selection {
  readonly scope:
    | { readonly by: 'names'; readonly names: readonly string[] }
    | { readonly by: 'labelSelector'; readonly labelSelector: string }
    | { readonly by: 'prefix'; readonly prefix: string }
    | { readonly by: 'all' };
  readonly excludeNames: ReadonlySet<string>;
  readonly excludePrefixes: readonly string[];
  readonly excludeTypes: ReadonlySet<string>;
}

/**
 * Types that no migration touches: a user who could move a service-account token could become that account
 * (external-secrets CVE-2026-42876), Helm reads its own releases, and bootstrap tokens admit nodes.
 */
export const NEVER_MIGRATED_TYPES: ReadonlySet<string> = new Set([
  'kubernetes.io/service-account-token',
  'bootstrap.kubernetes.io/token',
  'helm.sh/release.v1',
]);

/** Checks the name only, before any read; the source evaluates the label selector. */
export function nameIsSelected(selection: Selection, name: string): boolean {
  if (selection.excludeNames.has(name)) return false;
  if (selection.excludePrefixes.some((prefix) => name.startsWith(prefix))) return false;
  const { scope } = selection;
  if (scope.by === 'prefix') return name.startsWith(scope.prefix);
  if (scope.by === 'names') return scope.names.includes(name);
  return true;
}

/** True unless the selection excludes every name that starts with `folder`, which ends in a slash. */
export function folderIsSelected(selection: Selection, folder: string): boolean {
  if (selection.excludePrefixes.some((prefix) => folder.startsWith(prefix))) return false;
  const { scope } = selection;
  if (scope.by === 'prefix') return folder.startsWith(scope.prefix) || scope.prefix.startsWith(folder);
  return scope.by !== 'names' || scope.names.some((name) => name.startsWith(folder));
}

/** True when the user selected the document by name but its type is never migrated: this must be reported. */
export function isForbiddenType(selection: Selection, type: string | undefined): boolean {
  return selection.scope.by === 'names' && type !== undefined && NEVER_MIGRATED_TYPES.has(type);
}

/** Checks the type, which some backends return only with the value. */
export function typeIsSelected(selection: Selection, type: string | undefined): boolean {
  const effective = type ?? 'Opaque';
  return !NEVER_MIGRATED_TYPES.has(effective) && !selection.excludeTypes.has(effective);
}
