import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A span as it was received: names, parent, and attributes by name. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 is internal, 3 client. */
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 2 is an error. */
  readonly status: { readonly code?: number };
}

type Attributes = readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];

interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<ReceivedSpan, 'attributes'> & { readonly attributes?: Attributes })[];
    }[];
  }[];
}

/** What a collector is, as far as traces by OTLP over HTTP with JSON go. It keeps what it was sent. */
export class OtlpReceiver implements AsyncDisposable {
  readonly #server: Server;
  readonly #bodies: Buffer[] = [];
  /** Method, path and headers of each request. */
  readonly heads: string[] = [];

  private constructor(status: number, reply: string) {
    this.#server = createServer((request, response) => {
      this.heads.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`);
      const answer = async (): Promise<void> => {
        this.#bodies.push(await buffer(request));
        response.writeHead(status, { 'content-type': 'application/json' }).end(reply);
      };
      // The sender went away.
      answer().catch(() => response.destroy());
    });
  }

  /** Replies with this status and text to each request. */
  static async start(status = 200, reply = '{}'): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver(status, reply);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the receiver does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** All that was received, headers included. */
  get bytes(): Buffer {
    return Buffer.concat([Buffer.from(this.heads.join('\n')), ...this.#bodies]);
  }

  get spans(): readonly ReceivedSpan[] {
    return this.#requests.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) =>
          spans.map(({ attributes = [], ...span }) => ({ ...span, attributes: byName(attributes) })),
        ),
      ),
    );
  }

  /** Attributes of the process that sent them. */
  get resource(): Readonly<Record<string, unknown>> {
    return byName(this.#requests[0]?.resourceSpans[0]?.resource.attributes ?? []);
  }

  get #requests(): readonly Request[] {
    return this.#bodies.map((body): Request => JSON.parse(body.toString('utf8')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function byName(attributes: Attributes): Readonly<Record<string, unknown>> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
