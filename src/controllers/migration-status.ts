import { MAX_RECONCILE_TOKEN, parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { SecretMigration, SecretMigrationStatus } from '#src/api/v1alpha1/secret-migration.ts';
import { API_VERSION, RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { shortened } from '#src/errors/explain.ts';
import { OperatorError } from '#src/errors.ts';
import type { Clock, EventSink, Metrics } from '#src/ports.ts';
import type { StatusWriter } from '#src/runtime/status-patch.ts';
import { readyOf, statementsOf, toConditions } from './conditions.ts';
import type { MigrationRecord, TableStatus } from './migration-record.ts';
import { toKubernetesTime } from './row-table.ts';
import { MAX_CONDITION_MESSAGE, progressing, type Verdict } from './verdict.ts';

export interface MigrationStatusOptions {
  readonly writer: StatusWriter;
  readonly events: EventSink;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Least milliseconds between two progress writes. */
  readonly intervalMs: number;
}

/** The opaque token of a requested run, as it is echoed. */
export function requestedRun(migration: SecretMigration): string | undefined {
  return migration.metadata.annotations?.[RECONCILE_REQUESTED_ANNOTATION]?.slice(0, MAX_RECONCILE_TOKEN);
}

/**
 * The only writer of a migration's status. Progress is written at most once an interval; a verdict at once. Equal
 * status is never written, and the times in it move only with what they date.
 */
export class MigrationStatus {
  readonly #options: MigrationStatusOptions;
  readonly #signal: AbortSignal;
  #migration: SecretMigration;
  readonly #conflictsBefore: number;
  #table: TableStatus;
  #backends: SecretMigrationStatus['backends'];
  #startTime: string | undefined;
  #lastWriteAt = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  /** The run has said once where it stands: from then on it gets on. */
  #hasBegun = false;
  #isLastWord = false;

  constructor(options: MigrationStatusOptions, migration: SecretMigration, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#conflictsBefore = migration.status.summary?.conflict ?? 0;
    this.#migration = migration;
    const { progress, summary, fallback, rules, documents, keys, exceptions, keysTruncated, reports } =
      migration.status;
    this.#backends = migration.status.backends;
    this.#table = { progress, summary, fallback, rules, documents, keys, exceptions, keysTruncated, reports };
    const sameGeneration = migration.status.observedGeneration === migration.metadata.generation;
    this.#startTime = sameGeneration ? migration.status.startTime : undefined;
  }

  /** From now on they are shown, with whatever is written next. */
  show(backends: NonNullable<SecretMigrationStatus['backends']>): void {
    this.#backends = backends;
  }

  /**
   * Shows how far the run is. `urgent` resolves when it is stored, whatever the interval. A run that follows a verdict on
   * this generation (a retry, a requested run) keeps it until there is a better one, or it would flip the conditions twice;
   * but what kept an earlier run from its end is over once this one gets on.
   */
  async progress(record: MigrationRecord, urgent: boolean): Promise<void> {
    const { clock, intervalMs } = this.#options;
    if (!urgent && (this.#busy || clock.monotonic() - this.#lastWriteAt < intervalMs)) return;
    this.#startTime ??= toKubernetesTime(clock.now());
    const keepsVerdict = this.#hasVerdict();
    this.#hasBegun = true;
    await this.#write(keepsVerdict ? undefined : progressing(record.counts()), record);
  }

  #hasVerdict(): boolean {
    const { metadata, status } = this.#migration;
    const { conditions = [] } = status;
    const ready = readyOf(status);
    if (ready === undefined || ready.observedGeneration !== metadata.generation) return false;
    const isObstacle = conditions.some((condition) => condition.type === 'Reconciling');
    return ready.status !== 'Unknown' && !(this.#hasBegun && isObstacle);
  }

  /** The last word of a run; `record` is absent when nothing was looked at. */
  async conclude(verdict: Verdict, record?: MigrationRecord): Promise<void> {
    if (verdict.succeeded === 'True') this.#startTime ??= toKubernetesTime(this.#options.clock.now());
    this.#isLastWord = true;
    await this.#write(verdict, record);
    this.#measure(verdict);
  }

  async #write(verdict: Verdict | undefined, record: MigrationRecord | undefined): Promise<void> {
    const before = this.#writing;
    this.#busy = true;
    this.#writing = before.catch(() => undefined).then(async () => this.#writeNow(verdict, record));
    try {
      await this.#writing;
    } finally {
      this.#busy = false;
    }
  }

  async #writeNow(verdict: Verdict | undefined, record: MigrationRecord | undefined): Promise<void> {
    if (record !== undefined) this.#table = record.table();
    const before = this.#migration;
    const written = await this.#options.writer.write(before, this.#statusFor(verdict), this.#signal);
    this.#lastWriteAt = this.#options.clock.monotonic(); // Also when there was nothing to write: it is shown.
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
      // Echoed with the verdict and not before: a script that waits for it reads what the requested run found.
      lastHandledReconcileAt:
        (this.#isLastWord ? requestedRun(this.#migration) : undefined) ?? status.lastHandledReconcileAt,
      conditions: verdict === undefined ? conditions : toConditions(statementsOf(verdict), conditions, about),
      backends: this.#backends,
      ...this.#table,
      startTime: this.#startTime,
      completionTime: this.#completionTime(verdict, nowMs),
    };
  }

  /** When it was done first: a run that only looks again, and finds it still so, moves nothing. */
  #completionTime(verdict: Verdict | undefined, nowMs: number): string | undefined {
    const { completionTime } = this.#migration.status;
    if (verdict === undefined) return completionTime;
    return verdict.succeeded === 'True' ? (completionTime ?? toKubernetesTime(nowMs)) : undefined;
  }

  /** One event per change of Ready's reason; progress is not an event. */
  #announce(before: SecretMigration, verdict: Verdict): void {
    const old = readyOf(before.status);
    if (old?.reason === verdict.reason && old.observedGeneration === before.metadata.generation) return;
    const { name, namespace, uid } = before.metadata;
    this.#options.events.record({
      regarding: { apiVersion: API_VERSION, kind: 'SecretMigration', name, namespace, uid },
      type: verdict.ready === 'False' ? 'Warning' : 'Normal',
      reason: verdict.reason,
      action: 'Migrate',
      note: shortened(verdict.message, MAX_CONDITION_MESSAGE),
    });
  }

  #measure(verdict: Verdict): void {
    const { metrics, clock } = this.#options;
    const { name, namespace } = this.#migration.metadata;
    for (const [state, count] of Object.entries(this.#table.summary ?? {})) {
      if (state !== 'total') metrics.gauge('secretmigration_keys', { namespace, name, state }, count);
    }
    for (const status of ['True', 'False', 'Unknown'] as const) {
      const labels = { namespace, name, type: 'Ready', status };
      metrics.gauge('secretmigration_condition', labels, verdict.ready === status ? 1 : 0);
    }
    const { fallback } = this.#table;
    if (fallback !== undefined)
      metrics.gauge('secretmigration_fallback_hits', { namespace, name }, fallback.hits);
    const conflicts = (this.#table.summary?.conflict ?? 0) - this.#conflictsBefore;
    metrics.count('secretmigration_conflicts_total', {}, Math.max(0, conflicts));
    if (verdict.succeeded !== 'True') return;
    metrics.gauge('secretmigration_last_success_timestamp_seconds', { namespace, name }, clock.now() / 1000);
  }
}
