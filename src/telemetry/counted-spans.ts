import { ExportResultCode } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { documentation } from '#src/errors/documentation.ts';
import type { Clock, Logger, Metrics } from '#src/ports.ts';

/** About 4 MB. */
const MAX_WAITING = 2_048;
const MAX_BATCH = 512;
/** Spans of small migrations wait so long for others. */
const BATCH_DELAY_MS = 2_000;
/** Above the time that the exporter gives one batch with its retries, 10 s. */
const EXPORT_TIMEOUT_MS = 15_000;
/** A collector that is away fails every batch. */
const LOG_AGAIN_MS = 60_000;

export interface CountedSpansOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

type Export = SpanExporter['export'];

/**
 * Batches spans for an exporter. At most MAX_WAITING wait: further ones are dropped. Counts what became of each, and logs
 * a failure once a minute, without the text of the reply.
 */
export class CountedSpans implements SpanProcessor {
  readonly #options: CountedSpansOptions;
  readonly #batches: BatchSpanProcessor;
  #waiting = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(exporter: SpanExporter, options: CountedSpansOptions) {
    this.#options = options;
    for (const result of ['exported', 'failed', 'dropped']) this.#count(result, 0);
    this.#batches = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) => this.#export(exporter, spans, done),
        forceFlush: async () => exporter.forceFlush?.(),
        shutdown: async () => exporter.shutdown(),
      },
      maxQueueSize: MAX_WAITING,
      maxExportBatchSize: MAX_BATCH,
      scheduledDelayMillis: BATCH_DELAY_MS,
      exportTimeoutMillis: EXPORT_TIMEOUT_MS,
    });
  }

  onStart(): void {
    // Only what has ended is sent.
  }

  /** Only of spans that are sampled. */
  onEnd(span: ReadableSpan): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#count('dropped', 1);
      return;
    }
    this.#waiting += 1;
    this.#batches.onEnd(span);
  }

  async forceFlush(): Promise<void> {
    await this.#batches.forceFlush();
  }

  async shutdown(): Promise<void> {
    await this.#batches.shutdown();
  }

  #export(exporter: SpanExporter, ...[spans, done]: Parameters<Export>): void {
    this.#waiting -= spans.length;
    exporter.export(spans, (result) => {
      const isDone = result.code === ExportResultCode.SUCCESS;
      this.#count(isDone ? 'exported' : 'failed', spans.length);
      if (!isDone) this.#logFailure(result.error);
      done(result);
    });
  }

  #logFailure(error: unknown): void {
    const { clock, logger } = this.#options;
    const now = clock.monotonic();
    if (now - this.#loggedAt < LOG_AGAIN_MS) return;
    this.#loggedAt = now;
    logger.warn('traces were not sent', { code: codeOf(error), see: documentation('tracing.md') });
  }

  #count(result: string, by: number): void {
    this.#options.metrics.count('keyferry_trace_spans_total', { result }, by);
  }
}

/** A status of HTTP or a code of Node; no other text. */
function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  const { code } = error;
  return typeof code === 'string' || typeof code === 'number' ? String(code) : undefined;
}
