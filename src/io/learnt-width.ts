/*
 * How many requests a server has under way at once, learnt from its replies: additive increase, multiplicative decrease.
 *
 *   a reply, while all that is allowed is under way ──▶ +1 for each round of replies, up to the most
 *   429, 503, no answer, a reply that is far too slow ──▶ × 1/2, at most once for what was sent before; at least 1
 *
 * What a server refuses for other reasons (400, 403, 404) is a reply like any other. Only a part of the replies counts as a
 * sign of the server and not of one document, mount or tenant: an eighth of those that may be under way.
 */

/** Where a server that nothing is known of begins: what one backend has by default. */
export const FIRST_WIDTH = 32;
const DECREASE = 0.5;
/** The part of a round that must be overloaded. */
const OVERLOADED_PART = 1 / 8;
/** A round has at least so many replies: a single one must not decide. */
const LEAST_ROUND = 16;
/** A reply is far too slow if it takes so many times what this server needs at best, */
const SLOW_TIMES = 8;
/** and longer than this, milliseconds. */
const SLOW_MS = 500;
/** After a decrease for slow replies, replies of this part of their time are what the server needs at best. */
const STILL_SLOW_PART = 0.5;

/** How a request ended. */
export type Ended =
  /** A reply that needs about the same time from each server: its time counts. */
  | 'answered'
  /** Another reply, such as that to a listing. */
  | 'answeredLate'
  /** 429, 503, or nothing in time. */
  | 'overloaded'
  /** The caller ended it, or the connection failed. */
  | 'unknown';

/** One request. Monotonic milliseconds. */
export interface Sample {
  readonly sentAt: number;
  readonly endedAt: number;
  readonly ended: Ended;
  /** All that was allowed was under way, or others waited. */
  readonly wasFull: boolean;
}

/** Pure. */
export class LearntWidth {
  readonly #most: number;
  #width: number;
  #decreasedAt = Number.NEGATIVE_INFINITY;
  /** Replies of this round, and those among them that show a server with too much to do. */
  #round = 0;
  #overloaded = 0;
  /** Replies under full load since the last increase. */
  #grown = 0;
  /** The least time of a reply. */
  #bestMs = Number.POSITIVE_INFINITY;

  /** `most`: never more at once; at least 1. */
  constructor(most: number) {
    this.#most = Math.max(1, Math.floor(most));
    this.#width = Math.min(FIRST_WIDTH, this.#most);
  }

  /** Requests that may be under way at once: from 1 to the most. */
  get width(): number {
    return this.#width;
  }

  /** A reply that takes longer is far too slow, milliseconds. */
  get slowMs(): number {
    return Number.isFinite(this.#bestMs) ? Math.max(SLOW_MS, this.#bestMs * SLOW_TIMES) : SLOW_MS;
  }

  note({ sentAt, endedAt, ended, wasFull }: Sample): void {
    // What was sent to a server with more to do says nothing about one with less.
    if (ended === 'unknown' || sentAt < this.#decreasedAt) return;
    const tookMs = endedAt - sentAt;
    const isSlow = ended === 'answered' && this.#isSlow(tookMs);
    this.#round += 1;
    if (isSlow || ended === 'overloaded') this.#strain(endedAt, isSlow ? tookMs : undefined);
    else if (wasFull) this.#grow();
    if (this.#round >= this.#roundSize) this.#startRound();
  }

  get #roundSize(): number {
    return Math.max(LEAST_ROUND, this.#width);
  }

  #isSlow(tookMs: number): boolean {
    this.#bestMs = Math.min(this.#bestMs, Math.max(1, tookMs));
    return tookMs > this.slowMs;
  }

  #strain(now: number, slowMs: number | undefined): void {
    this.#overloaded += 1;
    this.#grown = 0;
    if (this.#overloaded < this.#roundSize * OVERLOADED_PART) return;
    this.#width = Math.max(1, Math.floor(this.#width * DECREASE));
    this.#decreasedAt = now;
    // A server that is as slow with half of it is not relieved by a quarter.
    if (slowMs !== undefined) this.#bestMs = Math.max(this.#bestMs, slowMs * STILL_SLOW_PART);
    this.#startRound();
  }

  #grow(): void {
    this.#grown += 1;
    if (this.#grown < this.#width) return;
    this.#grown = 0;
    this.#width = Math.min(this.#most, this.#width + 1);
  }

  #startRound(): void {
    this.#round = 0;
    this.#overloaded = 0;
  }
}
