import type { Random } from '#src/ports.ts';

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
 * asked for, plus up to a fifth, so that not all refused clients retry at once.
 */
export function backoffMs(
  shape: BackoffShape,
  failures: number,
  { random, retryAfterMs = 0 }: { readonly random: Random; readonly retryAfterMs?: number | undefined },
): number {
  const drawn = random();
  const ownMs = exponentialMs(shape, failures) * (1 - shape.jitter + shape.jitter * drawn);
  return Math.max(ownMs, retryAfterMs * (1 + drawn / 5));
}

/**
 * `Retry-After` in whole seconds → milliseconds; undefined for other formats. Neither the API server nor OpenBao sends
 * dates. OpenBao sends 0 for its default interval of one second.
 */
export function parseRetryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,6}$/.test(header)) return undefined;
  return Number(header) * 1000;
}
