import { randomUUID } from 'node:crypto';
import type { Disposition } from '#src/errors/code-info.ts';
import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf, hasCode, OperatorError } from '#src/errors.ts';
import { onAbort, whenAborted } from '#src/io/abort.ts';
import { Deadline } from '#src/io/deadline.ts';
import { NO_TRACES } from '#src/io/no-traces.ts';
import type { Clock, Labels, Logger, Metrics, Tracer } from '#src/ports.ts';
import { HandOn, type HandOnLimits } from './hand-on.ts';
import type { WorkQueue } from './queue.ts';
import { Tenure, type WorkerTurn } from './tenure.ts';

export type ReconcileResult =
  | { readonly kind: 'done' }
  /** Reconcile again after this time, although nothing failed. */
  | { readonly kind: 'requeue'; readonly requeueAfterMs: number };

export interface ReconcileContext {
  /** Identifies this run in all its log lines. */
  readonly reconcileId: string;
  /** Aborts at the deadline of the run, and when the process cannot wait for it any longer. */
  readonly signal: AbortSignal;
  /** Has the fields controller, key and reconcileID. */
  readonly logger: Logger;
  /** Undefined: nobody else uses the worker. */
  readonly turn?: WorkerTurn;
}

/** Brings the object named `key` to its desired state; reads all it needs itself. Throws OperatorErrors. */
export type Reconcile = (key: string, context: ReconcileContext) => Promise<ReconcileResult>;

export interface ControllerOptions {
  readonly name: string;
  readonly queue: WorkQueue;
  readonly reconcile: Reconcile;
  /** Maximum number of concurrent keys; default 1. */
  readonly workers?: number;
  /** Gives workers to keys that wait, while reconciles that take long are under way. Default: a key keeps its worker. */
  readonly handsOn?: HandOnLimits | undefined;
  /** Deadline of one reconcile, waits for the quota of a server included; default 10 min. */
  readonly deadlineMs?: number;
  /** Delay before a `waiting` key is reconciled again, if no watch wakes it; default 30 s. */
  readonly waitingIntervalMs?: number;
  /** The same delay for `integrity`; default 1 h. */
  readonly integrityIntervalMs?: number;
  /** Time for running reconciles to finish at shutdown before they are aborted; default 20 s. */
  readonly graceMs?: number;
  /** Time for aborted reconciles to stop; default 2 s. */
  readonly abandonMs?: number;
  readonly newId?: () => string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Gets a trace for each reconcile. Default: none. */
  readonly tracer?: Tracer;
}

type MetricResult = 'success' | 'error' | 'requeue' | 'requeue_after';

/** How the worker handles a thrown error: the dispositions of docs/errors.md in code. */
interface Treatment {
  readonly retry: 'backoff' | 'waiting' | 'integrity' | 'never';
  readonly result: MetricResult;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly counter?: 'terminal_reconcile_errors' | 'reconcile_panics';
}

const TREATMENTS: Readonly<Record<Disposition, Treatment>> = {
  conflict: { retry: 'backoff', result: 'requeue', level: 'debug' },
  transient: { retry: 'backoff', result: 'error', level: 'warn' },
  waiting: { retry: 'waiting', result: 'requeue_after', level: 'info' },
  stalled: { retry: 'never', result: 'error', level: 'error', counter: 'terminal_reconcile_errors' },
  integrity: { retry: 'integrity', result: 'error', level: 'error' },
  bug: { retry: 'backoff', result: 'error', level: 'error', counter: 'reconcile_panics' },
};

