import { isDeepStrictEqual } from 'node:util';
import { toKubernetesTime, type Condition } from '#src/schema/meta.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import {
  parseSecretMigration,
  type SecretMigration,
  type SecretMigrationStatus,
} from '#src/api/v1alpha1/secret-migration.ts';
import type { InventoryCounts } from '#src/core/inventory.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { MigrationJournal, TableStatus } from '#src/journal/journal.ts';
import type { Clock, EventSink, Metrics } from '#src/ports.ts';
import type { StatusWriter } from '#src/runtime/status-patch.ts';
import { messageShown, readyOf, toConditions } from '../conditions.ts';
import { referenceTo } from './removals.ts';
import { requestedRun } from './task.ts';
import { undoing } from './undone.ts';
import { progressing, statementsOf, statusRefused, type Verdict } from './verdict.ts';

/** The part of the journal that a status shows. Each write calls it, so that it shows the latest rows. */
type Table = Pick<MigrationJournal, 'counts' | 'table' | 'loss'>;

export interface MigrationStatusOptions {
  readonly writer: Pick<StatusWriter, 'write'>;
  readonly events: EventSink;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Minimum milliseconds between two progress writes. */
  readonly intervalMs: number;
}

/**
 * The only writer of a migration's status; each reconcile has one. Writes progress at most once per interval, a verdict
 * immediately. Never writes an equal status; its times change only with what they describe. Throws `VERSION_CONFLICT` or
 * `NOT_FOUND` when another writer changed or deleted the object.
 */
export class MigrationStatus {
  readonly #options: MigrationStatusOptions;
  readonly #signal: AbortSignal;
  #migration: SecretMigration;
  readonly #conflictsBefore: number;
  #shown: TableStatus;
  #backends: SecretMigrationStatus['backends'];
  #plan: SecretMigrationStatus['plan'];
  #pace: () => string | undefined = () => undefined;
  #obstacle: () => Verdict | undefined = () => undefined;
  #inventory: SecretMigrationStatus['inventory'];
  #startTime: string | undefined;
  #lastSyncTime: string | undefined;
  #lastWriteAt = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  /** True once the run has shown progress: earlier obstacles no longer exist. */
  #hasBegun = false;
  #isConcluded = false;

  constructor(options: MigrationStatusOptions, migration: SecretMigration, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#conflictsBefore = migration.status.summary?.conflict ?? 0;
    this.#migration = migration;
    this.#backends = migration.status.backends;
    this.#inventory = migration.status.inventory;
    this.#plan = planOf(migration);
    this.#startTime = startTimeOf(migration);
    this.#shown = shownIn(migration);
  }

  /** Sets the backends that the status shows from the next write on. */
  setBackends(backends: NonNullable<SecretMigrationStatus['backends']>): void {
    this.#backends = backends;
  }

  /** Sets what the dry run would do, from the next write on; undefined after a real run. */
  setPlan(plan: SecretMigrationStatus['plan']): void {
    this.#plan = plan;
  }

  /** Sets what progress says about a run that is slowed down. */
  setPace(pace: () => string | undefined): void {
    this.#pace = pace;
  }

  /** Sets what progress says while the run cannot go on; undefined while it can. */
  setObstacle(obstacle: () => Verdict | undefined): void {
    this.#obstacle = obstacle;
  }

