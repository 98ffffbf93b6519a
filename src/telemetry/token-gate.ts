import { createHash } from 'node:crypto';
import type { Clock } from '#src/ports.ts';

/** What the API server says of a token. */
export type Verdict =
  | 'allowed'
  /** A valid token without the right. */
  | 'forbidden'
  /** Not a valid token. */
  | 'unauthenticated';

export interface TokenGateOptions {
  /** Throws if the API server does not say. */
  readonly review: (token: string) => Promise<Verdict>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** As long as controller-runtime keeps an authenticated token. */
const ALLOWED_MS = 60_000;
const DENIED_MS = 10_000;
const MAX_KNOWN = 256;

/** Whether a request may have the metrics: the verdict on its token, kept for a short time. */
export class TokenGate {
  readonly #options: TokenGateOptions;
  /** By the digest of a token, which is never kept itself. Oldest first. */
  readonly #known = new Map<string, { readonly verdict: Verdict; readonly until: number }>();
  /** Client addresses. */
  readonly #asking = new Set<string>();

  constructor(options: TokenGateOptions) {
    this.#options = options;
  }

  /**
   * The verdict on a header `authorization`; `busy` while another token of the same client address is being reviewed, so that
   * a client with many tokens does not make a request to the API server of each, nor keep others from being reviewed.
   */
  async ask(header: string | undefined, address: string): Promise<Verdict | 'busy'> {
    const token = /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(header ?? '')?.[1];
    if (token === undefined) return 'unauthenticated';
    const digest = createHash('sha256').update(token).digest('base64');
    const known = this.#known.get(digest);
    if (known !== undefined && this.#options.clock.monotonic() < known.until) return known.verdict;
    if (this.#asking.has(address)) return 'busy';
    this.#asking.add(address);
    try {
      return this.#keep(digest, await this.#options.review(token));
    } finally {
      this.#asking.delete(address);
    }
  }

  #keep(digest: string, verdict: Verdict): Verdict {
    const lifetime = verdict === 'allowed' ? ALLOWED_MS : DENIED_MS;
    this.#known.delete(digest);
    this.#known.set(digest, { verdict, until: this.#options.clock.monotonic() + lifetime });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return verdict;
  }
}
