import { OperatorError } from '#src/errors.ts';
import type { FailedOperation } from './problem.ts';

const TIMEOUT_CODES = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

/** Codes of OpenSSL certificate verification and of node:tls, which share no prefix (Node's documentation, "tls", errors). */
const CERTIFICATE_CODES = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH',
  'EPROTO',
]);

/** An error of the connection (undici, net, tls, dns) as an OperatorError; it is recognised by its code only. */
export function networkProblem(thrown: unknown, operation: FailedOperation): OperatorError {
  const code = codeOf(thrown);
  const detail = code === undefined ? {} : { detail: `Cause: ${code}.` };
  const common = { op: operation.op, target: operation.target, ...detail };
  if (isTlsCode(code)) return new OperatorError('TLS_FAILED', common);
  const indeterminate = operation.writes && !wasNeverSent(thrown);
  const timedOut = code !== undefined && TIMEOUT_CODES.has(code);
  return new OperatorError(timedOut ? 'DEADLINE' : 'BACKEND_UNREACHABLE', { ...common, indeterminate });
}

/** True when no byte of the request can have left: the connection was never established. */
export function wasNeverSent(thrown: unknown): boolean {
  if (thrown instanceof AggregateError) return thrown.errors.length > 0 && thrown.errors.every(wasNeverSent);
  if (!(thrown instanceof Error)) return false;
  const { syscall } = thrown as NodeJS.ErrnoException;
  return syscall === 'connect' || syscall === 'getaddrinfo' || codeOf(thrown) === 'UND_ERR_CONNECT_TIMEOUT';
}

function isTlsCode(code: string | undefined): boolean {
  return code !== undefined && (CERTIFICATE_CODES.has(code) || /^(CERT_|CRL_|ERR_TLS_|ERR_SSL_)/.test(code));
}

function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code } = thrown as NodeJS.ErrnoException;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined;
}
