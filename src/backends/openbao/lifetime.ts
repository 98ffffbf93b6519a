import { OperatorError } from '#src/errors.ts';

/*
 * The lifetime of versions. A KV store takes no expiry time for a version. It takes, for a path, the number of whole
 * seconds after which it hides versions that are written from then on (delete_version_after of the path or of the
 * mount, the smaller one). So the writer sets the remaining lifetime for the path, writes the data, and then sets the
 * lifetime that later versions must have (writer.ts).
 */

/** The maximum of the server: a Go duration has 64 bits of nanoseconds. */
const MAX_SECONDS = 9_223_372_036;

const DURATION = /^(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)(?:\.[0-9]+)?s)?$/;

/** Seconds of a duration as the server writes it: `1h30m0s`. 0 for any other text. */
export function parseLifetime(text: string): number {
  const [, hours = '0', minutes = '0', seconds = '0'] = DURATION.exec(text) ?? [];
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
}

/**
 * Whole seconds from `now` (milliseconds, time of the destination server) until this time, rounded down, at least one.
 * Throws `EXPIRED` if the time has passed.
 */
export function lifetimeLeft(expiresAt: string, now: number, target: string): number {
  const leftMs = Date.parse(expiresAt) - now;
  // Also true for a text that is not a time.
  if (!(leftMs > 0)) throw new OperatorError('EXPIRED', { op: 'openbao.write', target });
  return Math.min(MAX_SECONDS, Math.max(1, Math.floor(leftMs / 1_000)));
}

const TIME = /^([0-9T:-]+)(\.[0-9]+)?Z$/;

/**
 * True if a version was hidden because of its age. Its deletion time is then whole seconds after its creation time, to
 * the nanosecond; a delete by a client happens at another fraction of a second.
 */
export function hasExpired(createdTime: string, deletionTime: string | undefined): boolean {
  return (lifetimeOf(createdTime, deletionTime) ?? 0) !== 0;
}

/** The lifetime that a version got when it was written, in whole seconds; undefined if it got none. */
export function lifetimeOf(createdTime: string, deletionTime: string | undefined): number | undefined {
  const start = TIME.exec(createdTime);
  const end = TIME.exec(deletionTime ?? '');
  if (start === null || end === null || start[2] !== end[2]) return undefined;
  return (Date.parse(`${end[1]}Z`) - Date.parse(`${start[1]}Z`)) / 1_000;
}
