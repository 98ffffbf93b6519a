import { documentation } from '#src/errors/documentation.ts';
import { OperatorError } from '#src/errors.ts';
import type { ErrorCode } from '#src/errors.ts';
import type { BaoReply, BaoRequest } from './client.ts';
import { isDeletedEnvelope, isEmptyErrors, isEnvelope } from './wire.ts';

/*
 * HTTP status → error code, from the table in the sources of the server. Never reads texts: they differ between
 * versions, and a proxy can send any text.
 */

/** Meaning of a 404, by the shape of its body only. */
export type MissingKind =
  /** `{"errors":[]}`: the path never existed, or an empty listing. */
  | 'absent'
  /** The full envelope without data: the version was deleted, destroyed or has expired. */
  | 'deleted'
  /** Any other body: no such mount, a wrong path for this kind of mount, a proxy. */
  | 'other';

export function missingKindOf(reply: BaoReply): MissingKind {
  if (isEmptyErrors(reply.body)) return 'absent';
  return isDeletedEnvelope(reply.body) ? 'deleted' : 'other';
}

interface Meaning {
  readonly code: ErrorCode;
  readonly detail?: string;
  readonly hint?: string;
  /** True if the server may have applied the change despite this status. */
  readonly maybeApplied?: boolean;
}

/** Hint for a missing permission. */
const GRANT_POLICY = `Grant the policy, or renew the credentials: ${documentation('openbao-policy.md')}.`;

const MEANINGS: Readonly<Record<number, Meaning>> = {
  403: { code: 'AUTH_DENIED', hint: GRANT_POLICY },
  405: { code: 'REQUEST_REJECTED', detail: 'The server does not support this operation at this path.' },
  412: { code: 'RATE_LIMITED', detail: 'The node has not caught up with the requested index.' },
  413: {
    code: 'DOCUMENT_REFUSED',
    detail: 'The request is larger than the server allows.',
    hint: 'Make the document smaller, or raise max_request_size of the listener.',
  },
  415: { code: 'REQUEST_REJECTED', detail: 'The server does not support this kind of patch.' },
  429: { code: 'RATE_LIMITED' },
  500: { code: 'SERVER_ERROR', maybeApplied: true },
  502: { code: 'SERVER_ERROR', maybeApplied: true },
  503: { code: 'BACKEND_SEALED', maybeApplied: true },
  504: { code: 'SERVER_ERROR', maybeApplied: true },
};

/**
 * The error for a reply without success. The caller handles a 400 of a write first: only another read can tell whether
 * its precondition failed.
 */
export function failureOf(reply: BaoReply, request: BaoRequest): OperatorError {
  const meaning = meaningOf(reply, request);
  return new OperatorError(meaning.code, {
    op: request.op,
    target: request.target,
    status: reply.status,
    indeterminate: request.mutates === true && meaning.maybeApplied === true,
    ...(meaning.detail === undefined ? {} : { detail: meaning.detail }),
    ...(meaning.hint === undefined ? {} : { hint: meaning.hint }),
    ...(reply.retryAfterMs === undefined ? {} : { retryAfterMs: reply.retryAfterMs }),
  });
}

function meaningOf(reply: BaoReply, request: BaoRequest): Meaning {
  const known = MEANINGS[reply.status];
  if (known !== undefined) return known;
  if (reply.status === 400) return badRequest(request);
  if (reply.status === 404) return notFound(reply);
  if (reply.status >= 300 && reply.status < 400) {
    return {
      code: 'BACKEND_SEALED',
      detail: 'The node replied with a redirect, which Keyferry does not follow.',
      hint: 'Set the address to the active node, or check that the cluster has one.',
    };
  }
  return { code: 'REPLY_INVALID', maybeApplied: true };
}

const RETRIED = 'No action needed; Keyferry tries again.';

/** The server refuses a read of a valid path with 400 only while it converts the mount to version 2. */
function badRequest(request: BaoRequest): Meaning {
  return request.mutates === true
    ? { code: 'REQUEST_REJECTED' }
    : { code: 'SERVER_ERROR', detail: 'The mount does not accept requests yet.', hint: RETRIED };
}

function notFound(reply: BaoReply): Meaning {
  return isEnvelope(reply.body) ? { code: 'MOUNT_MISSING' } : { code: 'REPLY_INVALID' };
}
