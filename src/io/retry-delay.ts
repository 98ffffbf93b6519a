import type { Random } from '#src/ports.ts';

/**
 * The longest wait that a server can ask for, milliseconds. No server decides how long this process stands still: after a
 * minute it asks again, and hears it again if the server still means it.
 */
export const MAX_RETRY_AFTER_MS = 60_000;

/** How delays grow from one failure to the next. */
export interface BackoffShape {
  /** Largest delay after the first failure, milliseconds; doubles with each further failure. */
  readonly baseMs: number;
  readonly capMs: number;
  /** Share of a delay that is random: 0 is none, 1 is all of it. */
  readonly jitter: number;
}

/** Milliseconds after the `failures`-th failure in a row (from 1), before jitter. */
export function exponentialMs(
  { baseMs, capMs }: Pick<BackoffShape, 'baseMs' | 'capMs'>,
  failures: number,
): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 60));
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row (from 1): the caller's delay, but never less than the server
 * asked for, up to a minute, plus up to a fifth, so that not all refused clients retry at once.
 */
export function backoffMs(
  shape: BackoffShape,
  failures: number,
  { random, retryAfterMs = 0 }: { readonly random: Random; readonly retryAfterMs?: number | undefined },
): number {
  const drawn = random();
  const ownMs = exponentialMs(shape, failures) * (1 - shape.jitter + shape.jitter * drawn);
  return Math.max(ownMs, cappedRetryAfterMs(retryAfterMs) * (1 + drawn / 5));
}

/** What a server asked for, as a wait that is not negative and at most a minute, milliseconds. */
export function cappedRetryAfterMs(askedMs: number): number {
  return Number.isNaN(askedMs) ? 0 : Math.min(Math.max(0, askedMs), MAX_RETRY_AFTER_MS);
}

type Header = string | string[] | undefined;

/**
 * `Retry-After` → milliseconds, at most a minute; undefined for other formats. It is whole seconds or a date (RFC 9110,
 * 10.2.3). A date counts from the `Date` of the same reply, so that the own clock does not matter; without one it says
 * nothing. OpenBao sends 0 for its default interval of one second.
 */
export function parseRetryAfter(header: Header, date?: Header): number | undefined {
  if (typeof header !== 'string') return undefined;
  if (/^\d+$/.test(header)) return cappedRetryAfterMs(Number(header) * 1000);
  const waitMs = httpDate(header) - httpDate(date);
  return Number.isNaN(waitMs) ? undefined : cappedRetryAfterMs(waitMs);
}

/** Milliseconds since the epoch of a date in the format that servers must send (RFC 9110, 5.6.7); NaN for others. */
function httpDate(header: Header): number {
  const isDate =
    typeof header === 'string' && /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/.test(header);
  return isDate ? Date.parse(header) : Number.NaN;
}
