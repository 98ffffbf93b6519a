import { errorOf } from '#src/errors.ts';
import type { OpenSpan, SpanStart, Tracer } from '#src/ports.ts';
import type { Deadline } from './deadline.ts';
import { hostOf } from './host.ts';

/** A request over HTTP as a span tells it: by its template, never by its path. */
export interface TracedRequest {
  readonly method: string;
  /** The path with placeholders for everything that is not a constant of the API: `/v1/{mount}/data/{path}`. */
  readonly urlTemplate: string;
  /** Constant name of the operation. */
  readonly op: string;
  readonly server: URL;
}

const HTTP_ERRORS_FROM = 400;

/**
 * The span of one request, with names and attributes of the semantic conventions for HTTP clients (stable since 1.23).
 * `request` is called only if the span is recorded: without traces, a request costs nothing more. `error.type` is our code; of a request whose caller was stopped `aborted`; else the status, if it is 400 or above.
 */
export class RequestSpan {
  readonly #span: OpenSpan;
  readonly #deadline: Pick<Deadline, 'signal' | 'expired'>;
  #status: number | undefined;

  constructor(tracer: Tracer, request: () => TracedRequest, deadline: Pick<Deadline, 'signal' | 'expired'>) {
    this.#span = tracer.begin(() => startOf(request()));
    this.#deadline = deadline;
  }

  replied(status: number): void {
    this.#status = status;
  }

  done(): void {
    const isError = this.#status !== undefined && this.#status >= HTTP_ERRORS_FROM;
    this.#end(isError ? String(this.#status) : undefined);
  }

  failed(thrown: unknown): void {
    const { expired, signal } = this.#deadline;
    this.#end(signal.aborted && !expired ? 'aborted' : errorOf(thrown).code);
  }

  #end(error: string | undefined): void {
    const attributes = this.#status === undefined ? {} : { 'http.response.status_code': this.#status };
    this.#span.end({ error, attributes });
  }
}

function startOf({ method, op, server, urlTemplate }: TracedRequest): SpanStart {
  return {
    name: `${method} ${urlTemplate}`,
    attributes: {
      'http.request.method': method,
      'url.template': urlTemplate,
      'server.address': hostOf(server),
      'server.port': portOf(server),
      'keyferry.operation': op,
    },
  };
}

function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'http:' ? 80 : 443;
}
