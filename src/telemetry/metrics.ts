import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { OperatorError } from '#src/errors.ts';
import type { Labels, Metrics, Sample } from '#src/ports.ts';
import { METRICS } from './metric-table.ts';
import type { MetricInfo } from './metric-table.ts';

/** The reply to a scrape. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

/** Gauges of prom-client with the suffix of a counter, which `promtool check metrics` reports; each is the sum of another one. */
const MISNAMED_GAUGES = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
] as const;

/**
 * Gauges of prom-client that a timer feeds, which by default wakes the process 100 times a second: 0.6 % of a core while nothing
 * happens. Without it they say nothing; nodejs_eventloop_lag_seconds is measured at a scrape.
 */
const MONITORED_GAUGES = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(
  (what) => `nodejs_eventloop_lag_${what}_seconds`,
);
/** The longest interval of the timer: 24 days. */
const NEVER_MS = 2 ** 31 - 1;

/** The Metrics port on its own registry: two instances in one process do not share series. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #computed: { readonly names: readonly string[]; readonly samples: () => Iterable<Sample> }[] = [];

  constructor() {
    for (const [name, info] of Object.entries(METRICS)) this.#define(name, info);
  }

  count(name: string, labels: Labels = {}, by = 1): void {
    this.#use(this.#counters, name, labels).inc(labels, by);
  }

  observe(name: string, labels: Labels, seconds: number): void {
    this.#use(this.#histograms, name, labels).observe(labels, seconds);
  }

  gauge(name: string, labels: Labels, value: number): void {
    this.#use(this.#gauges, name, labels).set(labels, value);
  }

  /**
   * Computes the gauges of these names at each scrape: they have exactly the series that `samples` yields then, so that no
   * series outlives its object. Other gauges are set as they change.
   */
  computeAtScrape(names: readonly string[], samples: () => Iterable<Sample>): void {
    this.#computed.push({ names, samples });
  }

  /** Adds process_* and nodejs_* (CPU, memory, event loop, garbage collection). Call it once, in the serving process. */
  collectProcessMetrics(): void {
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: NEVER_MS });
    for (const name of [...MISNAMED_GAUGES, ...MONITORED_GAUGES]) this.#registry.removeSingleMetric(name);
  }

  async exposition(): Promise<Exposition> {
    for (const { names, samples } of this.#computed) {
      for (const name of names) this.#gauges.get(name)?.reset();
      for (const { name, labels, value } of samples()) this.gauge(name, labels, value);
    }
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #define(name: string, { kind, help, labels, buckets = [] }: MetricInfo): void {
    const shape = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (kind === 'counter') this.#counters.set(name, new Counter(shape));
    else if (kind === 'gauge') this.#gauges.set(name, new Gauge(shape));
    else this.#histograms.set(name, new Histogram({ ...shape, buckets: [...buckets] }));
  }

  /** A wrong name or label would create a series that no alert reads: it is a bug, so this throws. */
  #use<M>(known: ReadonlyMap<string, M>, name: string, labels: Labels): M {
    const metric = known.get(name);
    const expected = METRICS[name]?.labels ?? [];
    const given = Object.keys(labels);
    if (
      metric === undefined ||
      given.length !== expected.length ||
      !given.every((each) => expected.includes(each))
    ) {
      throw new OperatorError('INVARIANT', {
        op: 'metrics.use',
        target: name,
        detail: `It is not in the table of metrics with this use and the labels ${given.join(', ')}.`,
      });
    }
    return metric;
  }
}
