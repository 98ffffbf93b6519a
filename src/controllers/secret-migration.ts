import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { keepUp, runMigration } from '#src/engine/run.ts';
import type { RunContext, RunResult } from '#src/engine/run-context.ts';
import { errorOf, hasCode, isAbort, OperatorError } from '#src/errors.ts';
import type { Clock, Logger } from '#src/ports.ts';
import type { ReconcileContext, ReconcileResult } from '#src/runtime/controller.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import { parseObjectKey, type ReadonlyStore } from '#src/runtime/store.ts';
import type { BackendLookup, BackendPair } from './backend-lookup.ts';
import { shortNameOf } from './backend-names.ts';
import { isReady } from './conditions.ts';
import type { DriverLease, DriverPool } from './driver-pool.ts';
import { renamingOf, toIntent } from './migration-intent.ts';
import { MigrationRecord, type ListReports } from './migration-record.ts';
import { MigrationStatus, requestedRun, type MigrationStatusOptions } from './migration-status.ts';
import { requireCapabilities } from './preflight.ts';
import { concluding, failing, suspended } from './verdict.ts';

export interface MigrationReconcilerOptions {
  readonly migrations: ObjectClient;
  readonly backends: BackendLookup;
  readonly reports: ObjectClient;
  readonly listReports: ListReports;
  /** What the watch saw last: tells a running reconcile that the spec changed under it. */
  readonly seen: ReadonlyStore<SecretMigration>;
  /** Secrets of a namespace that must not be removed, with what needs them. */
  readonly trustRootsIn: (namespace: string) => ReadonlyMap<string, string>;
  readonly pool: DriverPool;
  readonly status: MigrationStatusOptions;
  readonly clock: Clock;
  readonly concurrentDocuments: number;
  /** Pause before documents are tried again that failed for a reason that may pass, milliseconds. */
  readonly retryMs: { readonly soon: number; readonly later: number };
}

/** Brings one SecretMigration forward. Everything is read live; the cache only says when to stop. */
export class MigrationReconciler {
  readonly #options: MigrationReconcilerOptions;

  constructor(options: MigrationReconcilerOptions) {
    this.#options = options;
  }

  /** Looks whether there is anything to do now, and does it. */
  async reconcile(key: string, context: ReconcileContext): Promise<ReconcileResult> {
    const migration = await this.#read(key, context.signal);
    if (migration === undefined || migration.metadata.deletionTimestamp !== undefined)
      return { kind: 'done' };
    const status = new MigrationStatus(this.#options.status, migration, context.signal);
    const work = workOf(migration);
    if (work === undefined) return await this.#showEndOfFallback(migration, status, context.signal);
    if (migration.spec.suspend) {
      await status.conclude(suspended());
      return { kind: 'done' };
    }
    if (this.#options.backends.awaitsProbe(migration))
      return { kind: 'requeue', requeueAfterMs: this.#options.retryMs.later };
    return await this.#attempt(migration, { work, status, context });
  }

  /** A migration that is done says when old names count no more; that needs neither of its backends. */
  async #showEndOfFallback(
    migration: SecretMigration,
    status: MigrationStatus,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { spec, status: shown } = migration;
    if (spec.source.fallback === undefined || shown.fallback?.state !== 'Active') return { kind: 'done' };
    const leftMs = Date.parse(spec.source.fallback.untilTime) - this.#options.clock.now();
    if (leftMs > 0) return { kind: 'requeue', requeueAfterMs: leftMs };
    await status.progress(await this.#openRecord(migration, status, signal), true);
    return { kind: 'done' };
  }

  /** One run with both ends, and the word that it comes to. */
  async #attempt(
    migration: SecretMigration,
    attempt: { readonly work: Work; readonly status: MigrationStatus; readonly context: ReconcileContext },
  ): Promise<ReconcileResult> {
    const { work, status, context } = attempt;
    let record: MigrationRecord | undefined;
    try {
      const backends = await this.#options.backends.find(migration, context.signal);
      const { namespace, name, uid } = migration.metadata;
      const user = { namespace, name, uid };
      await using source = await this.#options.pool.acquire(backends.source, user);
      await using destination = await this.#options.pool.acquire(backends.destination, user);
      await requireCapabilities(migration, { source, destination }, context.signal);
      status.show({
        source: shortNameOf(backends.source),
        destination: shortNameOf(backends.destination),
      });
      record = await this.#openRecord(migration, status, context.signal);
      await status.progress(record, true);
      const result = await work(
        this.#runContext({ migration, backends, record, source, destination, context }),
      );
      if (result.problem !== undefined) throw errorOf(result.problem);
      if (!result.interrupted) {
        if (work === runMigration) record.dropUnvisited();
        return await this.#conclude(migration, status, record, result);
      }
      await this.#handOver(migration, record, context.signal);
      return { kind: 'requeue', requeueAfterMs: 0 };
    } catch (failure) {
      if (isAbort(failure, context.signal)) throw failure;
      if (isSuperseded(failure)) {
        await this.#handOver(migration, record, context.signal);
        throw failure;
      }
      // What is left to do after a good end is tried again, and no reason to do everything again.
      if (work !== keepUp) await this.#concludeFailing(failure, status, record);
      throw failure;
    }
  }

  /** Rows whose reports cannot be stored must not hide why: then the status keeps the table that it has. */
  async #concludeFailing(
    failure: unknown,
    status: MigrationStatus,
    record: MigrationRecord | undefined,
  ): Promise<void> {
    let stored = record;
    try {
      await record?.storeShards();
    } catch {
      stored = undefined; // The reports are tried again by the next run, which meets the same failure if it lasts.
    }
    await status.conclude(failing(failure), stored);
  }

  async #read(key: string, signal: AbortSignal): Promise<SecretMigration | undefined> {
    const object = await this.#options.migrations.get(parseObjectKey(key), signal);
    if (object === undefined) return undefined;
    const parsed = parseSecretMigration(object);
    if (parsed.ok) return parsed.value;
    throw new OperatorError('SPEC_INVALID', {
      op: 'migration.parse',
      target: key,
      detail: parsed.problems.join('; '),
    });
  }

