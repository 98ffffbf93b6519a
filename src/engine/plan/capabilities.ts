import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Capability } from '#src/backends/capabilities.ts';
import type { Probe, Reader } from '#src/backends/driver.ts';
import type { BackendKind, Limit, Requirement } from '#src/backends/kind.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import type { BySide } from '#src/core/sync/observed.ts';
import type { SourcePolicy } from '#src/core/checks.ts';
import { OperatorError } from '#src/errors.ts';
import { authorityOf } from './sync-intent.ts';

/** One backend of a migration, for the check of its capabilities. */
export interface Probed {
  /** For messages. */
  readonly title: string;
  readonly driver: Pick<Reader, 'kind' | 'locationOf'> & {
    readonly backups: unknown;
    readonly copies: unknown;
    readonly projections: unknown;
  };
  /** The capabilities of the server: probed `now`, or as `known` from an earlier probe. */
  probe(which: 'now' | 'known', signal: AbortSignal): Promise<Probe>;
}

interface Backends {
  readonly source: Probed;
  readonly destination: Probed;
}

/**
 * Probes both servers; a driver that was never probed does not know its limits. Capabilities that this migration depends on
 * are probed again, because an administrator may have changed them. Throws `CAPABILITY_MISSING`, and `IDENTITY_SHARED` for
 * one identity at two origins. Resolves with the stores that keep what a write replaces.
 */
export async function requireCapabilities(
  migration: SecretMigration,
  backends: Backends,
  signal: AbortSignal,
): Promise<BySide<boolean>> {
  const policies = sourcePoliciesOf(migration);
  const { conflictPolicy, mode } = migration.spec;
  const copiesOnly = [...policies].every((policy) => policy === 'Keep') && conflictPolicy !== 'Overwrite';
  // What is kept in step removes nothing, and asks for each address before it overwrites a change.
  const isSafe = copiesOnly || mode === 'Sync';
  const { source, destination } = backends;
  const found = await source.probe('known', signal);
  const there = await destination.probe(isSafe ? 'known' : 'now', signal);
  requireOneOrigin(backends, found, there);
  const { capabilities: atSource } = found;
  const { capabilities } = there;
  const missingAt = missingAtSource(migration, policies, { driver: source.driver, capabilities: atSource });
  if (missingAt !== undefined) throw lacks(missingAt, source);
  const missing = missingAtDestination(migration, backends, { policies, capabilities });
  if (missing !== undefined) throw lacks(missing, destination);
  return { source: atSource.includes('Versions'), destination: capabilities.includes('Versions') };
}

/**
 * A server that was started from a copy of another one's storage has its identity, but not its documents: they would count
 * as moved although nothing was copied.
 */
function requireOneOrigin({ source, destination }: Backends, found: Probe, there: Probe): void {
  if (source.driver.kind !== destination.driver.kind || found.identity !== there.identity) return;
  if (found.origin === there.origin) return;
  throw new OperatorError('IDENTITY_SHARED', {
    op: 'migration.identity',
    target: `${source.title}, ${destination.title}`,
    detail: `Either ${found.origin} and ${there.origin} are one server, or one is a copy of the other.`,
  });
}

/** The policy of the spec, and those of rules that override it. */
function sourcePoliciesOf({ spec }: SecretMigration): ReadonlySet<SourcePolicy> {
  const { overrides = [], prefixes = [], patterns = [] } = spec.mapping;
  const ofRules = [...overrides, ...prefixes, ...patterns].map(({ sourcePolicy }) => sourcePolicy);
  return new Set([spec.sourcePolicy, ...ofRules.filter((policy) => policy !== undefined)]);
}

/** True when the server checks the replaced version, or the spec of the backend allows unsafe writes. */
function canChange(capabilities: readonly Capability[]): boolean {
  return capabilities.includes('ConditionalWrite') || capabilities.includes('UnsafeWrites');
}

