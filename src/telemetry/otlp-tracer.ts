import { AsyncLocalStorage } from 'node:async_hooks';
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Span,
  type Tracer as Sdk,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { errorOf } from '#src/errors.ts';
import { NO_SPAN } from '#src/io/no-traces.ts';
import type { Clock, Logger, Metrics, OpenSpan, SpanResult, SpanStart, Tracer } from '#src/ports.ts';
import { CountedSpans } from './counted-spans.ts';

export interface OtlpTracerOptions {
  /** Base URL of the collector; `/v1/traces` is appended. */
  readonly endpoint: string;
  /** 0 to 100. */
  readonly samplePercent: number;
  readonly version: string;
  /** Name of this replica. */
  readonly instance: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Of a name of an object with its namespace. A longer text is cut. */
const MAX_ATTRIBUTE_LENGTH = 512;
const MAX_ATTRIBUTES = 16;
/** Of what is not sent yet when the process ends: a collector that is silent must not delay the end. */
const FLUSH_MS = 1_000;

/** The trace of the reconcile that runs; without a span once it ended. */
interface Current {
  root: Span | undefined;
}

/**
 * The Tracer port on the SDK of OpenTelemetry, which sends by OTLP over HTTP. Only src/telemetry/tracing.ts loads this
 * file, and only when traces are on. Nothing global of OpenTelemetry is set: no other library can add spans.
 */
export class OtlpTracer implements Tracer, AsyncDisposable {
  readonly #clock: Clock;
  readonly #provider: TracerProvider;
  readonly #sdk: Sdk;
  readonly #current = new AsyncLocalStorage<Current>();

  constructor(options: OtlpTracerOptions) {
    this.#clock = options.clock;
    this.#provider = new TracerProvider({
      resource: resourceOf(options),
      sampler: new TraceIdRatioBasedSampler(options.samplePercent / 100),
      spanLimits: { attributeCountLimit: MAX_ATTRIBUTES, attributeValueLengthLimit: MAX_ATTRIBUTE_LENGTH },
      spanProcessors: [new CountedSpans(exporterOf(options), options)],
    });
    this.#sdk = this.#provider.getTracer('keyferry', options.version);
  }

  async trace<T>(start: SpanStart, work: () => Promise<T>): Promise<T> {
    const root = this.#sdk.startSpan(start.name, { attributes: start.attributes }, ROOT_CONTEXT);
    const current: Current = { root };
    return this.#current.run(current, async () => {
      try {
        const result = await work();
        end(root, {});
        return result;
      } catch (thrown) {
        end(root, { error: errorOf(thrown).code });
        throw thrown;
      } finally {
        // Timers that began in it keep the context for as long as they live, and outlive the trace.
        current.root = undefined;
      }
    });
  }

  begin(start: () => SpanStart): OpenSpan {
    const root = this.#current.getStore()?.root;
    if (root === undefined) return NO_SPAN;
    const { name, attributes } = start();
    const isRequest = 'http.request.method' in attributes;
    const kind = isRequest ? SpanKind.CLIENT : SpanKind.INTERNAL;
    const within = trace.setSpan(ROOT_CONTEXT, root);
    const span = this.#sdk.startSpan(name, { kind, attributes }, within);
    return { end: (result = {}) => end(span, result) };
  }

  /** Sends what is waiting, for a second at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    const late = new AbortController();
    const flushed = this.#provider.shutdown().catch(() => undefined);
    const timeUp = this.#clock.sleep(FLUSH_MS, late.signal).catch(() => undefined);
    await Promise.race([flushed, timeUp]);
    late.abort();
  }
}

function end(span: Span, { error, attributes = {} }: SpanResult): void {
  span.setAttributes(attributes);
  if (error !== undefined) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence, as the specification says. */
function resourceOf({ instance, version }: OtlpTracerOptions) {
  const own = resourceFromAttributes({
    'service.name': 'keyferry',
    'service.version': version,
    'service.instance.id': instance,
  });
  return defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
}

/** Headers, certificates, compression and timeout come from the variables OTEL_EXPORTER_OTLP_*. */
function exporterOf({ endpoint, version }: OtlpTracerOptions): OTLPTraceExporter {
  return new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    userAgent: `keyferry/${version}`,
  });
}