  async #openRecord(
    migration: SecretMigration,
    status: MigrationStatus,
    signal: AbortSignal,
  ): Promise<MigrationRecord> {
    const { reports, listReports, clock } = this.#options;
    const publish = async (record: MigrationRecord, urgent: boolean): Promise<void> =>
      status.progress(record, urgent);
    const rules = renamingOf(migration).rules.map(({ id }) => id);
    return MigrationRecord.open({ migration, reports, listReports, clock, signal, publish, rules });
  }

  #runContext(run: {
    readonly migration: SecretMigration;
    readonly backends: BackendPair;
    readonly record: MigrationRecord;
    readonly source: DriverLease;
    readonly destination: DriverLease;
    readonly context: { readonly signal: AbortSignal; readonly logger: Logger };
  }): RunContext {
    const { migration, backends, source, destination, record, context } = run;
    const { namespace, generation, uid, name } = migration.metadata;
    const key = `${namespace}/${name}`;
    return {
      intent: toIntent(migration, {
        source: source.driver.traits.addressing,
        destination: destination.driver.traits.addressing,
      }),
      source: source.driver,
      destination: destination.driver,
      destinationName: shortNameOf(backends.destination),
      journal: record,
      clock: this.#options.clock,
      logger: context.logger,
      concurrency: this.#options.concurrentDocuments,
      signal: context.signal,
      shouldStop: () => {
        if (!source.isCurrent || !destination.isCurrent) return true;
        const seen = this.#options.seen.get(key);
        if (seen === undefined || seen.metadata.uid !== uid) return true;
        return seen.metadata.generation > generation || seen.metadata.deletionTimestamp !== undefined;
      },
      onFallback: () => record.countFallback(),
      trustRootOf: (secret) =>
        source.driver.kind === 'kubernetes' ? this.#options.trustRootsIn(namespace).get(secret) : undefined,
    };
  }

  /**
   * What a run leaves to the next one when the object changed under it: which sources it removed is known to nobody else,
   * and a suspended migration shows its last rows for as long as it sleeps.
   */
  async #handOver(
    migration: SecretMigration,
    record: MigrationRecord | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (record === undefined) return;
    const { namespace, name, uid } = migration.metadata;
    const current = await this.#read(`${namespace}/${name}`, signal);
    if (current?.metadata.uid !== uid || current.metadata.deletionTimestamp !== undefined) return;
    await record.storeShards();
    await new MigrationStatus(this.#options.status, current, signal).progress(record, true);
  }

  async #conclude(
    migration: SecretMigration,
    status: MigrationStatus,
    record: MigrationRecord,
    result: RunResult,
  ): Promise<ReconcileResult> {
    await record.storeShards();
    const outcomes = [...record.outcomes()];
    const verdict = concluding({
      counts: record.counts(),
      outcomes,
      dryRun: migration.spec.dryRun,
      awaitsSoak: result.awaitsSoak,
    });
    await status.conclude(verdict, record);
    const waits = [
      ...(result.wakeAfterMs === undefined ? [] : [result.wakeAfterMs]),
      ...(outcomes.some(({ retry }) => retry === 'soon') ? [this.#options.retryMs.soon] : []),
      ...(outcomes.some(({ retry }) => retry === 'later') ? [this.#options.retryMs.later] : []),
      ...(outcomes.length === 0 ? [this.#options.retryMs.later] : []),
    ];
    return waits.length === 0 ? { kind: 'done' } : { kind: 'requeue', requeueAfterMs: Math.min(...waits) };
  }
}

type Work = typeof runMigration;

/** Nothing, when this generation and the last requested run came to a good end. */
function workOf(migration: SecretMigration): Work | undefined {
  const { spec, status } = migration;
  const requested = requestedRun(migration);
  if (!isReady(migration) || (requested !== undefined && requested !== status.lastHandledReconcileAt))
    return runMigration;
  return spec.backupTTLSeconds === undefined ? undefined : keepUp;
}

/** Somebody else wrote the object or it is gone: the next reconcile sees the new state, this one has nothing to say. */
function isSuperseded(failure: unknown): boolean {
  return hasCode(failure, 'VERSION_CONFLICT') || hasCode(failure, 'NOT_FOUND');
}
