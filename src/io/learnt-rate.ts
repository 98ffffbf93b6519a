import type { Random } from '#src/ports.ts';
import { cappedRetryAfterMs, MAX_RETRY_AFTER_MS } from './retry-delay.ts';

/*
 * How many requests a server accepts, learnt from its refusals.
 *
 *   (no quota known) ──refused──▶ blocked: one probe at a time ──accepted──▶ paced, a little below what was measured
 *          ▲                         ▲                                         │
 *          └──faster than any quota──┼──────────── refused ────────────────────┤
 *                                    └─────────────────────────────────────────┘ each second without a refusal: faster
 *
 * From the first request after a pause to the first one that is accepted after a block, the server accepted exactly what
 * its quota allows, whatever its interval. That measure needs no knowledge of the interval, which no reply names.
 */

/** Milliseconds between the first probes of a block. */
const FIRST_PROBE_MS = 50;
const LAST_FIRST_PROBE_MS = 200;
/** Later probes wait this part of the time since the block began, so that a long interval costs few of them. */
const PROBE_PART = 1 / 8;
/** The part of the measured rate that is used, so that few requests are refused. */
const USED_PART = 0.97;
/** A late timer is caught up with, up to this many milliseconds. */
const CATCH_UP_MS = 50;
/** The first increase after a refusal; each further one doubles, up to twice the rate. */
const FIRST_INCREASE = 0.01;
/** The same after the very first measure, which can be short. */
const INITIAL_INCREASE = 0.16;
const INCREASE_AFTER_MS = 1_000;
/** A block can be a penalty of the server: no increase for this many times its length. */
const HELD_TIMES = 4;
const MAX_HELD_MS = 60_000;
/** Without a request for this long, the measure starts again. */
const PAUSE_MS = 500;
/** No two requests are further apart than the longest wait that a server can ask for, whatever limit it names. */
const MIN_PER_SECOND = 1_000 / MAX_RETRY_AFTER_MS;
/** A measure of fewer requests is inexact: the rate falls by no more than to this part of it. */
const FEW_REQUESTS = 8;
const LEAST_PART = 0.7;
/** No server that is known to us accepts more: there is no quota. */
const UNLIMITED_PER_SECOND = 5_000;

/** A request that may be sent; its reply is reported with it. */
export interface Ticket {
  readonly phase: number;
}

/** What a reply said about the quota, besides its status. */
export interface QuotaHints {
  /** Milliseconds, whole seconds of the server: 0 means less than one. */
  readonly retryAfterMs?: number | undefined;
  /** Requests in each interval. */
  readonly limit?: number | undefined;
  /** Milliseconds until the interval ends, in whole seconds rounded down. */
  readonly resetMs?: number | undefined;
}

interface Block {
  readonly since: number;
  /** From here on the delays between probes grow. */
  probesFrom: number;
  nextProbeAt: number;
  isProbing: boolean;
}

/** How many requests the server had accepted by then. */
interface Mark {
  readonly at: number;
  readonly accepted: number;
}

/** Pure but for `random`: every method gets the monotonic time in milliseconds. */
export class LearntRate {
  readonly #random: Random;
  #perSecond: number | undefined;
  /** What the server itself named, in requests each second. */
  #named: { readonly limit: number; readonly intervalMs: number } | undefined;
  #block: Block | undefined;
  /** Counts blocks: a reply to a request of an earlier phase says nothing about this one. */
  #phase = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  #lastSentAt = Number.NEGATIVE_INFINITY;
  #accepted = 0;
  /** Where the measure starts: at the increase before the last one, or later. */
  #measure: Mark = { at: 0, accepted: 0 };
  #nextMeasure: Mark = this.#measure;
  /** How long the measure is at least: as long as the recent blocks, since an interval of the server is not shorter. */
  #measuredMs = 0;
  #increase = FIRST_INCREASE;
  #increaseFrom = 0;
  /** A request waited since the last increase: without that, a higher rate would mean nothing. */
  #heldBack = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Requests a second that the server accepts; undefined as long as it refused none. */
  get perSecond(): number | undefined {
    return this.#perSecond;
  }

  /** Since when the server has accepted nothing; undefined if it accepts requests. */
  get blockedSince(): number | undefined {
    return this.#block?.since;
  }