function missingAtSource(
  { spec }: SecretMigration,
  policies: ReadonlySet<SourcePolicy>,
  { capabilities, driver: source }: Pick<Probed, 'driver'> & { readonly capabilities: readonly Capability[] },
): Requirement | undefined {
  const isWritten = spec.mode === 'Sync' && authorityOf(spec) !== 'Source';
  if ((policies.has('Delete') || isWritten) && !canChange(capabilities)) return 'changes';
  if (isWritten && lacksRevisions(spec, { driver: source, capabilities })) return 'revisions';
  return missingForRemoval(policies, source);
}

function missingForRemoval(
  policies: ReadonlySet<SourcePolicy>,
  source: Probed['driver'],
): Requirement | undefined {
  if (policies.has('Backup') && source.backups === undefined) return 'backups';
  if (policies.has('Project') && source.projections === undefined) return 'projections';
  return undefined;
}

function missingAtDestination(
  migration: SecretMigration,
  { source, destination }: Backends,
  found: { readonly policies: ReadonlySet<SourcePolicy>; readonly capabilities: readonly Capability[] },
): Requirement | undefined {
  const { policies, capabilities } = found;
  if (!canChange(capabilities)) return 'changes';
  const removes = policies.has('Delete') || policies.has('Backup') || policies.has('Project');
  // Inside one backend a value keeps its lifetime under its new name.
  const isOneStore = source.driver.locationOf('').store === destination.driver.locationOf('').store;
  if (removes && !isOneStore && capabilities.includes('SelfDestructs')) return 'durability';
  return lacksRevisions(migration.spec, { driver: destination.driver, capabilities })
    ? 'revisions'
    : undefined;
}

/** What is overwritten must stay readable: in the history of the store or, in mode Sync, as a backup. */
function lacksRevisions(
  { conflictPolicy, mode }: SecretMigration['spec'],
  { capabilities, driver }: Pick<Probed, 'driver'> & { readonly capabilities: readonly Capability[] },
): boolean {
  if (conflictPolicy !== 'Overwrite' || capabilities.includes('Versions')) return false;
  return mode !== 'Sync' || driver.copies === undefined;
}

/** The error: what the migration needs, why a backend of this kind cannot do it, and what to do instead. */
function lacks(requirement: Requirement, { driver: { kind: type }, title }: Probed): OperatorError {
  const kinds: readonly BackendKind[] = BACKEND_KINDS;
  const limit: Limit = kinds.find((kind) => kind.type === type)?.limits[requirement] ?? {
    why: `This backend lacks what that takes: ${requirement}.`,
  };
  const able = kinds.filter(({ limits }) => limits[requirement] === undefined).map((kind) => kind.type);
  const { needs, hint } = ASKED[requirement](able.join(' or '));
  return new OperatorError('CAPABILITY_MISSING', {
    op: 'migration.capabilities',
    target: title,
    detail: [needs, limit.why].filter((part) => part !== undefined).join(' '),
    hint: limit.hint ?? hint,
  });
}

/** The need, where the limit does not state it, and the hint for kinds without their own. */
interface Asked {
  readonly needs?: string;
  readonly hint: string;
}

const ASKED: Readonly<Record<Requirement, (able: string) => Asked>> = {
  changes: () => ({ hint: 'Use another backend.' }),
  backups: (able) => ({
    needs: `sourcePolicy Backup needs a source that can keep a copy beside the original: ${able}.`,
    hint: 'Use another sourcePolicy.',
  }),
  projections: (able) => ({
    needs: `sourcePolicy Project needs a source that pods read: ${able}.`,
    hint: `Use another sourcePolicy, or a source of type ${able}.`,
  }),
  // A backend that deletes its values must never have the only copy.
  durability: () => ({ hint: 'Use sourcePolicy Keep.' }),
  // The overwritten version must stay readable, or the only copy of a value could be lost.
  revisions: () => ({
    needs: 'conflictPolicy Overwrite needs a destination that keeps earlier versions.',
    hint: 'Use conflictPolicy Fail or KeepDestination.',
  }),
};
