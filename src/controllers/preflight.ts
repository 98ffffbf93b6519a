import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Capability } from '#src/backends/capabilities.ts';
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
 * very migration rests on is asked anew: an administrator may have changed it since. Throws `CAPABILITY_MISSING`.
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
    detail: missing.detail,
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
  readonly detail: string;
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
  if (policies.has('Delete') && !canChange(capabilities)) return { end: 'source', detail: NO_CHANGES };
  if (policies.has('Backup') && source.backups === undefined) return { end: 'source', detail: NO_BACKUPS };
  if (policies.has('Project') && source.projections === undefined)
    return { end: 'source', detail: NO_PROJECTIONS };
  return undefined;
}

function missingAtDestination(
  migration: SecretMigration,
  { source, destination }: Ends,
  found: { readonly policies: ReadonlySet<SourcePolicy>; readonly capabilities: readonly Capability[] },
): Missing | undefined {
  const { policies, capabilities } = found;
  if (!canChange(capabilities)) return { end: 'destination', detail: NO_CHANGES };
  const removes = policies.has('Delete') || policies.has('Backup') || policies.has('Project');
  // Inside one store a value lives as long under its new name as it would have under the old one.
  const isOneStore = source.driver.locationOf('').store === destination.driver.locationOf('').store;
  if (removes && !isOneStore && capabilities.includes('SelfDestructs')) {
    return { end: 'destination', detail: SELF_DESTRUCTS };
  }
  if (migration.spec.conflictPolicy === 'Overwrite' && !capabilities.includes('Revisions')) {
    return { end: 'destination', detail: NO_REVISIONS };
  }
  return undefined;
}

const NO_CHANGES =
  'Its mount is KV version 1, which cannot check what a write or delete replaces. Use a mount of version 2, or set spec.openbao.allowUnsafeWrites of the backend.';
const NO_BACKUPS =
  'sourcePolicy Backup needs a source that can keep a copy beside the original: kubernetes or directory. In a KV version 2 mount a removed version can be undeleted; use Delete.';
const NO_PROJECTIONS = 'sourcePolicy Project needs a source of type kubernetes: pods read Secrets.';
/** Such a mount must never be the only place of a value. */
const SELF_DESTRUCTS =
  'Its mount deletes versions by itself (delete_version_after), or its configuration may not be read.';
/** What is overwritten must stay readable, or the only copy of a value could go. */
const NO_REVISIONS =
  'conflictPolicy Overwrite needs a destination that keeps earlier versions to go back to; this one has none, or its configuration may not be read. Use Fail or KeepDestination.';
