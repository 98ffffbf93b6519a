import type { Disposition } from './errors/code-info.ts';
import { ERROR_CODES } from './errors/codes.ts';

/*
 * The one error class of Keyferry. The table of its codes is in errors/codes.ts, its text for people in
 * errors/explain.ts.
 *
 * Rules: match on `code`, never on text; never put a value, a response body or a parser's message into any
 * field; never keep as `cause` an error whose text may quote secret bytes (JSON.parse and URL do).
 */

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetail {
  /** The operation: `openbao.write`, `kube.list`, … a constant, never built from data. */
  readonly op: string;
  /** The object of the operation: a path or `Kind namespace/name`. Names only. */
  readonly target?: string;
  /** One more sentence for this case. Names and numbers that are not secret, never a value. */
  readonly detail?: string;
  /** What to do in this case, instead of the hint of the code. One sentence; short enough for a row. */
  readonly hint?: string;
  /** HTTP status of the reply, if there was one. */
  readonly status?: number;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfterMs?: number;
  /** True when a write may have been applied without a (good) reply: read before deciding. */
  readonly indeterminate?: boolean;
  /**
   * Origin of a server that the author of a backend chose and that gave no usable answer. Why not would tell which ports are
   * open where the author cannot reach: `explain` and `shownCode` do not tell it, the log does.
   */
  readonly unansweredAt?: string | undefined;
  readonly cause?: unknown;
}

/** The only error that one room throws to another. `message` is safe to show to a user. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly op: string;
  readonly target: string | undefined;
  readonly hint: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly indeterminate: boolean;
  readonly unansweredAt: string | undefined;

  constructor(errorCode: ErrorCode, detail: ErrorDetail) {
    const info = ERROR_CODES[errorCode];
    const parts = [info.summary, detail.detail].filter((part) => part !== undefined);
    super(parts.join(' '), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = errorCode;
    this.disposition = info.disposition;
    this.op = detail.op;
    this.target = detail.target;
    this.hint = detail.hint ?? info.hint;
    this.status = detail.status;
    this.retryAfterMs = detail.retryAfterMs;
    this.indeterminate = detail.indeterminate ?? false;
    this.unansweredAt = detail.unansweredAt;
  }
}

/** The nearest OperatorError in the cause chain; any other value becomes `INVARIANT` without its text. */
export function errorOf(thrown: unknown): OperatorError {
  for (let current = thrown; current instanceof Error; current = current.cause) {
    if (current instanceof OperatorError) return current;
  }
  return new OperatorError('INVARIANT', { op: 'unknown', cause: thrown });
}

/** True when `thrown` is (or wraps) an OperatorError of this code. */
export function hasCode(thrown: unknown, errorCode: ErrorCode): boolean {
  return errorOf(thrown).code === errorCode;
}

/** Codes that describe a whole backend, not a document in it. */
const BACKEND_WIDE: ReadonlySet<ErrorCode> = new Set([
  'RATE_LIMITED',
  'BACKEND_SEALED',
  'BACKEND_UNREACHABLE',
  'BACKEND_NOT_READY',
  'BACKEND_IDENTITY_CHANGED',
  'ADDRESS_FORBIDDEN',
  'AUDIT_LOG_BLOCKED',
  'TLS_FAILED',
  'MOUNT_MISSING',
  'NAMESPACE_MISSING',
  'FOLDER_MISSING',
  'FOLDER_EXPOSED',
  'CREDENTIALS_MISSING',
]);

/** True for a failure that the next document of the same backend would have too; false without a failure. */
export function isBackendWide(thrown: unknown): boolean {
  return thrown !== undefined && BACKEND_WIDE.has(errorOf(thrown).code);
}

/** True for the end of all work, which all code rethrows unchanged: the reason of an aborted AbortSignal, or a lost lease. */
export function isAbort(thrown: unknown, signal: AbortSignal): boolean {
  if (thrown instanceof OperatorError && thrown.code === 'LEASE_LOST') return true;
  return (
    signal.aborted && (thrown === signal.reason || (thrown instanceof Error && thrown.name === 'AbortError'))
  );
}
