import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { RecordedSpans } from '#test/support/recorded-spans.ts';
import { RequestSpan } from './request-span.ts';

const RUNNING = { signal: new AbortController().signal, expired: false };
const REQUEST = { method: 'GET', urlTemplate: '/v1/{mount}/data/{path}', op: 'openbao.read' };

function recorded(server: string, deadline = RUNNING) {
  const tracer = new RecordedSpans();
  const span = new RequestSpan(tracer, () => ({ ...REQUEST, server: new URL(server) }), deadline);
  return { span, spans: tracer.spans };
}

describe('the span of a request', () => {
  it.each([
    ['https://bao.example.org', 'bao.example.org', 443],
    ['http://bao.example.org', 'bao.example.org', 80],
    ['https://[fd00::1]:8200', 'fd00::1', 8200],
  ])('has the template of the path, and the host and port of %s', (server, host, port) => {
    const { spans } = recorded(server);
    expect(spans[0]?.start).toEqual({
      name: 'GET /v1/{mount}/data/{path}',
      attributes: {
        'http.request.method': 'GET',
        'url.template': '/v1/{mount}/data/{path}',
        'server.address': host,
        'server.port': port,
        'keyferry.operation': 'openbao.read',
      },
    });
  });

  it.each([
    [200, undefined],
    [404, '404'],
    [503, '503'],
  ])('has the status %s, which is an error from 400', (status, error) => {
    const { span, spans } = recorded('https://a');
    span.replied(status);
    span.done();
    expect(spans[0]?.result).toEqual({ error, attributes: { 'http.response.status_code': status } });
  });

  it('names our code, and nothing else of the failure', () => {
    const { span, spans } = recorded('https://a');
    span.failed(new OperatorError('TLS_FAILED', { op: 'x', detail: 'a text' }));
    expect(spans[0]?.result).toEqual({ error: 'TLS_FAILED', attributes: {} });
  });

  it('tells a caller that was stopped from a deadline', () => {
    const failure = new OperatorError('DEADLINE', { op: 'x' });
    const stopped = recorded('https://a', { signal: AbortSignal.abort(), expired: false });
    stopped.span.failed(failure);
    expect(stopped.spans[0]?.result?.error).toBe('aborted');
    const late = recorded('https://a', { signal: AbortSignal.abort(), expired: true });
    late.span.failed(failure);
    expect(late.spans[0]?.result?.error).toBe('DEADLINE');
  });
});
