import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Capability } from '#src/api/v1alpha1/secret-backend.ts';
import type { Driver } from '#src/backends/driver.ts';
import type { SourcePolicy } from '#src/core/plan.ts';
import { OperatorError } from '#src/errors.ts';
import type { DriverLoan } from './driver-pool.ts';

interface Ends {
  readonly source: DriverLoan;
  readonly destination: DriverLoan;
}

/**
 * Asks both servers what they can do; a driver that was never probed does not know its limits. What the promise of this
 * very migration rests on is asked again: an administrator may have changed it since. Throws `CAPABILITY_MISSING`.
 */
export async function requireCapabilities(
  migration: SecretMigration,
  ends: Ends,
  signal: AbortSignal,
): Promise<void> {
  const policies = sourcePoliciesOf(migration);
  const isSafe =
    [...policies].every((policy) => policy === 'Keep') && migration.spec.conflictPolicy !== 'Overwrite';
  const { capabilities: atSource } = await ends.source.probe('known', signal);
  const { capabilities } = await ends.destination.probe(isSafe ? 'known' : 'now', signal);
  const missing =
    missingAtSource(policies, ends.source.driver, atSource) ??
    missingAtDestination(migration, ends, { policies, capabilities });
  if (missing === undefined) return;
  throw new OperatorError('CAPABILITY_MISSING', {
    op: 'migration.preflight',
    target: ends[missing.end].title,
    detail: missing.lack.detail,
    hint: missing.lack.hint,
  });
}

/** That of the spec, and those of the rules that say otherwise. */
function sourcePoliciesOf({ spec }: SecretMigration): ReadonlySet<SourcePolicy> {
  const { overrides = [], prefixes = [], patterns = [] } = spec.mapping;
  const ofRules = [...overrides, ...prefixes, ...patterns].map(({ sourcePolicy }) => sourcePolicy);
  return new Set([spec.sourcePolicy, ...ofRules.filter((policy) => policy !== undefined)]);
}

interface Missing {
  readonly end: 'source' | 'destination';
  readonly lack: Lack;
}

/** What the backend cannot do, and what to do about it. */
interface Lack {
  readonly detail: string;
  readonly hint: string;
}

/** Somebody allowed it, or the server checks what is replaced. */
function canChange(capabilities: readonly Capability[]): boolean {
  return capabilities.includes('ConditionalWrite') || capabilities.includes('UnsafeWrites');
}

function missingAtSource(
  policies: ReadonlySet<SourcePolicy>,
  source: Driver,
  capabilities: readonly Capability[],
): Missing | undefined {
  if (policies.has('Delete') && !canChange(capabilities)) return { end: 'source', lack: NO_CHANGES };
  if (policies.has('Backup') && source.backups === undefined) return { end: 'source', lack: NO_BACKUPS };
  if (policies.has('Project') && source.projections === undefined)
    return { end: 'source', lack: NO_PROJECTIONS };
  return undefined;
}

function missingAtDestination(
  migration: SecretMigration,
  { source, destination }: Ends,
  found: { readonly policies: ReadonlySet<SourcePolicy>; readonly capabilities: readonly Capability[] },
): Missing | undefined {
  const { policies, capabilities } = found;
  if (!canChange(capabilities)) return { end: 'destination', lack: NO_CHANGES };
  const removes = policies.has('Delete') || policies.has('Backup') || policies.has('Project');
  // Inside one store a value lives as long under its new name as it would have under the old one.
  const isOneStore = source.driver.locationOf('').store === destination.driver.locationOf('').store;
  if (removes && !isOneStore && capabilities.includes('SelfDestructs')) {
    return { end: 'destination', lack: SELF_DESTRUCTS };
  }
  if (migration.spec.conflictPolicy === 'Overwrite' && !capabilities.includes('Revisions')) {
    return { end: 'destination', lack: NO_REVISIONS };
  }
  return undefined;
}

const NO_CHANGES: Lack = {
  detail: 'A mount of KV version 1 cannot check what a write or delete replaces.',
  hint: 'Use a mount of KV version 2, or set spec.openbao.allowUnsafeWrites of the backend.',
};
const NO_BACKUPS: Lack = {
  detail:
    'sourcePolicy Backup needs a source that can keep a copy beside the original: kubernetes or directory.',
  hint: 'Use sourcePolicy Delete; a version removed from a KV version 2 mount can be undeleted.',
};
const NO_PROJECTIONS: Lack = {
  detail: 'sourcePolicy Project needs a source of type kubernetes: pods read Secrets.',
  hint: 'Use another sourcePolicy, or a source of type kubernetes.',
};
/** Such a mount must never be the only place of a value. */
const SELF_DESTRUCTS: Lack = {
  detail:
    'The mount deletes versions automatically (delete_version_after), or its configuration cannot be read.',
  hint: 'Unset delete_version_after of the mount and grant read on its config, or use sourcePolicy Keep.',
};
/** What is overwritten must stay readable, or the only copy of a value could go. */
const NO_REVISIONS: Lack = {
  detail:
    'conflictPolicy Overwrite needs a destination that keeps earlier versions; this one keeps none, or its configuration cannot be read.',
  hint: 'Use conflictPolicy Fail or KeepDestination.',
};
