import { randomUUID } from 'node:crypto';
import type { KubeClient } from '#src/kube/client.ts';
import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf, hasCode } from '#src/errors.ts';
import { onAbort } from '#src/io/abort.ts';
import { collectionPath, objectPath } from '#src/kube/resource.ts';
import type { Clock, EventRecord, EventSink, Logger, Metrics } from '#src/ports.ts';
import { EVENTS, namespaceOf, seriesKey, toEvent, type Occurrences } from './event-object.ts';
import { toMicroTime } from './micro-time.ts';

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** Pod name of the replica that reports. */
  readonly reportingInstance: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Maximum number of queued events; more are dropped and counted. Default 1000. */
  readonly capacity?: number;
  readonly newId?: () => string;
}

/** A repeat after this time becomes a new event (client-go's finishTime). */
const SERIES_ENDS_AFTER_MS = 6 * 60_000;
/** Minimum time between two updates of one series. */
const SERIES_INTERVAL_MS = 30_000;
const MAX_SERIES = 4_096;
const ATTEMPTS = 3;
const RETRY_MS = 1_000;
const DRAIN_MS = 3_000;

/** One Event object of ours, and its repeats since it was written. */
interface Series {
  readonly record: EventRecord;
  name: string;
  count: number;
  writtenCount: number;
  lastAt: number;
  writtenAt: number;
  queued: boolean;
}

/**
 * Posts events.k8s.io/v1 Events from a bounded queue. An equal event within six minutes increments the count of the first
 * (`series`) instead of creating another object. Recording is immediate and never fails; events that cannot be sent are
 * dropped and counted.
 */
