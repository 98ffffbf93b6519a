import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { compileRoute, type Addressing } from '#src/core/mapping/route.ts';
import type { Selection } from '#src/core/selection.ts';
import type { Intent } from '#src/engine/intent.ts';
import { OperatorError } from '#src/errors.ts';

function scopeOf(select: SecretMigration['spec']['select']): Selection['scope'] {
  if (select.names !== undefined) return { by: 'names', names: select.names };
  if (select.labelSelector !== undefined) return { by: 'labelSelector', labelSelector: select.labelSelector };
  if (select.prefix !== undefined) return { by: 'prefix', prefix: select.prefix };
  if (select.all === true) return { by: 'all' };
  throw new OperatorError('SPEC_INVALID', {
    op: 'intent.compile',
    target: 'spec.select',
    detail: 'Nothing is selected; to move everything say all: true.',
  });
}

/** The spec as the engine carries it out. Throws `SPEC_INVALID` for what the schema cannot express. */
export function toIntent(
  migration: SecretMigration,
  stores: { readonly source: Addressing; readonly destination: Addressing },
): Intent {
  const { spec, metadata } = migration;
  const { exclude } = spec.select;
  return {
    selection: {
      scope: scopeOf(spec.select),
      excludeNames: new Set(exclude?.names),
      excludePrefixes: exclude?.prefixes ?? [],
      excludeTypes: new Set(exclude?.types),
    },
    route: compileRoute(spec.mapping.path, metadata.namespace, stores),
    policy: { conflictPolicy: spec.conflictPolicy, sourcePolicy: spec.sourcePolicy },
    soakMs: spec.soakSeconds * 1000,
    dryRun: spec.dryRun,
  };
}
