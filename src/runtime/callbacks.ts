import type { Labels, Logger, Metrics } from '#src/ports.ts';

export interface CallbacksOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Of the counter of failures and of its log lines. */
  readonly labels: Labels;
}

/** Calls what others registered with a watch: a failure is counted and logged, and stops nothing. */
export class Callbacks {
  readonly #options: CallbacksOptions;

  constructor(options: CallbacksOptions) {
    this.#options = options;
    options.metrics.count('keyferry_informer_handler_errors_total', options.labels, 0);
  }

  /** The result of `callback`, or undefined if it threw. `key`: the object or the namespace that it is called for. */
  call<R>(callback: () => R, key: string | undefined): R | undefined {
    const { labels, logger, metrics } = this.#options;
    try {
      return callback();
    } catch (thrown) {
      metrics.count('keyferry_informer_handler_errors_total', labels);
      logger.error('informer handler failed', thrown, { ...labels, key });
      return undefined;
    }
  }
}
