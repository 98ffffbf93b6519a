/**
 * The one error class of Keyferry and the table of its codes.
 *
 * Rules: match on `code`, never on text; never put a value, a response body or a parser's message into any
 * field; never keep as `cause` an error whose text may quote secret bytes (JSON.parse and URL do).
 * docs/errors.md lists the same table and a test compares both.
 */

/**
 * What a reader of the error does with it.
 * - `conflict`   somebody else changed the object: read again and decide anew, soon
 * - `transient`  the world is briefly broken: retry with back-off, honour `retryAfterMs`
 * - `waiting`    another object or a grant is missing: retry at a fixed interval, a watch wakes earlier
 * - `stalled`    only an edit of this object can help: no retry until its generation changes
 * - `integrity`  bytes are not what they must be: freeze the document, page a human
 * - `bug`        ours
 */
export type Disposition = 'conflict' | 'transient' | 'waiting' | 'stalled' | 'integrity' | 'bug';

interface CodeInfo {
  readonly disposition: Disposition;
  /** One sentence: what happened. Safe to show. */
  readonly summary: string;
  /** One sentence: what to do next. */
  readonly hint: string;
}

function code(disposition: Disposition, summary: string, hint: string): CodeInfo {
  return { disposition, summary, hint };
}

export const ERROR_CODES = {
  VERSION_CONFLICT: code(
    'conflict',
    'The object changed since it was read.',
    'Nothing to do; Keyferry reads it again and decides anew.',
  ),
  ALREADY_EXISTS: code(
    'conflict',
    'The object already exists.',
    'Nothing to do; Keyferry reads it and compares.',
  ),
  NOT_FOUND: code('waiting', 'The object does not exist.', 'Create it, or correct the reference to it.'),
  WATCH_EXPIRED: code(
    'transient',
    'The watch or list position is too old.',
    'Nothing to do; Keyferry lists again.',
  ),
  RATE_LIMITED: code(
    'transient',
    'The server asked to slow down.',
    'Raise the server quota or lower maxInFlight of the backend.',
  ),
  DEADLINE: code(
    'transient',
    'The server did not answer in time.',
    'Check the load and the network path of the server.',
  ),
  BACKEND_UNREACHABLE: code(
    'transient',
    'The server cannot be reached.',
    'Check address, DNS, network policy and that the server runs.',
  ),
  TLS_FAILED: code(
    'waiting',
    'The TLS handshake with the server failed.',
    'Check caBundle or caSecretRef, tlsServerName and the server certificate.',
  ),
  BACKEND_SEALED: code('transient', 'The server is sealed or has no active node.', 'Unseal the server.'),
  SERVER_ERROR: code(
    'transient',
    'The server failed to handle the request.',
    'Read the log of the server at this time.',
  ),
  REPLY_INVALID: code(
    'transient',
    'The reply is not what this API returns.',
    'Check that the address is that of the API itself, not of a proxy or a login page.',
  ),
  AUTH_DENIED: code(
    'waiting',
    'The server refused the credentials or the permission.',
    'Grant the permission listed in docs/openbao-policy.md, docs/directory.md or config/rbac, or renew the credentials.',
  ),
  CREDENTIALS_MISSING: code(
    'waiting',
    'The Secret that holds the credentials is missing or incomplete.',
    'Create the Secret that the backend refers to, with the key that it names.',
  ),
  BACKEND_NOT_FOUND: code(
    'waiting',
    'The backend that is referred to does not exist.',
    'Create it (a SecretBackend in the namespace of the migration), or delete the migration.',
  ),
  BACKEND_NOT_READY: code(
    'waiting',
    'The backend that is referred to is not Ready.',
    'Read its conditions with kubectl describe.',
  ),
  BACKEND_FORBIDDEN: code(
    'waiting',
    'This namespace may not use the backend.',
    'Ask an administrator to name it in spec.allowedNamespaces of the ClusterSecretBackend, or use another backend.',
  ),
  DEFAULT_MISSING: code(
    'waiting',
    'No backend is named, and there is no default backend.',
    'Name one in backendRef (in a new SecretMigration), or annotate a ClusterSecretBackend with keyferry.io/is-default-backend: "true".',
  ),
  DEFAULT_CONFLICT: code(
    'waiting',
    'There is another default backend.',
    'Remove the annotation keyferry.io/is-default-backend from one of them.',
  ),
  DEFAULT_CHANGED: code(
    'waiting',
    'The default backend is another one than when the migration began.',
    'Make that one the default again, or create a new SecretMigration that names its backends.',
  ),
  NAME_RESERVED: code(
    'waiting',
    'A name cannot be used.',
    'Choose another one in spec.select or spec.mapping, or ask who set spec.reservedPrefixes of the backend.',
  ),
  MOUNT_MISSING: code(
    'waiting',
    'There is no KV mount at this path.',
    'Enable it (secrets enable -path=<mount> kv-v2) or correct spec.openbao.mount.',
  ),
  FOLDER_MISSING: code(
    'waiting',
    'There is no folder at this path.',
    'Create it, mount the volume that holds it, or correct spec.directory.path or --directory-root.',
  ),
  FOLDER_EXPOSED: code(
    'waiting',
    'Everybody on the machine can use the folder.',
    'Take that right away with the chmod that the message names, or set spec.directory.allowWorldReadable.',
  ),
  CAPABILITY_MISSING: code(
    'waiting',
    'The backend cannot do what the migration asks of it.',
    'Change the settings of the backend, choose another one, or change the migration.',
  ),
  SPEC_INVALID: code(
    'stalled',
    'The spec cannot be carried out.',
    'Correct the field that the message names.',
  ),
  REQUEST_REJECTED: code(
    'stalled',
    'The server refuses this request for good.',
    'Read the message; the document does not fit the server.',
  ),
  DOCUMENT_REFUSED: code(
    'stalled',
    'The document does not fit the backend.',
    'Shorten or rename it at its source, or exclude it.',
  ),
  FIELDS_COLLIDE: code(
    'waiting',
    'Two fields of the document would get one name.',
    'Correct spec.mapping.fields.',
  ),
  EXPIRED: code(
    'stalled',
    'The document came to the end of its life before it was written.',
    'Nothing to do; an expired value is not brought back.',
  ),
  VERIFY_MISMATCH: code(
    'integrity',
    'What was read back is not what was written.',
    'Look at what sits between Keyferry and the server; the source was left as it is.',
  ),
  ENCODING_CORRUPT: code(
    'integrity',
    'A stored value does not have the encoding its marker says.',
    'Restore the keyferry-* custom metadata or the value; nothing was changed.',
  ),
  LEASE_LOST: code(
    'transient',
    'This replica is no longer the leader.',
    'Nothing to do; another replica goes on.',
  ),
  AUDIT_LOG_BLOCKED: code(
    'waiting',
    'The audit log cannot be written.',
    'Make room or correct the file; work goes on by itself and no record is lost.',
  ),
  CONFIG_INVALID: code(
    'stalled',
    'The flags or the environment of the process are wrong.',
    'Run keyferry --help.',
  ),
  INVARIANT: code('bug', 'Keyferry contradicts itself.', 'Report this with the log line.'),
} as const satisfies Readonly<Record<string, CodeInfo>>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetail {
  /** What was being done: `openbao.write`, `kube.list`, … a constant, never built from data. */
  readonly op: string;
  /** What it was done to: a path or `Kind namespace/name`. Names only. */
  readonly target?: string;
  /** One more sentence for this very case. Names and numbers that are not secret, never a value. */
  readonly detail?: string;
  /** HTTP status of the reply, if one came. */
  readonly status?: number;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfterMs?: number;
  /** True when a write may have been applied although no (good) reply came: read before deciding. */
  readonly indeterminate?: boolean;
  readonly cause?: unknown;
}