  /** When the next request may be sent; Infinity until the reply to the probe arrives. */
  nextAt(): number {
    if (this.#block !== undefined)
      return this.#block.isProbing ? Number.POSITIVE_INFINITY : this.#block.nextProbeAt;
    return this.#perSecond === undefined ? Number.NEGATIVE_INFINITY : this.#nextAt;
  }

  /** A request is sent now; `waited` if it had to wait. */
  send(now: number, waited: boolean): Ticket {
    const spacing = this.#spacingMs();
    if (this.#block === undefined) {
      const pausedMs = now - this.#lastSentAt;
      if (!waited && pausedMs > Math.max(PAUSE_MS, 2 * spacing)) this.#startMeasure(now);
      this.#nextAt = Math.max(this.#nextAt, now - CATCH_UP_MS) + spacing;
      this.#heldBack ||= waited;
    } else {
      this.#block.isProbing = true;
    }
    this.#lastSentAt = now;
    return { phase: this.#phase };
  }

  accepted({ phase }: Ticket, now: number, hints: QuotaHints = {}): void {
    if (this.#block !== undefined && phase === this.#phase) this.#reopen(this.#block, now);
    else this.#growAfterQuiet(now);
    this.#accepted += 1;
    this.#obey(hints);
  }

  refused({ phase }: Ticket, now: number, hints: QuotaHints = {}): void {
    if (phase !== this.#phase) return;
    const retryAfterMs = cappedRetryAfterMs(hints.retryAfterMs ?? 0);
    const base = Math.max(FIRST_PROBE_MS, Math.min(this.#spacingMs(), LAST_FIRST_PROBE_MS));
    if (this.#block === undefined) {
      this.#phase += 1;
      this.#block = { since: now, probesFrom: now, nextProbeAt: now, isProbing: false };
    }
    const block = this.#block;
    block.isProbing = false;
    if (retryAfterMs > 0) block.probesFrom = now + retryAfterMs;
    const growing = Math.max(0, now - block.probesFrom) * PROBE_PART;
    const delayMs = Math.min(Math.max(base, growing), MAX_RETRY_AFTER_MS) * (1 + this.#random() / 10);
    block.nextProbeAt = retryAfterMs > 0 ? block.probesFrom : now + delayMs;
    this.#obey(hints);
  }

  /** The request ended without a reply: it says nothing, but it is not a probe any more. */
  lost({ phase }: Ticket, now: number): void {
    if (this.#block === undefined || phase !== this.#phase) return;
    this.#block.isProbing = false;
    this.#block.nextProbeAt = now + FIRST_PROBE_MS;
  }

  #spacingMs(): number {
    return this.#perSecond === undefined ? 0 : 1_000 / this.#perSecond;
  }

  #startMeasure(now: number): void {
    this.#measure = { at: now, accepted: this.#accepted };
    this.#nextMeasure = this.#measure;
  }

  #reopen({ since }: Block, now: number): void {
    this.#increase = this.#perSecond === undefined ? INITIAL_INCREASE : FIRST_INCREASE;
    this.#perSecond = Math.max(MIN_PER_SECOND, (this.#namedPerSecond() ?? this.#measured(now)) * USED_PART);
    this.#measuredMs = Math.max(now - since, this.#measuredMs * 0.8);
    this.#startMeasure(now);
    this.#block = undefined;
    this.#nextAt = now + this.#spacingMs();
    this.#increaseFrom = now + Math.min(MAX_HELD_MS, (now - since) * HELD_TIMES);
    this.#heldBack = false;
  }

  #measured(now: number): number {
    const accepted = Math.max(1, this.#accepted - this.#measure.accepted);
    const measured = (accepted * 1_000) / Math.max(1, now - this.#measure.at);
    if (accepted >= FEW_REQUESTS || this.#perSecond === undefined) return measured;
    return Math.max(measured, this.#perSecond * LEAST_PART);
  }

  #growAfterQuiet(now: number): void {
    const stepMs = Math.max(INCREASE_AFTER_MS, 2 * this.#spacingMs());
    if (this.#perSecond === undefined || now < this.#increaseFrom + stepMs) return;
    this.#increaseFrom = now;
    if (now - this.#nextMeasure.at >= this.#measuredMs) {
      this.#measure = this.#nextMeasure;
      this.#nextMeasure = { at: now, accepted: this.#accepted };
    }
    if (!this.#heldBack) return;
    this.#heldBack = false;
    this.#perSecond *= 1 + this.#increase;
    this.#increase = Math.min(1, 2 * this.#increase);
    if (this.#perSecond > UNLIMITED_PER_SECOND) this.#perSecond = undefined;
  }

  /** The largest reset that came with a limit, and one second, is the interval: resets are rounded down. */
  #obey({ limit, resetMs }: QuotaHints): void {
    if (limit === undefined || resetMs === undefined || limit <= 0) {
      this.#named = undefined;
      return;
    }
    const known = this.#named?.limit === limit ? this.#named.intervalMs : 0;
    this.#named = { limit, intervalMs: Math.max(known, resetMs + 1_000) };
    const named = this.#namedPerSecond() ?? 0;
    const used = Math.min(this.#perSecond ?? Number.POSITIVE_INFINITY, named * USED_PART);
    this.#perSecond = Math.max(MIN_PER_SECOND, used);
  }

  #namedPerSecond(): number | undefined {
    return this.#named && (this.#named.limit * 1_000) / this.#named.intervalMs;
  }
}
