import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Capability } from '#src/backends/capabilities.ts';
import type { Driver } from '#src/backends/driver.ts';
import type { BackendKind, Requirement } from '#src/backends/kind.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
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
  const missing = (requirement: Requirement): Missing => ({
    end: 'source',
    detail: detailOf(requirement, source.kind),
  });
  if (policies.has('Delete') && !canChange(capabilities)) return missing('changes');
  if (policies.has('Backup') && source.backups === undefined) return missing('backups');
  if (policies.has('Project') && source.projections === undefined) return missing('projections');
  return undefined;
}

function missingAtDestination(
  migration: SecretMigration,
  { source, destination }: Ends,
  found: { readonly policies: ReadonlySet<SourcePolicy>; readonly capabilities: readonly Capability[] },
): Missing | undefined {
  const { policies, capabilities } = found;
  const missing = (requirement: Requirement): Missing => ({
    end: 'destination',
    detail: detailOf(requirement, destination.driver.kind),
  });
  if (!canChange(capabilities)) return missing('changes');
  const removes = policies.has('Delete') || policies.has('Backup') || policies.has('Project');
  // Inside one store a value lives as long under its new name as it would have under the old one.
  const isOneStore = source.driver.locationOf('').store === destination.driver.locationOf('').store;
  if (removes && !isOneStore && capabilities.includes('SelfDestructs')) return missing('durability');
  if (migration.spec.conflictPolicy === 'Overwrite' && !capabilities.includes('Revisions')) {
    return missing('revisions');
  }
  return undefined;
}

/** What the migration asks, and in the words of the kind why this backend cannot do it. */
function detailOf(requirement: Requirement, type: string): string {
  const kinds: readonly BackendKind[] = BACKEND_KINDS;
  const limit =
    kinds.find((kind) => kind.type === type)?.limits[requirement] ??
    `This backend lacks what that takes: ${requirement}.`;
  const able = kinds.filter(({ limits }) => limits[requirement] === undefined).map((kind) => kind.type);
  return DETAILS[requirement](limit, able.join(' or '));
}

const DETAILS: Readonly<Record<Requirement, (limit: string, able: string) => string>> = {
  changes: (limit) => limit,
  backups: (limit, able) =>
    `sourcePolicy Backup needs a source that can keep a copy beside the original: ${able}. ${limit}`,
  projections: (limit, able) => `sourcePolicy Project needs a source that pods read: ${able}. ${limit}`,
  // Such a store must never be the only place of a value.
  durability: (limit) => limit,
  // What is overwritten must stay readable, or the only copy of a value could go.
  revisions: (limit) =>
    `conflictPolicy Overwrite needs a destination that keeps earlier versions to go back to. ${limit} Use Fail or KeepDestination.`,
};
