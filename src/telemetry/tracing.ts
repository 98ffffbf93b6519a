import { hostname } from 'node:os';
import { NO_TRACES } from '#src/io/no-traces.ts';
import type { Tracer } from '#src/ports.ts';
import type { OtlpTracerOptions } from './otlp-tracer.ts';

export interface TracingOptions extends Omit<OtlpTracerOptions, 'endpoint' | 'instance'> {
  /** Undefined: no traces. */
  readonly endpoint: string | undefined;
  readonly instance: string | undefined;
}

/** A Tracer, with the end of its work. */
export type OpenTracer = Tracer & AsyncDisposable;

/** Loads the SDK only if there is an endpoint: it is a file of its own in the bundle, 10 MB of memory and 40 ms. */
export async function openTracer({ endpoint, instance, ...rest }: TracingOptions): Promise<OpenTracer> {
  if (endpoint === undefined) return { ...NO_TRACES, [Symbol.asyncDispose]: async () => Promise.resolve() };
  const { OtlpTracer } = await import('./otlp-tracer.ts');
  return new OtlpTracer({ ...rest, endpoint, instance: instance ?? hostname() });
}
