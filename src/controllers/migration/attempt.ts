import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { MAX_STORE } from '#src/api/v1alpha1/used-backends.ts';
import type { Reader } from '#src/backends/driver.ts';
import { boundedText } from '#src/core/bounded-text.ts';
import type { Range } from '#src/core/ranges.ts';
import { OperatorError } from '#src/errors.ts';
import { MigrationJournal } from '#src/journal/journal.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { ReportStore } from '#src/journal/reports.ts';
import type { AccessLogState, Clock, Mandate, Permit, ServerTime } from '#src/ports.ts';
import type { ReconcileContext } from '#src/runtime/controller.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import { parseObjectKey, type ReadonlyStore } from '#src/runtime/store.ts';
import { readyOf } from '../conditions.ts';
import type { BackendLookup } from '../backend/lookup.ts';
import type { DriverPool } from '../backend/pool.ts';
import type { BackendReferences } from '../backend/trust-root.ts';
import { renamingOf } from '#src/engine/plan/compile.ts';
import type { RunPermit } from '#src/engine/apply/run-permit.ts';
import type { LiveMigrations } from '#src/engine/crossings.ts';
import type { RangeJobs } from '../ranges/jobs.ts';
import type { Rollouts } from '../rollout/rollouts.ts';
import type { Followed } from '../sync/followed.ts';
import type { Following } from '../sync/following.ts';
import type { Pass } from '../sync/passes.ts';
import type { SecretUses } from '../uses/secret-uses.ts';
import type { HalfRemoved } from './removals.ts';
import type { RunningAttempts } from './running.ts';
import type { MigrationStatus, MigrationStatusOptions } from './status.ts';
import type { Stop } from './stop.ts';
import { requestedRun, type Task } from './task.ts';

/** What every reconcile of a migration needs. */
export interface MigrationParts {
  readonly migrations: Pick<ObjectClient, 'get'>;
  readonly backends: BackendLookup;
  readonly reports: ReportStore;
  /** The attempts that a change of their migration stops. */
  readonly attempts: RunningAttempts;
  /** The latest state from the watch. */
  readonly cache: ReadonlyStore<SecretMigration>;
  /** False while there can be migrations that `cache` has not: their claims are left alone. */
  readonly knowsAllMigrations: boolean;
  /** Tells which Secrets must not be removed. */
  readonly references: BackendReferences;
  /** Tells who uses a Secret that is to be removed. */
  readonly uses: SecretUses;
  readonly pool: DriverPool;
  /** Undefined: accesses are not recorded. */
  readonly accessLog?: AccessLogState | undefined;
  readonly status: MigrationStatusOptions;
  /** The migrations that are live in this process. */
  readonly live: LiveMigrations;
  /** Asked before each change of a document. */
  readonly mandate: Mandate;
  readonly halfRemoved: HalfRemoved;
  /** What attempts could not make durable, for the next one. */
  readonly unsaved: WeakMap<Followed, Map<string, Outcome>>;
  /** What may have changed in the migrations that are kept in step. */
  readonly following: Following;
  /** Restarts the workloads that opted in, when Secrets got other values. */
  readonly rollouts: Pick<Rollouts, 'secretChanged'>;
  readonly clock: Clock;
  /** That of the API server. */
  readonly serverTime: ServerTime;
  readonly concurrentDocuments: number;
  /** Milliseconds before a migration is tried again that waits for a change elsewhere. */
  readonly waitingRetryMs: number;
  /** In the pod of one range: the documents that it moves. Undefined: all of them. */
  readonly range?: Range | undefined;
  /** Moves a migration with spec.parallelism by the pods of a Job. Undefined: this process moves it. */
  readonly jobs?: RangeJobs | undefined;
  /** True if another migration waits for a worker. */
  readonly isAwaited: () => boolean;
}

/** One reconcile of one migration. */
export interface Attempt {
  readonly parts: MigrationParts;
  /** The migration at the start of the reconcile. */
  readonly migration: SecretMigration;
  readonly task: Task;
  readonly status: MigrationStatus;
  /** Mode Sync: what may have changed; undefined before the first pass of this process over this generation. */
  readonly followed: Followed | undefined;
  /** Mode Sync: what changes while all is read; undefined for a follow. */
  readonly pass: Pass | undefined;
  /** The sources that this attempt removed. */
  readonly removed: { count: number };
  /** Mode Sync: what became of documents that are remembered, and whose rows are not durable yet; also of the attempt before. */
  readonly unsaved: Map<string, Outcome>;
  /** The signals of the work; that of `context` ends everything. */
  readonly stop: Stop;
  readonly context: ReconcileContext;
}

/** Reads the current migration; undefined if it does not exist. Throws `SPEC_INVALID`. */
export async function readMigration(
  migrations: Pick<ObjectClient, 'get'>,
  key: string,
  signal: AbortSignal,
): Promise<SecretMigration | undefined> {
  const object = await migrations.get(parseObjectKey(key), signal);
  if (object === undefined) return undefined;
  const parsed = parseSecretMigration(object);
  if (parsed.ok) return parsed.value;
  throw new OperatorError('SPEC_INVALID', {
    op: 'migration.parse',
    target: key,
    detail: parsed.problems.join('; '),
  });
}

/**
 * Reads what earlier runs recorded. With the destination of this reconcile, a recorded proof of another store does not
 * count. Throws `SPEC_INVALID`, and what the API client throws.
 */
export async function openJournal(
  { parts, migration, stop, context }: Attempt,
  destination?: Pick<Reader, 'locationOf'>,
): Promise<MigrationJournal> {
  const { reports, clock } = parts;
  const rules = renamingOf(migration).rules.map(({ id }) => id);
  const { logger } = context;
  const signal = stop.finishing;
  const acknowledgesLoss = acknowledges(migration);
  const place = destination && { destinationStore: storeOf(destination) };
  const options = { migration, reports, clock, logger, signal, rules, acknowledgesLoss };
  return MigrationJournal.open({ ...options, ...place });
}

/** True when the user requested this run after Ready said that reports were lost. */
function acknowledges(migration: SecretMigration): boolean {
  const requested = requestedRun(migration);
  const isRequested = requested !== undefined && requested !== migration.status.lastHandledReconcileAt;
  return isRequested && readyOf(migration.status)?.reason === 'ReportsIncomplete';
}

/** The store of a backend and the folder in it, as text to compare. */
function storeOf(backend: Pick<Reader, 'locationOf'>): string {
  const { store, path } = backend.locationOf('');
  return boundedText(path === '' ? store : `${store} ${path}`, MAX_STORE);
}

/** Permission to change documents as long as the attempt was not stopped and this replica leads. */
export function permitOf({ parts, stop }: Pick<Attempt, 'parts' | 'stop'>): RunPermit {
  const during = (signal: AbortSignal): Permit => ({
    signal,
    require: () => {
      signal.throwIfAborted();
      parts.mandate.assertHeld();
    },
  });
  return { ...during(stop.signal), toComplete: during(stop.settling) };
}
