import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { someRemoveSource } from '#src/core/checks.ts';
import { selectorText } from '#src/core/label-selector.ts';
import { compileKeyNames } from '#src/core/mapping/key-names.ts';
import { compileOldKeys, type OldKeys } from '#src/core/mapping/old-keys.ts';
import { compileTraveling } from '#src/core/mapping/traveling.ts';
import { compileRenaming, type Renaming } from '#src/core/mapping/renaming.ts';
import { compileRoute } from '#src/core/mapping/route.ts';
import type { Selection } from '#src/core/selection.ts';
import type { Intent } from './intent.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { compilePieces, compileSecretTypes, requireShapes, type Ends } from './shapes.ts';
import { compileSync } from './sync-intent.ts';

function scopeOf(select: SecretMigration['spec']['select']): Selection['scope'] {
  if (select.names !== undefined) return { by: 'names', names: select.names };
  if (select.labelSelector !== undefined)
    return { by: 'labelSelector', labelSelector: selectorText(select.labelSelector) };
  if (select.prefix !== undefined) return { by: 'prefix', prefix: select.prefix };
  if (select.all === true) return { by: 'all' };
  throw new OperatorError('SPEC_INVALID', {
    op: 'intent.compile',
    target: 'spec.select',
    detail: 'Nothing is selected.',
    hint: 'Name documents in spec.select, or set spec.select.all to true.',
  });
}

/** The tables that rename documents. Throws `SPEC_INVALID`. */
export function renamingOf({ spec }: SecretMigration): Renaming {
  const { overrides = [], prefixes = [], patterns = [], scopes } = spec.mapping;
  return compileRenaming({ overrides, prefixes, patterns, scopes });
}

function selectionOf(select: SecretMigration['spec']['select']): Selection {
  const { exclude } = select;
  return {
    scope: scopeOf(select),
    excludeNames: new Set(exclude?.names),
    excludePrefixes: exclude?.prefixes ?? [],
    excludeTypes: new Set(exclude?.types),
  };
}

/** Throws `SPEC_INVALID` if a rule would remove documents that the fallback reads. */
function requireKeptOldNames({ source }: SecretMigration['spec'], { rules }: Renaming): void {
  if (source.fallback === undefined) return;
  if (rules.every(({ sourcePolicy = 'Keep' }) => sourcePolicy === 'Keep')) return;
  throw new OperatorError('SPEC_INVALID', {
    op: 'intent.compile',
    target: 'spec.source.fallback',
    detail: 'A source with old addresses is only read, and a rule of spec.mapping would remove documents.',
    hint: 'Set sourcePolicy to Keep in the rules of spec.mapping.',
  });
}

/** True when the policy of some document removes its source. Throws `SPEC_INVALID`. */
export function removesSources(migration: SecretMigration): boolean {
  return someRemoveSource(migration.spec.sourcePolicy, renamingOf(migration).rules);
}

/** Undefined for keys that have no way back. */
function oldKeysOf(table: Parameters<typeof compileOldKeys>[0]): OldKeys | undefined {
  try {
    return compileOldKeys(table);
  } catch (failure) {
    if (hasCode(failure, 'SPEC_INVALID')) return undefined;
    throw failure;
  }
}

/** The spec as the engine carries it out. Throws `SPEC_INVALID` for what the schema cannot express. */
export function toIntent(migration: SecretMigration, ends: Ends): Intent {
  const { spec, metadata } = migration;
  const { conflictPolicy, sourcePolicy, mapping, backupTTLSeconds } = spec;
  const { fallback } = spec.source;
  const renaming = renamingOf(migration);
  requireKeptOldNames(spec, renaming);
  requireShapes(migration, ends);
  const sync = compileSync(migration, renaming);
  const route = compileRoute({
    path: mapping.path,
    namespace: metadata.namespace,
    addressing: { source: ends.source.addressing, destination: ends.destination.addressing },
    renaming,
    segmentSeparator: mapping.segmentSeparator,
    fallbackPrefix: fallback?.prefix,
  });
  return {
    selection: selectionOf(spec.select),
    route,
    sync,
    policyOf: (name) => ({
      // Without a base nothing says that the destination follows, unless it always does.
      conflictPolicy: (sync?.authority ?? 'Source') === 'Source' ? conflictPolicy : 'Fail',
      sourcePolicy: route.ruleOf(name)?.sourcePolicy ?? sourcePolicy,
      ...(sync === undefined ? {} : { adopts: sync.adopts }),
    }),
    removesSources: someRemoveSource(sourcePolicy, renaming.rules),
    keyNames: compileKeyNames(mapping.keys ?? []),
    secretTypeOf: compileSecretTypes(mapping),
    traveling: compilePieces(mapping, compileTraveling(ends, mapping.labels ?? [])),
    metadataLoss: mapping.metadataLoss ?? 'Refuse',
    jsonValues: mapping.jsonValues ?? 'Refuse',
    fallbackUntil: fallback && Date.parse(fallback.untilTime),
    backupTtlMs: backupTTLSeconds === undefined ? undefined : backupTTLSeconds * 1000,
    soakMs: spec.soakSeconds * 1000,
    undo: spec.undo === true ? { oldKeys: oldKeysOf(mapping.keys ?? []) } : undefined,
    dryRun: spec.dryRun,
  };
}
