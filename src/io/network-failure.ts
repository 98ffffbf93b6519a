import { isIP } from 'node:net';
import { OperatorError } from '#src/errors.ts';

/** One request to a server, for its errors. */
export interface FailedOperation {
  /** Constant name of the operation, e.g. `kube.create`. */
  readonly op: string;
  readonly target: string;
  /** True for a write: without a reply it is unknown whether it was applied. */
  readonly writes: boolean;
  /** See `ErrorDetail.unansweredAt`. */
  readonly unansweredAt?: string | undefined;
}

/** What a connection error shows about the request. */
export interface NetworkFailure {
  /** `tls`: the handshake failed; `timeout`: connected, but no reply; `unreachable`: all other errors. */
  readonly kind: 'tls' | 'timeout' | 'unreachable';
  /**
   * `not-sent`: no byte of the request left this machine, so the server did nothing. `sent`: at least the header of a reply
   * arrived. `unknown`: all other cases; the server may have applied the request.
   */
  readonly sent: 'sent' | 'not-sent' | 'unknown';
  /** The code of the error, if it has one that is safe to show. */
  readonly code: string | undefined;
}

/**
 * Classifies an error of undici, net, tls or dns by code and system call, never by text: the same code (ETIMEDOUT,
 * ECONNRESET, EHOSTUNREACH) means "no connection" on `connect` and "no reply" on `read` or `write`.
 *
 * A case that is not certain is `unknown`, which costs one read; a wrong `not-sent` would cause a wrong decision.
 */
export function networkFailureOf(thrown: unknown): NetworkFailure {
  const code = codeOf(thrown);
  if (wasNeverConnected(thrown, code)) return { kind: 'unreachable', sent: 'not-sent', code };
  if (code === undefined) return { kind: 'unreachable', sent: 'unknown', code };
  if (REFUSED_CERTIFICATE.test(code)) return { kind: 'tls', sent: 'not-sent', code };
  if (BROKEN_TLS.test(code)) return { kind: 'tls', sent: 'unknown', code };
  return {
    kind: TIMEOUTS.has(code) ? 'timeout' : 'unreachable',
    sent: AFTER_REPLY_BEGAN.has(code) ? 'sent' : 'unknown',
    code,
  };
}

/**
 * A connection error as `TLS_FAILED`, `DEADLINE` or `BACKEND_UNREACHABLE`. Keeps its code and the address that it names, and
 * no other text.
 */
export function networkError(thrown: unknown, operation: FailedOperation): OperatorError {
  const { kind, sent, code } = networkFailureOf(thrown);
  const cause = causeOf(thrown);
  return new OperatorError(CODE_BY_KIND[kind], {
    op: operation.op,
    target: operation.target,
    unansweredAt: operation.unansweredAt,
    ...(cause === undefined ? {} : { detail: cause }),
    ...(code !== undefined && NO_TLS.has(code) ? { hint: NO_TLS_HINT } : {}),
    indeterminate: operation.writes && sent !== 'not-sent',
  });
}

/** `Cause: ECONNREFUSED at 10.0.0.1:8200.`, undefined if the error has no code that is safe to show. */
export function causeOf(thrown: unknown): string | undefined {
  const code = codeOf(thrown);
  return code === undefined ? undefined : `Cause: ${code}${addressIn(thrown)}.`;
}

/** The first bytes of the server are not TLS: most often plain http at a port that https was sent to. */
const NO_TLS: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
]);
const NO_TLS_HINT =
  'The port does not speak TLS. Correct the port of the address; plain http also needs --allow-insecure-http.';

const CODE_BY_KIND = { tls: 'TLS_FAILED', timeout: 'DEADLINE', unreachable: 'BACKEND_UNREACHABLE' } as const;

/**
 * The server's certificate or our own settings ended the handshake: the codes in "X509 certificate error codes" of Node's
 * documentation of tls, and Node's own ERR_TLS_*, of which the two about renegotiation occur later. undici writes only
 * after `secureConnect`, which Node emits after it has checked the certificate.
 */
const REFUSED_CERTIFICATE =
  /^(?:CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|ERR_TLS_(?!RENEGOTIATION_DISABLED|SESSION_ATTACK)|(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|PATH_LENGTH_EXCEEDED|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)$)/;

/**
 * OpenSSL failed, in the handshake or at any time after it. Node (src/crypto/crypto_tls.cc) builds ERR_SSL_* from the
 * reason of a failed read in both phases: a proxy that answers in plain text is ERR_SSL_WRONG_VERSION_NUMBER before the
 * request and after it. EPROTO is a failed *write* of plain text, which undici begins only after the handshake.
 */
const BROKEN_TLS = /^(?:EPROTO$|ERR_SSL_|ERR_OSSL_|ERR_TLS_)/;

const TIMEOUTS: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

const AFTER_REPLY_BEGAN: ReadonlySet<string> = new Set([
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
]);

/**
 * undici's limit for the connection, including the handshake (core/connect.js; it also represents an AggregateError with a
 * time-out in it), and a pool that was closed before it took the request. UND_ERR_DESTROYED is missing deliberately: it
 * also ends requests in flight. So is UND_ERR_SOCKET: the server closed an established connection.
 */
const NEVER_CONNECTED: ReadonlySet<string> = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_CLOSED']);

function wasNeverConnected(thrown: unknown, code: string | undefined): boolean {
  if (thrown instanceof AggregateError) {
    // Happy eyeballs: one error per address that was tried.
    return thrown.errors.length > 0 && thrown.errors.every((each) => wasNeverConnected(each, codeOf(each)));
  }
  if (code !== undefined && NEVER_CONNECTED.has(code)) return true;
  const syscall = thrown instanceof Error && 'syscall' in thrown ? thrown.syscall : undefined;
  return syscall === 'connect' || syscall === 'getaddrinfo';
}

/**
 * Codes are constants of Node, undici and OpenSSL (whose reasons become ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE);
 * no other text is kept: undici's parser errors contain raw bytes of the reply.
 */
function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  const { code } = thrown;
  return typeof code === 'string' && /^[A-Z0-9_/().-]{1,64}$/.test(code) ? code : undefined;
}

/** ` at 10.0.0.1:8200`, of an error that names the address which it tried. */
function addressIn(thrown: unknown): string {
  if (thrown instanceof AggregateError) return addressIn(thrown.errors[0]);
  if (!(thrown instanceof Error) || !('address' in thrown) || !('port' in thrown)) return '';
  const { address, port } = thrown;
  return typeof address === 'string' && isIP(address) !== 0 && typeof port === 'number'
    ? ` at ${address}:${port}`
    : '';
}
