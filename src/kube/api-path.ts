import { OperatorError } from '#src/errors.ts';

const MAX_SEGMENT_LENGTH = 253;

/**
 * `/a/b/c` from raw segments. Each segment is checked first, since a URL parser on the way would resolve `..` (also
 * in the form `%2e%2e`) and the request would reach another object; then it is percent-encoded.
 * Throws `REQUEST_REJECTED` before anything is sent. The message does not quote the segment, which may contain control
 * characters.
 */
export function apiPath(segments: readonly string[]): string {
  return segments.map((segment) => `/${encodeSegment(segment)}`).join('');
}

function encodeSegment(segment: string): string {
  const problem = segmentProblem(segment);
  if (problem !== undefined) {
    throw new OperatorError('REQUEST_REJECTED', { op: 'kube.path', detail: `A path segment ${problem}.` });
  }
  return encodeURIComponent(segment);
}

/** The rules of IsValidPathSegmentName (k8s.io/apimachinery), plus characters that none of our names may contain. */
function segmentProblem(segment: string): string | undefined {
  if (segment === '') return 'is empty';
  if (segment === '.' || segment === '..') return 'is a relative path';
  if (segment.length > MAX_SEGMENT_LENGTH) return `is longer than ${MAX_SEGMENT_LENGTH} characters`;
  if (/[/\\%]/.test(segment)) return 'holds a slash, a backslash or a percent sign';
  if (/[\p{Cc}\p{Z}]/u.test(segment)) return 'holds a control character or a space';
  if (!segment.isWellFormed()) return 'is not well-formed Unicode';
  return undefined;
}
