import type { Address } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import { isPrintable } from '#src/errors/printable.ts';
import type { Refusal } from '../refusal.ts';

/*
 * Which paths are allowed in a request. Servers treat hostile paths differently (measured: one accepts `f/%2e%2e/z` and
 * the other refuses it, `//` is redirected, a trailing space becomes part of the name), so every path that two parsers
 * could read differently is refused here.
 */

const MAX_SEGMENTS = 16;
const MAX_SEGMENT_BYTES = 512;
const MAX_PATH_BYTES = 2048;
/** Nearly all paths: no character of them needs a check, and encoded they are the same. Linear in any path. */
const ORDINARY = /^[\w-]+(?:[./][\w-]+)*$/;

/** Why no document can live at `address`, or undefined. Also used for mounts and prefixes. */
export function pathRefusalOf(address: Address): Refusal | undefined {
  if (Buffer.byteLength(address) > MAX_PATH_BYTES) return refused(`is longer than ${MAX_PATH_BYTES} bytes`);
  const segments = address.split('/');
  if (segments.length <= MAX_SEGMENTS && isOrdinary(address)) return undefined;
  if (segments.length > MAX_SEGMENTS) return refused(`has more than ${MAX_SEGMENTS} segments`);
  for (const segment of segments) {
    const fault = segmentFault(segment);
    if (fault !== undefined) return refused(fault);
  }
  return undefined;
}

/** True for a path of letters, digits, `_`, `-` and single periods within segments, none of which can be too long. */
function isOrdinary(path: string): boolean {
  return path.length <= MAX_SEGMENT_BYTES && ORDINARY.test(path);
}

function segmentFault(segment: string): string | undefined {
  if (segment === '') return 'has an empty segment, or a slash at its start or end';
  if (segment === '.' || segment === '..') return 'has a relative segment';
  if (!isPrintable(segment)) return 'has a character that is not printable';
  if (/[\\%?#]/.test(segment)) return 'has one of the characters \\ % ? #';
  if (segment.startsWith(' ') || segment.endsWith(' '))
    return 'has a segment with a space at its start or end';
  if (segment.endsWith('.')) return 'has a segment that ends in a period';
  if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) {
    return `has a segment of more than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

function refused(fault: string): Refusal {
  return { reason: 'PathRefused', message: `The path ${fault}.` };
}

/** Joins the parts of a path with slashes, without empty parts. */
export function joinPath(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('/');
}

/**
 * The request path `/v1/<path>` with every segment percent-encoded. The length is not checked: a mount, a tree of the API
 * and a prefix are in front of an address, and each was checked by itself. Throws `DOCUMENT_REFUSED` for a segment that
 * `pathRefusalOf` refuses, and `INVARIANT` if a URL parser would read a different path.
 */
export function apiPathOf(path: string, op: string): string {
  if (isOrdinary(path)) return `/v1/${path}`;
  const fault = path
    .split('/')
    .map(segmentFault)
    .find((found) => found !== undefined);
  if (fault !== undefined) {
    throw new OperatorError('DOCUMENT_REFUSED', { op, detail: `The path ${fault}.` });
  }
  const encoded = `/v1/${path.split('/').map(encodeURIComponent).join('/')}`;
  if (new URL(encoded, 'http://localhost').pathname !== encoded) {
    throw new OperatorError('INVARIANT', { op, detail: 'An encoded path does not survive a URL parser.' });
  }
  return encoded;
}
