import { hasCode } from '#src/errors.ts';

/** Pages of this size that fitted in a row, before a larger one is tried: a page that does not fit costs the server most. */
const FITTED_BEFORE_GROWTH = 4;
const GROWTH = 1.25;

/**
 * How many objects a page of a list has, so that its reply fits: half as many after a page that is too large, down to one,
 * which always fits, and slowly more after pages that fitted. The API server accepts another `limit` with the same continue
 * token.
 */
export class FittingPage {
  readonly #most: number;
  #size: number;
  #fitted = 0;

  /** `most`: objects of a page while all fit. */
  constructor(most: number, first = most) {
    this.#most = most;
    this.#size = first;
  }

  /** One page. `request` may be called several times; it throws `REPLY_TOO_LARGE` for a page that does not fit. */
  async request<T>(request: (limit: number) => Promise<T>): Promise<T> {
    for (;;) {
      const limit = this.#size;
      try {
        const page = await request(limit);
        this.#grow();
        return page;
      } catch (failure) {
        if (limit === 1 || !hasCode(failure, 'REPLY_TOO_LARGE')) throw failure;
        this.#size = Math.max(1, Math.floor(limit / 2));
        this.#fitted = 0;
      }
    }
  }

  /** What is known of the objects allows so many in the next page. */
  aim(size: number): void {
    this.#size = Math.max(1, Math.min(this.#most, Math.floor(size)));
  }

  #grow(): void {
    this.#fitted += 1;
    if (this.#fitted < FITTED_BEFORE_GROWTH || this.#size === this.#most) return;
    this.#fitted = 0;
    this.#size = Math.min(this.#most, Math.ceil(this.#size * GROWTH));
  }
}
