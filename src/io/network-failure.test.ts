import { errors } from 'undici';
import { describe, expect, it, test } from 'vitest';
import { networkError, networkFailureOf } from './network-failure.ts';

const failure = (code: string, syscall?: string): Error =>
  Object.assign(new Error(`${syscall ?? ''} ${code} hunter2`), { code, ...(syscall && { syscall }) });

const write = { op: 'test.write', target: 'a/b', writes: true };
const read = { ...write, writes: false };

describe('a network failure', () => {
  it.each([
    // Before a byte was sent, however TLS failed.
    ['CRL_HAS_EXPIRED', undefined, 'tls', 'not-sent'],
    ['CRL_SIGNATURE_FAILURE', undefined, 'tls', 'not-sent'],
    ['CERT_CHAIN_TOO_LONG', undefined, 'tls', 'not-sent'],
    ['CERT_HAS_EXPIRED', undefined, 'tls', 'not-sent'],
    ['CERT_REJECTED', undefined, 'tls', 'not-sent'],
    ['UNABLE_TO_GET_CRL', undefined, 'tls', 'not-sent'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', undefined, 'tls', 'not-sent'],
    ['ERROR_IN_CERT_NOT_AFTER_FIELD', undefined, 'tls', 'not-sent'],
    ['PATH_LENGTH_EXCEEDED', undefined, 'tls', 'not-sent'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', undefined, 'tls', 'not-sent'],
    ['HOSTNAME_MISMATCH', undefined, 'tls', 'not-sent'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', undefined, 'tls', 'not-sent'],
    ['ERR_TLS_HANDSHAKE_TIMEOUT', undefined, 'tls', 'not-sent'],
    // OpenSSL has the same code before and after the request.
    ['ERR_SSL_WRONG_VERSION_NUMBER', undefined, 'tls', 'unknown'],
    ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', undefined, 'tls', 'unknown'],
    ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', undefined, 'tls', 'unknown'],
    ['ERR_TLS_RENEGOTIATION_DISABLED', undefined, 'tls', 'unknown'],
    ['EPROTO', 'write', 'tls', 'unknown'],
    ['EPROTO', undefined, 'tls', 'unknown'],
    // No connection.
    ['ECONNREFUSED', 'connect', 'unreachable', 'not-sent'],
    ['ECONNRESET', 'connect', 'unreachable', 'not-sent'],
    ['ETIMEDOUT', 'connect', 'unreachable', 'not-sent'],
    ['EHOSTUNREACH', 'connect', 'unreachable', 'not-sent'],
    ['ENETUNREACH', 'connect', 'unreachable', 'not-sent'],
    ['EADDRNOTAVAIL', 'connect', 'unreachable', 'not-sent'],
    ['EPROTO', 'connect', 'unreachable', 'not-sent'],
    ['ENOTFOUND', 'getaddrinfo', 'unreachable', 'not-sent'],
    ['EAI_AGAIN', 'getaddrinfo', 'unreachable', 'not-sent'],
    ['UND_ERR_CONNECT_TIMEOUT', undefined, 'unreachable', 'not-sent'],
    ['UND_ERR_CLOSED', undefined, 'unreachable', 'not-sent'],
    // A connection that failed: the server may have the request.
    ['EHOSTUNREACH', 'read', 'unreachable', 'unknown'],
    ['ENETUNREACH', 'read', 'unreachable', 'unknown'],
    ['EHOSTUNREACH', 'write', 'unreachable', 'unknown'],
    ['ECONNREFUSED', 'read', 'unreachable', 'unknown'],
    ['ECONNRESET', 'read', 'unreachable', 'unknown'],
    ['ECONNRESET', undefined, 'unreachable', 'unknown'],
    ['EPIPE', 'write', 'unreachable', 'unknown'],
    ['ETIMEDOUT', 'read', 'timeout', 'unknown'],
    ['ETIMEDOUT', 'write', 'timeout', 'unknown'],
    ['UND_ERR_SOCKET', undefined, 'unreachable', 'unknown'],
    ['UND_ERR_DESTROYED', undefined, 'unreachable', 'unknown'],
    ['UND_ERR_HEADERS_TIMEOUT', undefined, 'timeout', 'unknown'],
    ['HPE_INVALID_CONSTANT', undefined, 'unreachable', 'unknown'],
    // A reply that started and did not end.
    ['UND_ERR_BODY_TIMEOUT', undefined, 'timeout', 'sent'],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', undefined, 'unreachable', 'sent'],
  ])('%s on %s is %s, %s', (code, syscall, kind, sent) => {
    expect(networkFailureOf(failure(code, syscall))).toEqual({ kind, sent, code });
  });

  it('of several addresses is "not sent" only if it is so for each of them', () => {
    const refused = failure('ECONNREFUSED', 'connect');
    const reset = failure('ECONNRESET', 'read');
    const all = Object.assign(new AggregateError([refused, failure('ETIMEDOUT', 'connect')]), {
      code: 'ECONNREFUSED',
    });
    expect(networkFailureOf(all)).toEqual({ kind: 'unreachable', sent: 'not-sent', code: 'ECONNREFUSED' });
    expect(networkFailureOf(new AggregateError([refused, reset])).sent).toBe('unknown');
    expect(networkFailureOf(new AggregateError([])).sent).toBe('unknown');
  });

  it.each([
    [new errors.ConnectTimeoutError(), 'unreachable', 'not-sent'],
    [new errors.ClientClosedError(), 'unreachable', 'not-sent'],
    [new errors.ClientDestroyedError(), 'unreachable', 'unknown'],
    [new errors.SocketError('other side closed'), 'unreachable', 'unknown'],
    [new errors.HeadersTimeoutError(), 'timeout', 'unknown'],
    [new errors.BodyTimeoutError(), 'timeout', 'sent'],
    [new errors.HTTPParserError('hunter2'), 'unreachable', 'unknown'],
  ])('as undici builds it: %s', (thrown, kind, sent) => {
    expect(networkFailureOf(thrown)).toMatchObject({ kind, sent });
  });

  it.each([['text'], [undefined], [new Error('no code')], [failure('told: hunter2')]])(
    'without a code that can be shown is unknown: %s',
    (thrown) => {
      expect(networkFailureOf(thrown)).toEqual({ kind: 'unreachable', sent: 'unknown', code: undefined });
    },
  );
});

describe('its error', () => {
  test.each([
    ['CERT_HAS_EXPIRED', undefined, 'TLS_FAILED', false],
    ['EPROTO', 'write', 'TLS_FAILED', true],
    ['ETIMEDOUT', 'read', 'DEADLINE', true],
    ['UND_ERR_BODY_TIMEOUT', undefined, 'DEADLINE', true],
    ['ETIMEDOUT', 'connect', 'BACKEND_UNREACHABLE', false],
    ['EHOSTUNREACH', 'read', 'BACKEND_UNREACHABLE', true],
  ])('%s on %s of a write is %s, indeterminate: %s', (code, syscall, expected, indeterminate) => {
    const error = networkError(failure(code, syscall), write);
    expect(error).toMatchObject({ code: expected, indeterminate, op: 'test.write', target: 'a/b' });
    expect(networkError(failure(code, syscall), read).indeterminate).toBe(false);
  });

  test('says that a port does not speak TLS, instead of asking for certificates', () => {
    const { code, hint } = networkError(failure('ERR_SSL_WRONG_VERSION_NUMBER'), read);
    expect(code).toBe('TLS_FAILED');
    expect(hint).toContain('The port does not speak TLS.');
  });

  test('names the code and repeats no text', () => {
    const error = networkError(failure('ECONNRESET', 'read'), write);
    expect(error.message).toBe('The server cannot be reached. Cause: ECONNRESET.');
    expect(error.cause).toBeUndefined();
  });
});
