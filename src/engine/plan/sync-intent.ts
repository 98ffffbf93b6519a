import { RESOLVE_ANNOTATION } from '#src/api/group.ts';
import { parseResolve } from '#src/api/v1alpha1/resolve.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { DEFAULT_MAX_PRUNE_PERCENT } from '#src/api/v1alpha1/sync.ts';
import { someRemoveSource } from '#src/core/checks.ts';
import { compileOldKeys, type OldKeys } from '#src/core/mapping/old-keys.ts';
import type { Renaming } from '#src/core/mapping/renaming.ts';
import { OperatorError } from '#src/errors.ts';
import type { SyncIntent } from './intent.ts';

type Spec = SecretMigration['spec'];

/** What mode Sync adds; undefined in mode Once. Throws `SPEC_INVALID` for what cannot be kept in step. */
export function compileSync(
  { metadata, spec }: Pick<SecretMigration, 'metadata' | 'spec'>,
  { rules }: Renaming,
): SyncIntent | undefined {
  if (spec.mode !== 'Sync') return undefined;
  requireKeptSources(spec, rules);
  const { adopt, maxPrunePercent = DEFAULT_MAX_PRUNE_PERCENT, prune, recreateImmutable } = spec.sync ?? {};
  const authority = authorityOf(spec);
  const until = spec.sync?.untilTime;
  requireOneWay(spec, authority);
  return {
    authority,
    conflictPolicy: authority === 'Either' ? 'Fail' : spec.conflictPolicy,
    prune: prune === true,
    maxPrunePercent,
    listsToRead: spec.mapping.join !== undefined,
    adopts: adopt === true,
    recreatesImmutable: recreateImmutable === true,
    untilMs: until === undefined ? undefined : Date.parse(until),
    resolutions: parseResolve(metadata.annotations?.[RESOLVE_ANNOTATION]),
    oldKeys: authority === 'Source' ? NO_WAY_BACK : wayBack(spec),
  };
}

function requireKeptSources({ sourcePolicy }: Spec, rules: Renaming['rules']): void {
  if (!someRemoveSource(sourcePolicy, rules)) return;
  throw invalid('spec.mapping', {
    detail: 'A rule removes its sources, which cannot be kept in step then.',
    hint: 'Set sourcePolicy to Keep or Project in the rules of spec.mapping, or mode to Once.',
  });
}

/** A change at the destination has no way to a document that is at its old path. */
function requireOneWay({ source }: Spec, authority: SyncIntent['authority']): void {
  if (source.fallback === undefined || authority === 'Source') return;
  throw invalid('spec.source.fallback', {
    detail: 'A source with old addresses is only read, and spec.sync.authority lets it be written.',
    hint: 'Set spec.sync.authority to Source.',
  });
}

/** True while the changes of both sides are followed: a dry run only shows what the first copy would do. */
export function isKeptInStep({ spec }: { readonly spec: Pick<Spec, 'dryRun' | 'mode'> }): boolean {
  return spec.mode === 'Sync' && !spec.dryRun;
}

/** Whose change is followed. */
export function authorityOf({
  sourcePolicy,
  sync,
}: Pick<Spec, 'sourcePolicy' | 'sync'>): SyncIntent['authority'] {
  return sync?.authority ?? (sourcePolicy === 'Project' ? 'Destination' : 'Source');
}

function wayBack({ mapping }: Spec): OldKeys {
  if (mapping.jsonValues === 'AsText')
    throw invalid('spec.mapping.jsonValues', {
      detail: 'JSON that became text has no way back.',
      hint: 'Use sync.authority Source, or jsonValues Refuse.',
    });
  return compileOldKeys(mapping.keys ?? []);
}

/** The source is only read. */
const NO_WAY_BACK: OldKeys = {
  restore: () => {
    throw new OperatorError('INVARIANT', { op: 'engine.sync' });
  },
};

function invalid(target: string, said: { readonly detail: string; readonly hint: string }): OperatorError {
  return new OperatorError('SPEC_INVALID', { op: 'mapping.compile', target, ...said });
}
