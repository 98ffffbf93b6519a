import { OperatorError } from '#src/errors.ts';

/*
 * The life of versions. A KV store cannot be told when a version ends: it can be told, for a key, after how many whole
 * seconds versions that are written to it from then on are hidden (delete_version_after of the key or of the mount, the
 * smaller one). So the life that is left is set for the key, the data is written, and the key gets back what it had
 * (writer.ts).
 */

/** The longest that the server takes: a Go duration, in nanoseconds, is 64 bits. */
const MAX_SECONDS = 9_223_372_036;

const DURATION = /^(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)(?:\.[0-9]+)?s)?$/;

/** Seconds of a duration as the server writes it: `1h30m0s`. 0 for one that it would not write. */
export function parseLifetime(text: string): number {
  const [, hours = '0', minutes = '0', seconds = '0'] = DURATION.exec(text) ?? [];
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
}

/**
 * Whole seconds from `now` (milliseconds, of the server that is written to) until this time, rounded down, at least one.
 * Throws `EXPIRED` when it has come.
 */
export function lifetimeLeft(expiresAt: string, now: number, target: string): number {
  const leftMs = Date.parse(expiresAt) - now;
  // Also for a text that is no time.
  if (!(leftMs > 0)) throw new OperatorError('EXPIRED', { op: 'openbao.write', target });
  return Math.min(MAX_SECONDS, Math.max(1, Math.floor(leftMs / 1_000)));
}

const TIME = /^([0-9T:-]+)(\.[0-9]+)?Z$/;

/**
 * True when a hidden version was hidden by its age. The server then puts its end whole seconds after its begin, to the
 * nanosecond; somebody who deletes it does so at a time of his own.
 */
export function hasExpired(createdTime: string, deletionTime: string | undefined): boolean {
  const begin = TIME.exec(createdTime);
  const end = TIME.exec(deletionTime ?? '');
  return begin !== null && end !== null && begin[1] !== end[1] && begin[2] === end[2];
}