/** The only error that crosses a room's border. `message` is safe to show to a user. */
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

  constructor(errorCode: ErrorCode, detail: ErrorDetail) {
    const info = ERROR_CODES[errorCode];
    const parts = [info.summary, detail.detail].filter((part) => part !== undefined);
    super(parts.join(' '), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = errorCode;
    this.disposition = info.disposition;
    this.op = detail.op;
    this.target = detail.target;
    this.hint = info.hint;
    this.status = detail.status;
    this.retryAfterMs = detail.retryAfterMs;
    this.indeterminate = detail.indeterminate ?? false;
  }
}

/** The nearest OperatorError in the cause chain; anything else becomes `INVARIANT` without its text. */
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

/** Codes that speak of a whole backend and of no document in it. */
const BACKEND_WIDE: ReadonlySet<ErrorCode> = new Set([
  'BACKEND_SEALED',
  'BACKEND_UNREACHABLE',
  'TLS_FAILED',
  'MOUNT_MISSING',
  'FOLDER_MISSING',
  'FOLDER_EXPOSED',
  'CREDENTIALS_MISSING',
]);

/** True for a failure that the next document of the same backend would only meet as well. */
export function isBackendWide(thrown: unknown): boolean {
  return BACKEND_WIDE.has(errorOf(thrown).code);
}

/** True for the reason of an aborted AbortSignal: it passes through everything untouched. */
export function isAbort(thrown: unknown, signal: AbortSignal): boolean {
  return (
    signal.aborted && (thrown === signal.reason || (thrown instanceof Error && thrown.name === 'AbortError'))
  );
}