export class EventRecorder implements EventSink {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #queue: Series[] = [];
  /** Cancels the timers of pending series updates. */
  readonly #timers = new Map<Series, () => void>();
  #wake: () => void = () => undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    options.metrics.count('keyferry_events_total', {}, 0);
    options.metrics.count('keyferry_events_dropped_total', {}, 0);
  }

  record(event: EventRecord): void {
    const now = this.#options.clock.monotonic();
    const key = seriesKey(event);
    const known = this.#series.get(key);
    if (known !== undefined && now - known.lastAt < SERIES_ENDS_AFTER_MS) {
      known.count += 1;
      known.lastAt = now;
      this.#enqueue(known);
      return;
    }
    this.#forgetOldSeries(now);
    const series: Series = {
      record: event,
      name: '',
      count: 1,
      writtenCount: 0,
      lastAt: now,
      writtenAt: Number.NEGATIVE_INFINITY,
      queued: false,
    };
    if (this.#enqueue(series)) this.#series.set(key, series);
  }

  /**
   * Sends until the signal aborts, then sends queued events for at most three more seconds; with the reason `LEASE_LOST` it
   * drops them.
   */
  async run(signal: AbortSignal): Promise<void> {
    const drain = new AbortController();
    let cancelDrain = (): void => undefined;
    using _stopping = onAbort(signal, () => {
      if (hasCode(signal.reason, 'LEASE_LOST')) drain.abort(signal.reason);
      else cancelDrain = this.#options.clock.schedule(DRAIN_MS, () => drain.abort());
      this.#wake();
    });
    try {
      await this.#sendAll(signal, drain.signal);
    } finally {
      cancelDrain();
      for (const cancel of this.#timers.values()) cancel();
    }
  }

  async #sendAll(stop: AbortSignal, drain: AbortSignal): Promise<void> {
    while (!drain.aborted) {
      const series = this.#queue.shift();
      if (series !== undefined) await this.#send(series, drain);
      else if (stop.aborted) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** False when the queue is full and the event was dropped. */
  #enqueue(series: Series): boolean {
    if (series.queued) return true;
    if (this.#queue.length >= (this.#options.capacity ?? 1_000)) {
      this.#options.metrics.count('keyferry_events_dropped_total');
      return false;
    }
    series.queued = true;
    const dueInMs = series.writtenAt + SERIES_INTERVAL_MS - this.#options.clock.monotonic();
    // The second occurrence is sent immediately, later ones at most every half minute.
    if (series.writtenCount > 1 && dueInMs > 0)
      this.#options.clock.schedule(dueInMs, () => this.#push(series));
    else this.#push(series);
    return true;
  }

  #push(series: Series): void {
    this.#queue.push(series);
    this.#wake();
  }

  async #send(series: Series, signal: AbortSignal): Promise<void> {
    series.queued = false;
    const { logger, metrics, clock } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#writeSeries(series, signal);
        metrics.count('keyferry_events_total');
        return;
      } catch (thrown) {
        const problem = errorOf(thrown);
        if (signal.aborted || problem.disposition !== 'transient' || attempt === ATTEMPTS) {
          metrics.count('keyferry_events_dropped_total');
          logger.warn('event rejected', { ...logFieldsOf(problem), reason: series.record.reason });
          return;
        }
      }
      await clock.sleep(RETRY_MS * attempt, signal).catch(() => undefined); // Ends early only by the signal.
    }
  }

  async #writeSeries(series: Series, signal: AbortSignal): Promise<void> {
    const count = series.count;
    const isNew = series.writtenCount === 0;
    if (isNew || !(await this.#patch(series, signal))) await this.#create(series, signal);
    series.writtenCount = count;
    series.writtenAt = this.#options.clock.monotonic();
  }

  async #create(series: Series, signal: AbortSignal): Promise<void> {
    const { client, newId = randomUUID } = this.#options;
    const { regarding } = series.record;
    // A fixed name makes a repeated POST harmless; the prefix, as in kubectl, sorts it by its object.
    if (series.name === '') series.name = `${regarding.name.slice(0, 200)}.${newId().replaceAll('-', '')}`;
    try {
      await client.request({
        method: 'POST',
        path: collectionPath(EVENTS, namespaceOf(series.record)),
        query: { fieldValidation: 'Strict' },
        body: toEvent(series.record, {
          name: series.name,
          reportingInstance: this.#options.reportingInstance,
          eventTime: toMicroTime(this.#options.clock.now()),
          series: this.#occurrencesOf(series),
        }),
        op: 'event.create',
        holdsNoValue: true,
        target: `${regarding.kind} ${regarding.namespace}/${regarding.name}`,
        signal,
      });
    } catch (thrown) {
      if (!hasCode(thrown, 'ALREADY_EXISTS')) throw thrown;
    }
  }

  /** False when the Event no longer exists because its time to live ended. */
  async #patch(series: Series, signal: AbortSignal): Promise<boolean> {
    const namespace = namespaceOf(series.record);
    try {
      await this.#options.client.request({
        method: 'PATCH',
        path: objectPath(EVENTS, { namespace, name: series.name }),
        query: { fieldValidation: 'Strict' },
        contentType: 'application/merge-patch+json',
        body: { series: this.#occurrencesOf(series) },
        op: 'event.patch',
        holdsNoValue: true,
        target: `Event ${namespace}/${series.name}`,
        signal,
      });
      return true;
    } catch (thrown) {
      if (!hasCode(thrown, 'NOT_FOUND')) throw thrown;
      series.name = '';
      return false;
    }
  }

  /** The occurrences of a series so far, and when the last one was, as its Event has them. */
  #occurrencesOf(series: Series): Occurrences {
    const { clock } = this.#options;
    const lastObservedTime = toMicroTime(clock.now() - (clock.monotonic() - series.lastAt));
    return { count: series.count, lastObservedTime };
  }

  #forgetOldSeries(now: number): void {
    if (this.#series.size < MAX_SERIES) return;
    for (const [key, series] of this.#series) {
      if (now - series.lastAt >= SERIES_ENDS_AFTER_MS) this.#series.delete(key);
    }
    // All are recent: drop the one recorded first. At worst a repeat of it becomes a new Event.
    const first = this.#series.keys().next();
    if (this.#series.size >= MAX_SERIES && first.done !== true) this.#series.delete(first.value);
  }
}
