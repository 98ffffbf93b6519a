import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Reader } from '#src/backends/driver.ts';
import type { PriorRecords } from '#src/core/journal.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { planDigest } from '#src/core/plan-digest.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { plannedRowsOf, type PlannedRows } from '#src/engine/plan/approved.ts';
import { readyOf } from '../conditions.ts';

/*
 * A migration whose plan a person approves (ADR 0064):
 *
 *   make a plan, keep it in the rows ─► wait ─► spec.approval.digest names it ─► carry it out ─┬─► done
 *          ▲                                                                                   │
 *          └────────────────────── a document is not as it was (NeedsReplan) ◄─────────────────┘
 *
 * The rows are the plan: their digest is made again before each run, so that a plan of another spec, other backends or other rows
 * than those that were approved releases nothing.
 */

/** What a plan is for, besides its migration: the stores of both sides, and the rows. */
export interface PlannedFor {
  readonly backends: Readonly<Record<Side, Pick<Backend, 'kind' | 'metadata'>>>;
  readonly source: { readonly driver: Pick<Reader, 'locationOf'> };
  readonly destination: { readonly driver: Pick<Reader, 'locationOf'> };
  readonly journal: {
    readonly prior: PriorRecords;
    outcomes(): Iterable<Outcome>;
  };
}

/** What an attempt may do. */
export interface Approval {
  /** Show a plan and write nothing. */
  readonly isPlan: boolean;
  /** The plan that is carried out; with `isPlan`, the last one, of which much can be done. Undefined: no plan is approved. */
  readonly approved?: PlannedRows;
  /** The digest of the plan that these rows have. */
  digest(rows: Iterable<Outcome>): string;
}

/** True when nothing is written before a person approves the plan. */
export function needsApproval({ spec }: Pick<SecretMigration, 'spec'>): boolean {
  return spec.approval?.required === true && !spec.dryRun && spec.undo !== true;
}

/** True while the plan in the status is that of this generation, and nobody approved it. */
export function awaitsApproval(migration: SecretMigration): boolean {
  const { metadata, spec, status } = migration;
  const ready = readyOf(status);
  if (!needsApproval(migration) || ready?.observedGeneration !== metadata.generation) return false;
  return ready.reason === 'AwaitingApproval' && spec.approval?.digest !== status.plan?.digest;
}

/** What this attempt may do, from the rows as they are stored. */
export function approvalFor(migration: SecretMigration, gathered: PlannedFor): Approval {
  const digest = (rows: Iterable<Outcome>): string => digestOf(migration, gathered, rows);
  if (!needsApproval(migration)) return { isPlan: migration.spec.dryRun, digest };
  const { journal } = gathered;
  const approved = plannedRowsOf(journal.prior.values());
  const { metadata, spec, status } = migration;
  const ready = readyOf(status);
  const hasDrifted = ready?.reason === 'NeedsReplan' && ready.observedGeneration === metadata.generation;
  const isReleased = !hasDrifted && approved.size > 0 && spec.approval?.digest === digest(journal.outcomes());
  return { isPlan: !isReleased, approved, digest };
}

/** The same, for this spec, this object and these two stores. */
function digestOf(
  { metadata, spec }: SecretMigration,
  { backends, destination, source }: Pick<PlannedFor, 'backends' | 'destination' | 'source'>,
  rows: Iterable<Outcome>,
): string {
  const { namespace, name, uid } = metadata;
  // Whether it is approved, suspended or only shown changes nothing of the plan.
  const { approval: _approval, suspend: _suspend, dryRun: _dryRun, ...decides } = spec;
  const about = {
    migration: { namespace, name, uid },
    spec: decides,
    source: endOf(backends.source, source.driver),
    destination: endOf(backends.destination, destination.driver),
  };
  return planDigest(about, rows);
}

function endOf(
  { kind, metadata }: Pick<Backend, 'kind' | 'metadata'>,
  driver: Pick<Reader, 'locationOf'>,
): object {
  return { kind, name: metadata.name, uid: metadata.uid, location: driver.locationOf('') };
}

/** True when the run carried out an approved plan: rows of documents that left the selection stay, because they are part of it. */
export function isOfApprovedPlan({ approved, isPlan }: Approval): boolean {
  return approved !== undefined && !isPlan;
}

/** True when carrying out the plan would change something: a document waits, or the source of one that is proven. */
export function hasWork(outcomes: Iterable<Outcome>): boolean {
  for (const { planned, reason, state } of outcomes) {
    if (planned === undefined || planned.action === 'Keep') continue;
    const removes = planned.removal !== undefined && planned.held === undefined && reason !== 'Projected';
    if (state === 'Pending' || (state === 'Verified' && removes)) return true;
  }
  return false;
}
