import type { LeftOutReason } from '#src/errors/reasons.ts';

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

/**
 * Why this name is not selected, or undefined. Checks the name only, before any read; the source evaluates the label
 * selector.
 */
export function leftOutByName(selection: Selection, name: string): LeftOutReason | undefined {
  if (!isInScope(selection, name)) return 'NotSelected';
  const { excludeNames, excludePrefixes } = selection;
  if (excludeNames.has(name) || excludePrefixes.some((prefix) => name.startsWith(prefix))) return 'Excluded';
  return undefined;
}

export function nameIsSelected(selection: Selection, name: string): boolean {
  return leftOutByName(selection, name) === undefined;
}

function isInScope({ scope }: Selection, name: string): boolean {
  if (scope.by === 'prefix') return name.startsWith(scope.prefix);
  return scope.by !== 'names' || scope.names.includes(name);
}

/** As `leftOutByName`, for a folder, which ends in a slash: undefined if a name that starts with it can be selected. */
export function leftOutByFolder(selection: Selection, folder: string): LeftOutReason | undefined {
  const { scope, excludePrefixes } = selection;
  const isInScope =
    scope.by === 'prefix'
      ? folder.startsWith(scope.prefix) || scope.prefix.startsWith(folder)
      : scope.by !== 'names' || scope.names.some((name) => name.startsWith(folder));
  if (!isInScope) return 'NotSelected';
  return excludePrefixes.some((prefix) => folder.startsWith(prefix)) ? 'Excluded' : undefined;
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