/** N workers that take keys, run `reconcile` and decide when each key is due again. Only they catch all errors. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #labels: Labels;
  readonly #handOn: HandOn | undefined;
  /** Reconciles that are under way, each with its end. */
  readonly #tenures = new Map<Tenure, Promise<void>>();
  #active = 0;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#labels = { controller: options.name };
    const { clock, handsOn, queue } = options;
    this.#handOn =
      handsOn &&
      new HandOn({ ...handsOn, clock, line: queue, handOn: (tenure) => this.#takeWorkerOf(tenure) });
    queue.onWait(() => this.#handOn?.look());
    this.#touchMetrics();
  }

  /**
   * Runs until the signal aborts. Then hands out no more keys, lets running reconciles finish for the grace period, aborts
   * the rest and resolves. With the reason `LEASE_LOST` there is no grace: what they still wanted to write would be refused.
   * It logs a reconcile that ignores the abort and does not wait for it.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, name, queue, graceMs = 20_000, abandonMs = 2_000, workers = 1 } = this.#options;
    const hardStop = new AbortController();
    using _closing = onAbort(signal, () => {
      queue.close();
      for (const tenure of this.#tenures.keys()) tenure.release();
    });
    let finished = false;
    const working = Promise.all(
      Array.from({ length: workers }, async () => await this.#work(hardStop.signal)),
    )
      .then(async () => Promise.all(this.#tenures.values()))
      .then(() => (finished = true));
    await Promise.race([working, whenAborted(signal)]);
    const drained = new AbortController();
    if (!hasCode(signal.reason, 'LEASE_LOST')) {
      const timeUp = clock.sleep(graceMs, drained.signal).catch(() => undefined);
      await Promise.race([working, timeUp]);
    }
    hardStop.abort(new OperatorError('LEASE_LOST', { op: 'controller.shutdown', detail: 'Shutting down.' }));
    const abandon = clock.sleep(abandonMs, drained.signal).catch(() => undefined);
    await Promise.race([working, abandon]);
    drained.abort();
    if (!finished) logger.warn('reconciles did not stop in time', { controller: name });
  }

  async #work(hardStop: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take())
      await this.#begin(key, hardStop);
  }

  /** Resolves when the worker is free again. */
  async #begin(key: string, hardStop: AbortSignal): Promise<void> {
    const { clock, queue } = this.#options;
    const line = {
      resume: (_key: string, attend: () => Promise<void>) =>
        queue.resume(key, async () => this.#withWorker(attend)),
      withdraw: () => queue.withdraw(key),
    };
    const tenure = new Tenure({ key, group: queue.groupOf(key), line, clock });
    const free = this.#withWorker(async () => tenure.hold());
    const ended = this.#reconcileOnce(tenure, hardStop).finally(() => {
      queue.done(key);
      this.#tenures.delete(tenure);
      this.#handOn?.end(tenure);
      tenure.end();
    });
    this.#tenures.set(tenure, ended);
    this.#handOn?.begin(tenure);
    await free;
  }

  async #withWorker(use: () => Promise<void>): Promise<void> {
    this.#setActive(1);
    try {
      await use();
    } finally {
      this.#setActive(-1);
    }
  }

  #takeWorkerOf(tenure: Tenure): void {
    this.#options.queue.release(tenure.key);
    tenure.handOn();
    this.#options.metrics.count('keyferry_workers_handed_on_total', this.#labels);
  }

  async #reconcileOnce(tenure: Tenure, hardStop: AbortSignal): Promise<void> {
    const { key } = tenure;
    const { clock, metrics, name, deadlineMs = 600_000, newId = randomUUID, reconcile } = this.#options;
    const reconcileId = newId();
    const logger = this.#options.logger.child({ controller: name, key, reconcileID: reconcileId });
    const about = { op: 'controller.reconcile', target: key };
    using run = Deadline.unpausable(clock, deadlineMs, hardStop, about);
    const startedAt = clock.monotonic();
    const turn = this.#handOn === undefined ? {} : { turn: tenure };
    try {
      const work = async () => reconcile(key, { reconcileId, signal: run.signal, logger, ...turn });
      this.#settle(tenure, await this.#traced(key, reconcileId, work));
    } catch (thrown) {
      if (hardStop.aborted) logger.debug('reconcile aborted by shutdown');
      else this.#treat(key, run.signal.aborted ? run.signal.reason : thrown, logger);
    } finally {
      const seconds = (clock.monotonic() - startedAt) / 1000;
      metrics.observe('controller_runtime_reconcile_time_seconds', this.#labels, seconds);
    }
  }

  /** With the identifiers that the log lines of this reconcile have. */
  async #traced<T>(key: string, reconcileId: string, work: () => Promise<T>): Promise<T> {
    const { name, tracer = NO_TRACES } = this.#options;
    const attributes = {
      'keyferry.controller': name,
      'keyferry.key': key,
      'keyferry.reconcile_id': reconcileId,
    };
    return tracer.trace({ name: `reconcile ${name}`, attributes }, work);
  }

  #settle({ ends, key }: Tenure, result: ReconcileResult): void {
    const { queue } = this.#options;
    queue.forget(key);
    if (result.kind === 'done') {
      this.#countResult('success');
      return;
    }
    this.#countResult('requeue_after');
    // Ended for the sake of others: it comes after them.
    if (ends.aborted && result.requeueAfterMs === 0) queue.add(key, 'low');
    else queue.addAfter(key, result.requeueAfterMs);
  }

  #treat(key: string, thrown: unknown, logger: Logger): void {
    const { metrics } = this.#options;
    const problem = errorOf(thrown);
    const treatment = TREATMENTS[problem.disposition];
    this.#countResult(treatment.result);
    if (treatment.result === 'error')
      metrics.count('controller_runtime_reconcile_errors_total', this.#labels);
    if (treatment.counter !== undefined) {
      metrics.count(`controller_runtime_${treatment.counter}_total`, this.#labels);
    }
    this.#requeue(key, treatment, problem.retryAfterMs);
    logProblem(logger, treatment.level, problem);
  }

  #requeue(key: string, treatment: Treatment, retryAfterMs: number | undefined): void {
    const { queue, waitingIntervalMs = 30_000, integrityIntervalMs = 3_600_000 } = this.#options;
    if (treatment.retry === 'backoff') {
      queue.addRateLimited(key, retryAfterMs);
      return;
    }
    queue.forget(key);
    if (treatment.retry === 'waiting') queue.addAfter(key, waitingIntervalMs);
    if (treatment.retry === 'integrity') queue.addAfter(key, integrityIntervalMs);
  }

  #setActive(step: 1 | -1): void {
    this.#active += step;
    this.#options.metrics.gauge('controller_runtime_active_workers', this.#labels, this.#active);
  }

  #countResult(result: MetricResult, by = 1): void {
    this.#options.metrics.count('controller_runtime_reconcile_total', { ...this.#labels, result }, by);
  }

  #touchMetrics(): void {
    const { metrics, workers = 1 } = this.#options;
    for (const result of ['success', 'error', 'requeue', 'requeue_after'] as const)
      this.#countResult(result, 0);
    metrics.count('controller_runtime_reconcile_errors_total', this.#labels, 0);
    metrics.count('controller_runtime_terminal_reconcile_errors_total', this.#labels, 0);
    metrics.count('controller_runtime_reconcile_panics_total', this.#labels, 0);
    metrics.gauge('controller_runtime_max_concurrent_reconciles', this.#labels, workers);
    metrics.gauge('controller_runtime_active_workers', this.#labels, 0);
    if (this.#handOn !== undefined) metrics.count('keyferry_workers_handed_on_total', this.#labels, 0);
  }
}

function logProblem(logger: Logger, level: Treatment['level'], problem: OperatorError): void {
  if (level === 'error') {
    logger.error('reconcile failed', problem);
    return;
  }
  logger[level]('reconcile requeued', logFieldsOf(problem));
}
