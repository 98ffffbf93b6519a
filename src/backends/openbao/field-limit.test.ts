import { describe, expect, it } from 'vitest';
import type { BaoRequest } from './client.ts';
import { countsFields } from './field-limit.ts';

const { signal } = new AbortController();

/** A session whose server replies these statuses, one after the other. */
function sessionOf(...statuses: readonly number[]) {
  const requests: BaoRequest[] = [];
  return {
    requests,
    request: async (request: BaoRequest) => {
      const status = statuses[requests.length] ?? 0;
      requests.push(request);
      return Promise.resolve({ status, body: undefined, retryAfterMs: undefined, serverTime: undefined });
    },
  };
}

describe('the limit of JSON strings', () => {
  it.each([
    ['that accepts many', [200], false],
    ['that accepts many from a token without rights', [403], false],
    ['that refuses many and accepts few', [400, 200], true],
    ['that refuses many, and few for want of rights', [400, 403], true],
    ['that refuses many and few alike', [400, 400], false],
    ['that does not know the question', [404], false],
  ])('is found with as few requests as possible at a server %s', async (_what, statuses, limited) => {
    const session = sessionOf(...statuses);
    expect(await countsFields(session, signal)).toBe(limited);
    expect(session.requests).toHaveLength(statuses.length);
  });

  it.each([[[429]], [[503]], [[400, 500]]])(
    'is not guessed from a server that replies %j',
    async (statuses) => {
      await expect(countsFields(sessionOf(...statuses), signal)).rejects.toThrow();
    },
  );

  it('is asked with one path, so that the server has no rights to look up', async () => {
    const session = sessionOf(400, 400);
    await countsFields(session, signal);
    expect(session.requests.map(({ body }) => body)).toEqual([
      { paths: ['sys/health'], ignored: expect.anything() },
      { paths: ['sys/health'] },
    ]);
    const [{ body } = {}] = session.requests;
    expect(JSON.stringify(body).split('":').length).toBeGreaterThan(1_000);
  });
});
