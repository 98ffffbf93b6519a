import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { problemOf } from './problem.ts';

const read = { op: 'kube.get', target: 'Secret a/b', writes: false };
const write = { ...read, writes: true };

function status(reason: string, details: object = { name: 'b' }): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: 'value "hunter2" is bad',
    reason,
    details,
  };
}

describe('problemOf', () => {
  test.each([
    [401, 'Unauthorized', 'AUTH_DENIED'],
    [403, 'Forbidden', 'AUTH_DENIED'],
    [404, 'NotFound', 'NOT_FOUND'],
    [409, 'AlreadyExists', 'ALREADY_EXISTS'],
    [409, 'Conflict', 'VERSION_CONFLICT'],
    [410, 'Expired', 'WATCH_EXPIRED'],
    [410, 'Gone', 'WATCH_EXPIRED'],
    [400, 'BadRequest', 'REQUEST_REJECTED'],
    [422, 'Invalid', 'REQUEST_REJECTED'],
    [413, 'RequestEntityTooLarge', 'DOCUMENT_REFUSED'],
    [429, 'TooManyRequests', 'RATE_LIMITED'],
    [500, 'InternalError', 'SERVER_ERROR'],
    [503, 'ServiceUnavailable', 'SERVER_ERROR'],
    [504, 'Timeout', 'SERVER_ERROR'],
  ])('%i %s is %s', (httpStatus, reason, code) => {
    expect(problemOf({ httpStatus, body: status(reason) }, read).code).toBe(code);
  });

  test.each([404, 409, 410])('%i without a Status is not a fact about the object', (httpStatus) => {
    expect(problemOf({ httpStatus, body: undefined }, read).code).toBe('REPLY_INVALID');
  });

  test('404 for a kind that is not served is not the absence of an object', () => {
    expect(problemOf({ httpStatus: 404, body: status('NotFound', {}) }, read).code).toBe('REPLY_INVALID');
  });

  test('names the refused fields and never quotes the message', () => {
    const body = status('Invalid', {
      name: 'b',
      causes: [
        { reason: 'FieldValueInvalid', field: 'spec.select', message: 'Invalid value: "hunter2"' },
        { reason: 'hunter 2', field: 'has space', message: '' },
      ],
    });
    const problem = problemOf({ httpStatus: 422, body }, write);
    expect(problem.message).toContain('spec.select (FieldValueInvalid)');
    expect(inspect(problem)).not.toMatch(/hunter|has space/);
  });

  test('shows what is wrong with an object that has no value in the words of the API server', () => {
    const message = 'Invalid value: "object": set exactly one of names and all';
    const body = status('Invalid', {
      name: 'b',
      causes: [
        { reason: 'FieldValueInvalid', field: 'spec.select', message },
        { reason: 'FieldValueNotSupported', field: 'spec.mode', message: 'Unsupported value: "Twice"' },
      ],
    });
    const object = { ...write, holdsNoValue: true } as const;
    expect(problemOf({ httpStatus: 422, body }, object).message).toContain(
      'spec.select: set exactly one of names and all; spec.mode: Unsupported value: "Twice".',
    );
    const unknown = {
      ...status('BadRequest', {}),
      message: 'strict decoding error: unknown field "spec.unknownField"',
    };
    expect(problemOf({ httpStatus: 400, body: unknown }, object).message).toContain(
      'unknown field "spec.unknownField".',
    );
  });

  test('only a write with a server error may have been applied', () => {
    expect(problemOf({ httpStatus: 500, body: undefined }, write).indeterminate).toBe(true);
    expect(problemOf({ httpStatus: 500, body: undefined }, read).indeterminate).toBe(false);
    expect(problemOf({ httpStatus: 409, body: status('Conflict') }, write).indeterminate).toBe(false);
    expect(problemOf({ httpStatus: 429, body: undefined }, write).indeterminate).toBe(false);
  });

  test('reads the delay from the header or from the Status', () => {
    const body = status('TooManyRequests', { retryAfterSeconds: 7 });
    expect(problemOf({ httpStatus: 429, body }, read).retryAfterMs).toBe(7_000);
    expect(problemOf({ httpStatus: 429, body, retryAfterMs: 2_000 }, read).retryAfterMs).toBe(2_000);
  });
});

test.each([3_600, 1e300, Number.POSITIVE_INFINITY])(
  'a Status that asks for %s seconds is obeyed for a minute',
  (seconds) => {
    const body = status('TooManyRequests', { retryAfterSeconds: seconds });
    expect(problemOf({ httpStatus: 429, body }, read).retryAfterMs).toBe(60_000);
  },
);
