import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode } from '#src/errors.ts';
import { apiPath } from './api-path.ts';

const HOSTILE = [
  '',
  '.',
  '..',
  'a/b',
  '..\\x',
  '%2e%2e',
  'a%2fb',
  'a b',
  'a\t',
  'a\n',
  '\u0000',
  '\u2028',
  '\ud800',
  'x'.repeat(254),
];

describe('apiPath', () => {
  test('builds the path of an ordinary object', () => {
    expect(apiPath(['api', 'v1', 'namespaces', 'payments', 'secrets', 'db.main-1'])).toBe(
      '/api/v1/namespaces/payments/secrets/db.main-1',
    );
  });

  test.each(HOSTILE)('refuses %j before anything is sent, without quoting it', (segment) => {
    let thrown: unknown;
    try {
      apiPath(['api', segment]);
    } catch (error) {
      thrown = error;
    }
    expect(hasCode(thrown, 'REQUEST_REJECTED')).toBe(true);
  });

  test('a URL parser returns the same segments for every accepted path', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }), (segments) => {
        let path: string;
        try {
          path = apiPath(segments);
        } catch (error) {
          expect(hasCode(error, 'REQUEST_REJECTED')).toBe(true);
          return;
        }
        const url = new URL(path, 'https://server');
        expect(url.host + url.search + url.hash).toBe('server');
        expect(url.pathname.slice(1).split('/').map(decodeURIComponent)).toEqual(segments);
      }),
      { numRuns: 500 },
    );
  });

  test('a query or fragment inside a name stays inside the name', () => {
    expect(apiPath(['secrets', 'a?x=1#y'])).toBe('/secrets/a%3Fx%3D1%23y');
  });
});
