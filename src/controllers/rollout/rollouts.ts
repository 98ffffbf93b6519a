import { hasCode, type OperatorError } from '#src/errors.ts';
import { explain, logFieldsOf } from '#src/errors/explain.ts';
import { documentation } from '#src/errors/documentation.ts';
import { onAbort } from '#src/io/abort.ts';
import { backoffMs } from '#src/io/retry-delay.ts';
import type { Clock, EventRecord, Random } from '#src/ports.ts';
import { restartIn, type RestartParts } from './restarts.ts';
import { Windows, type Batch, type ChangedSecret, type Window } from './windows.ts';

const WINDOW: Window = { quietMs: 2_000, mostMs: 10_000 };
/** Namespaces at once; a namespace has one of them. */
const WORKERS = 4;
const ATTEMPTS = 5;
const RETRY = { baseMs: 2_000, capMs: 60_000, jitter: 0.5 } as const;
/** For restarts that are due when the operator stops. */
const DRAIN_MS = 3_000;
/** Bytes of the cause in a note; an event has room for 1,024. */
const MAX_CAUSE = 600;

export interface RolloutsOptions extends RestartParts {
  readonly clock: Clock;
  readonly random: Random;
  /** Default: 2 s after the last change, at most 10 s after the first. */
  readonly window?: Window;
}

/**
 * `spec.rollout.restart`: Secrets of a namespace that change together restart each workload that uses them and opted in once.
 *
 * At most once: what was collected is in memory only, so that a killed operator forgets it, and one that starts restarts
 * nothing. The annotation at the pod template makes a restart for the same revisions do nothing.
 */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #windows: Windows;
  /** Namespaces in which a right is missing, as the log said. */
  readonly #denied = new Set<string>();
  #wake = Promise.withResolvers<void>();

  constructor(options: RolloutsOptions) {
    this.#options = options;
    this.#windows = new Windows(options.clock, options.window ?? WINDOW, () => this.#wakeAll());
    for (const kind of Object.keys(options.workloads))
      options.metrics.count('keyferry_rollout_restarts_total', { kind }, 0);
  }

  /**
   * The engine wrote this Secret with other bytes, for a migration with `rollout.restart`. Not for a Secret that it created,
   * adopted or found equal, and not for a new version with equal bytes. Returns at once.
   */
  secretChanged(change: ChangedSecret): void {
    this.#windows.add(change);
  }

  /**
   * Restarts what is due until the signal aborts; then what was collected, for at most three more seconds. With the reason
   * `LEASE_LOST` it drops that. Never rejects for a failed restart.
   */
  async run(signal: AbortSignal): Promise<void> {
    const drain = new AbortController();
    let cancelDrain = (): void => undefined;
    using _stopping = onAbort(signal, () => {
      if (hasCode(signal.reason, 'LEASE_LOST')) drain.abort(signal.reason);
      else cancelDrain = this.#options.clock.schedule(DRAIN_MS, () => drain.abort());
      this.#windows.closeAll();
      this.#wakeAll();
    });
    try {
      await Promise.all(Array.from({ length: WORKERS }, async () => this.#work(signal, drain.signal)));
    } finally {
      cancelDrain();
      this.#tellLost(this.#windows.drop());
    }
  }

  async #work(stop: AbortSignal, drain: AbortSignal): Promise<void> {
    while (!drain.aborted) {
      const batch = this.#windows.take();
      if (batch !== undefined) await this.#restart(batch, drain);
      else if (stop.aborted) return;
      else await this.#wake.promise;
    }
  }

  async #restart(batch: Batch, signal: AbortSignal): Promise<void> {
    try {
      this.#settle(batch, await restartIn(batch, this.#options, signal));
    } catch {
      // The operator ends: the signal aborted, or another replica may lead.
      this.#windows.done(batch);
      this.#tellLost(batch.secrets.size);
    }
  }

  #settle(batch: Batch, problems: readonly OperatorError[]): void {
    const denied = problems.find(({ code }) => code === 'AUTH_DENIED');
    this.#tellRights(batch, denied);
    const others = problems.filter(({ code }) => code !== 'AUTH_DENIED');
    const passing = others.find(isPassing);
    batch.failures += 1;
    if (passing !== undefined && batch.failures < ATTEMPTS) {
      const { random } = this.#options;
      this.#options.logger.info('restarts are tried again', {
        namespace: batch.namespace,
        ...logFieldsOf(passing),
      });
      const { retryAfterMs } = passing;
      this.#windows.putBack(batch, backoffMs(RETRY, batch.failures, { random, retryAfterMs }));
      return;
    }
    const [first] = others;
    if (first !== undefined) this.#tellFailed(batch, first, others.length);
    this.#windows.done(batch);
  }

  /** The event each time, as a series; the log once. */
  #tellRights({ namespace, migrations }: Batch, denied: OperatorError | undefined): void {
    const { logger } = this.#options;
    if (denied === undefined) {
      if (this.#denied.delete(namespace)) logger.info('workloads can be restarted now', { namespace });
      return;
    }
    const todo = `Set rollout.enabled of the chart: ${documentation('rotate-without-restart.md')}.`;
    if (!this.#denied.has(namespace))
      logger.warn('workloads may not be restarted', { namespace, ...logFieldsOf(denied), hint: todo });
    this.#denied.add(namespace);
    for (const regarding of migrations.values())
      this.#options.events.record({
        ...WARNING,
        regarding,
        reason: 'RestartForbidden',
        note: `Secrets changed, and the workloads that use them do not restart: ${denied.message} ${todo}`,
      });
  }

  #tellFailed({ namespace, migrations }: Batch, first: OperatorError, count: number): void {
    this.#options.logger.warn('restarts failed', { namespace, count, ...logFieldsOf(first) });
    for (const regarding of migrations.values())
      this.#options.events.record({
        ...WARNING,
        regarding,
        reason: 'RestartFailed',
        note: `Secrets changed, and not all workloads that use them restart: ${explain(first, MAX_CAUSE)} Restart them with kubectl rollout restart.`,
      });
  }

  #tellLost(secrets: number): void {
    if (secrets > 0)
      this.#options.logger.warn('restarts are lost with the stop of the operator', { secrets });
  }

  #wakeAll(): void {
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers();
    resolve();
  }
}

const WARNING = { type: 'Warning', action: 'Restart' } as const satisfies Partial<EventRecord>;

/** A later try can succeed. */
function isPassing({ disposition }: OperatorError): boolean {
  return disposition === 'transient' || disposition === 'conflict';
}
