import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';

/** What bao says on standard error before it ends with the exit code 2. */
export class Refusal extends Error {}

export type Entries = Readonly<Record<string, unknown>>;

/** The server that BAO_ADDR names. */
export class Api {
  readonly #origin: string;
  readonly #token: string;
  readonly #dispatcher: Agent;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#origin = environment['BAO_ADDR'] ?? '';
    this.#token = environment['BAO_TOKEN'] ?? '';
    const ca = environment['BAO_CACERT'];
    this.#dispatcher = new Agent({ connect: ca === undefined ? {} : { ca: readFileSync(ca) } });
  }

  /**
   * The data of the reply to `METHOD path`, as the type that the caller knows it has; undefined for a reply without data and for
   * 404. Throws a Refusal that begins with `what`, as bao does, for every other reply of 400 and above.
   */
  async send<D = Entries>(what: string, asked: string, body?: object): Promise<D | undefined> {
    const [method = '', ...path] = asked.split(' ');
    const url = new URL(`${this.#origin}/v1/${path.join(' ')}`).href;
    const { statusCode, reply } = await this.#exchange(method, url, body);
    if (statusCode < 400) return reply.data ?? reply.auth ?? undefined;
    const errors: readonly string[] = reply.errors ?? [];
    if (statusCode === 404 && errors.length === 0) return undefined;
    const said = errors.map((error) => `* ${error}`).join('\n');
    throw new Refusal(
      `${what}: Error making API request.\n\nURL: ${method} ${url}\nCode: ${statusCode}. Errors:\n\n${said}`,
    );
  }

  /** `reply` is `any` here, so that `send` can hand it out as what its caller knows it to be. */
  async #exchange(method: string, url: string, body?: object) {
    const { statusCode, body: answer } = await request(url, {
      method,
      dispatcher: this.#dispatcher,
      headers: {
        'x-vault-token': this.#token,
        'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { statusCode, reply: JSON.parse(text === '' ? '{}' : text) };
  }
}
