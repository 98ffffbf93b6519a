import { Agent } from 'undici';
import { parseJson } from '#src/json/parse.ts';

const CONNECTIONS = 64;
const TIMEOUT_MS = 60_000;

export interface JsonClientOptions {
  /** Scheme, host and port. */
  readonly origin: string;
  /** PEM of the authority that the server's certificate must come from. */
  readonly ca: string;
  /** PEM client certificate and key. */
  readonly certificate?: { readonly certificate: string; readonly key: string };
  readonly headers?: Readonly<Record<string, string>>;
}

export interface JsonReply {
  readonly status: number;
  /** Parsed JSON; undefined for an empty body, the text itself for one that is not JSON. */
  readonly body: unknown;
}

/** A reply of 400 or more. `body` is what the server said; the message has it too, since this is only for tests. */
export class ReplyError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(what: string, reply: JsonReply) {
    super(`${what}: HTTP ${reply.status} ${JSON.stringify(reply.body)}`);
    this.name = 'ReplyError';
    this.status = reply.status;
    this.body = reply.body;
  }
}

/** Small JSON client of one server for the harness and its users; TLS is always verified, nothing is retried. */
export class JsonClient {
  readonly #options: JsonClientOptions;
  readonly #agent: Agent;

  constructor(options: JsonClientOptions) {
    this.#options = options;
    this.#agent = new Agent({
      connections: CONNECTIONS,
      // One request a connection: a killed or paused server then hurts only the requests that it got.
      allowH2: false,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      connect: {
        ca: options.ca,
        ...(options.certificate === undefined
          ? {}
          : { cert: options.certificate.certificate, key: options.certificate.key }),
      },
    });
  }

  /** The reply whatever its status is; throws only when none came. */
  async reply(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<JsonReply> {
    const response = await this.#agent.request({
      origin: this.#options.origin,
      path,
      // LIST of the KV server is not in undici's list of methods, but any token goes onto the wire.
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.#options.headers,
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: response.statusCode, body: parseBody(await response.body.text()) };
  }

  /** The body of a good reply, as the type that the caller knows it has; throws `ReplyError` for 400 and above. */
  async request<T>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<T> {
    const reply = await this.reply(method, path, body, headers);
    if (reply.status >= 400) throw new ReplyError(`${method} ${path}`, reply);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller knows what it asks for
    return reply.body as T;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
