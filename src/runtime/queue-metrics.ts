import type { Clock, Labels, Metrics } from '#src/ports.ts';
import type { Priority } from './lanes.ts';

/** As controller-runtime shows its priorities: handler.LowPriority is -100. */
const SHOWN_PRIORITY: Readonly<Record<Priority, string>> = { normal: '0', low: '-100' };

/** How often the gauges of unfinished work are updated while there is some. */
const UNFINISHED_TICK_MS = 500;

export interface QueueMetricsOptions {
  /** Label `name` and `controller`. */
  readonly name: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Keys in process, each with the monotonic time of its begin. */
  readonly processing: ReadonlyMap<string, number>;
}

/** The metrics of a work queue, with the names and meanings of client-go. */
export class QueueMetrics {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #labels: Labels;
  readonly #processing: ReadonlyMap<string, number>;
  #cancelTick: (() => void) | undefined;

  constructor({ name, clock, metrics, processing }: QueueMetricsOptions) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#labels = { name, controller: name };
    this.#processing = processing;
    metrics.count('workqueue_adds_total', this.#labels, 0);
    metrics.count('workqueue_retries_total', this.#labels, 0);
    this.#unfinished();
  }

  added(): void {
    this.#metrics.count('workqueue_adds_total', this.#labels);
  }

  retried(): void {
    this.#metrics.count('workqueue_retries_total', this.#labels);
  }

  /** A key that waited since then is in process now. */
  began(since: number): void {
    this.#metrics.observe('workqueue_queue_duration_seconds', this.#labels, this.#secondsSince(since));
    this.#tick();
  }

  /** A key that was in process since then is done. */
  ended(startedAt: number): void {
    this.#metrics.observe('workqueue_work_duration_seconds', this.#labels, this.#secondsSince(startedAt));
    this.#unfinished();
  }

  /** Keys that wait. */
  depth(depths: Readonly<Record<Priority, number>>): void {
    // controller-runtime has this label on the depth only.
    for (const priority of ['normal', 'low'] as const)
      this.#metrics.gauge(
        'workqueue_depth',
        { ...this.#labels, priority: SHOWN_PRIORITY[priority] },
        depths[priority],
      );
  }

  close(): void {
    this.#cancelTick?.();
  }

  #tick(): void {
    if (this.#cancelTick !== undefined) return;
    this.#cancelTick = this.#clock.schedule(UNFINISHED_TICK_MS, () => {
      this.#cancelTick = undefined;
      this.#unfinished();
      if (this.#processing.size > 0) this.#tick();
    });
  }

  #unfinished(): void {
    const seconds = [...this.#processing.values()].map((startedAt) => this.#secondsSince(startedAt));
    const total = seconds.reduce((sum, each) => sum + each, 0);
    const longest = seconds.reduce((most, each) => Math.max(most, each), 0);
    this.#metrics.gauge('workqueue_unfinished_work_seconds', this.#labels, total);
    this.#metrics.gauge('workqueue_longest_running_processor_seconds', this.#labels, longest);
  }

  #secondsSince(startedAt: number): number {
    return (this.#clock.monotonic() - startedAt) / 1000;
  }
}