  /** Sets what became of every document of the source: the status shows it from the next write on. */
  setInventory({ discovered, selected, leftOut }: InventoryCounts): void {
    const reasons = [...leftOut].map(([reason, documents]) => ({ reason, documents }));
    this.#inventory = {
      discovered,
      selected,
      ...(reasons.length === 0 ? {} : { leftOut: reasons.toSorted(byReason) }),
    };
  }

  /** A change was carried to the other side: the status says when, from the next write on. */
  noteSync(): void {
    this.#lastSyncTime = toKubernetesTime(this.#options.clock.now());
  }

  /** Continues with the object that another writer changed: the next write is about that generation. */
  continueWith(current: SecretMigration): void {
    this.#migration = current;
    this.#backends = current.status.backends;
    this.#inventory = current.status.inventory;
    this.#plan = planOf(current);
    this.#startTime = startTimeOf(current);
    this.#shown = shownIn(current);
    this.#hasBegun = false;
    // Its verdict was not stored, so a request that the current object has is still to be handled.
    this.#isConcluded = false;
  }

  /** Shows the progress of the run, unless the last write was less than an interval ago or a write is running. */
  async showProgress(table: Table): Promise<void> {
    const { clock, intervalMs } = this.#options;
    if (this.#busy || clock.monotonic() - this.#lastWriteAt < intervalMs) return;
    await this.storeProgress(table);
  }

  /**
   * Shows the progress of the run; resolves when it is stored. A run after a verdict on this generation (a retry, a requested
   * run) keeps that verdict until it has its own, because the conditions would otherwise flip twice. But an obstacle of an
   * earlier run no longer exists once this run has shown progress, and one of this run is shown at once.
   */
  async storeProgress(table: Table): Promise<void> {
    this.#startTime ??= toKubernetesTime(this.#options.clock.now());
    const keepsVerdict = this.#hasVerdict(table.loss !== undefined);
    this.#hasBegun = true;
    const going = this.#migration.spec.undo === true ? undoing : progressing;
    const progress = keepsVerdict ? undefined : going(table.counts(), this.#pace());
    await this.#write(this.#obstacle() ?? progress, table);
  }

  /** With a loss, a verdict of success is not kept: the rows beside it are not all. */
  #hasVerdict(hasLoss: boolean): boolean {
    const { metadata, status } = this.#migration;
    const { conditions = [] } = status;
    const ready = readyOf(status);
    if (ready === undefined || ready.observedGeneration !== metadata.generation) return false;
    const isObstacle = conditions.some((condition) => condition.type === 'Reconciling');
    if (hasLoss && ready.status === 'True') return false;
    return ready.status !== 'Unknown' && !(this.#hasBegun && isObstacle);
  }

  /**
   * Shows the verdict of a reconcile. Without a table, the status keeps its current one. If the API server refuses the
   * table, the status keeps its current one and says so, and the refusal is thrown.
   */
  async conclude(verdict: Verdict, table?: Table): Promise<void> {
    if (verdict.succeeded === 'True') this.#startTime ??= toKubernetesTime(this.#options.clock.now());
    this.#isConcluded = true;
    try {
      await this.#write(verdict, table);
    } catch (failure) {
      if (table !== undefined && isRefusedContent(failure)) await this.#concludeWithoutTable(failure);
      throw failure;
    }
    this.#countConflicts();
  }

  /** True if this verdict would change none of the conditions that are stored. */
  shows(verdict: Verdict): boolean {
    const { metadata, status } = this.#migration;
    const { conditions = [] } = status;
    const about = { generation: metadata.generation, nowMs: this.#options.clock.now() };
    return isDeepStrictEqual(this.#conditionsOf(verdict, conditions, about), conditions);
  }

  async #concludeWithoutTable(failure: unknown): Promise<void> {
    this.#shown = shownIn(this.#migration);
    await this.#write(statusRefused(failure), undefined);
  }

  async #write(verdict: Verdict | undefined, table: Table | undefined): Promise<void> {
    const before = this.#writing;
    this.#busy = true;
    this.#writing = before.catch(() => undefined).then(async () => this.#writeNow(verdict, table));
    try {
      await this.#writing;
    } finally {
      this.#busy = false;
    }
  }

  async #writeNow(verdict: Verdict | undefined, table: Table | undefined): Promise<void> {
    if (table !== undefined) this.#shown = table.table();
    const before = this.#migration;
    const written = await this.#options.writer.write(before, this.#statusFor(verdict), this.#signal);
    this.#lastWriteAt = this.#options.clock.monotonic(); // Also without a write: the status is up to date.
    if (written.state === 'unchanged') return;
    const target = `SecretMigration ${before.metadata.namespace}/${before.metadata.name}`;
    if (written.state !== 'written') throw new OperatorError('NOT_FOUND', { op: 'status.write', target });
    const parsed = parseSecretMigration(written.object);
    if (!parsed.ok) throw new OperatorError('REPLY_INVALID', { op: 'status.write', target });
    this.#migration = parsed.value;
    if (verdict !== undefined) this.#announce(before, verdict);
  }

  #statusFor(verdict: Verdict | undefined): SecretMigrationStatus {
    const { metadata, status } = this.#migration;
    const nowMs = this.#options.clock.now();
    const conditions = status.conditions ?? [];
    const about = { generation: metadata.generation, nowMs };
    return {
      observedGeneration: metadata.generation,
      // Echoed only with the verdict: a script that waits for the echo then reads the result of the requested run.
      lastHandledReconcileAt:
        (this.#isConcluded ? requestedRun(this.#migration) : undefined) ?? status.lastHandledReconcileAt,
      conditions: verdict === undefined ? conditions : this.#conditionsOf(verdict, conditions, about),
      backends: this.#backends,
      plan: this.#plan,
      ...this.#shown,
      inventory: this.#inventory,
      startTime: this.#startTime,
      completionTime: this.#completionTime(verdict, nowMs),
      lastSyncTime: this.#lastSyncTime ?? status.lastSyncTime,
      operatorVersion: status.operatorVersion, // The writer stamps what it writes.
    };
  }

  #conditionsOf(
    verdict: Verdict,
    before: readonly Condition[],
    about: { readonly generation: number; readonly nowMs: number },
  ): Condition[] {
    return toConditions(statementsOf(verdict, isKeptInStep(this.#migration)), before, about);
  }

  /** When the migration first completed: a later completion does not change it. */
  #completionTime(verdict: Verdict | undefined, nowMs: number): string | undefined {
    const { completionTime } = this.#migration.status;
    if (verdict === undefined) return completionTime;
    return verdict.succeeded === 'True' ? (completionTime ?? toKubernetesTime(nowMs)) : undefined;
  }

  /** Records one event per change of the reason of Ready; progress is not an event. */
  #announce(before: SecretMigration, verdict: Verdict): void {
    if (verdict.reason === 'Progressing') return;
    const old = readyOf(before.status);
    if (old?.reason === verdict.reason && old.observedGeneration === before.metadata.generation) return;
    this.#options.events.record({
      regarding: referenceTo(before.metadata),
      type: verdict.ready === 'False' ? 'Warning' : 'Normal',
      reason: verdict.reason,
      action: 'Migrate',
      note: messageShown(verdict, verdict.ready === 'False'),
    });
  }

  #countConflicts(): void {
    const conflicts = (this.#shown.summary?.conflict ?? 0) - this.#conflictsBefore;
    this.#options.metrics.count('secretmigration_conflicts_total', {}, Math.max(0, conflicts));
  }
}

/** True when the API server refuses what a request contains: the same content is refused again. */
function isRefusedContent(failure: unknown): boolean {
  return hasCode(failure, 'REQUEST_REJECTED') || hasCode(failure, 'DOCUMENT_REFUSED');
}

/** A stable order: an unchanged run writes nothing. */
function byReason(left: { readonly reason: string }, right: { readonly reason: string }): number {
  return left.reason < right.reason ? -1 : 1;
}

/** Undefined for a new generation: its run starts now. */
function startTimeOf({ metadata, status }: SecretMigration): string | undefined {
  return status.observedGeneration === metadata.generation ? status.startTime : undefined;
}

/** Undefined for a new generation: its run makes its own plan. */
function planOf({ metadata, status }: SecretMigration): SecretMigrationStatus['plan'] {
  return status.observedGeneration === metadata.generation ? status.plan : undefined;
}

function shownIn({ status }: SecretMigration): TableStatus {
  const { progress, summary, fallback, rules, documents, destinationStore } = status;
  const { keys, exceptions, keysTruncated, reports } = status;
  const counted = { progress, summary, fallback, rules, documents, destinationStore };
  return { ...counted, keys, exceptions, keysTruncated, reports };
}
