import { describe, expect, it } from 'vitest';
import type { ReadOutcome } from '../driver.ts';
import type { ReadScope } from '../hints.ts';
import type { Listed } from '../listing.ts';
import { OperatorError } from '#src/errors.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import { collect } from '#test/support/collect.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { KubernetesDriver } from './driver.ts';

/*
 * One object that the API server cannot decrypt, or that is not a Secret, among many: no real server makes one on demand.
 */

const { signal } = new AbortController();
const names = Array.from({ length: 20 }, (_, index) => `secret-${index}`);

function secret(name: string, more: object = {}): object {
  const metadata = { name, uid: `uid-${name}`, resourceVersion: '1' };
  return { metadata, data: { k: 'dg==' }, ...more };
}

/** Of a client that may list. */
function driverWith(answer: (request: KubeRequest) => unknown): KubernetesDriver {
  const answerAll = (request: KubeRequest): unknown =>
    request.op === 'kube.secret.review' ? { status: { allowed: true } } : answer(request);
  return new KubernetesDriver(new ScriptedKubeClient(answerAll), 'ns');
}

const pageOf = (items: readonly object[]): object => ({ metadata: {}, items });
const nameIn = ({ path }: KubeRequest): string | undefined => /\/secrets\/(.+)$/.exec(path)?.[1];

function codesOf(outcomes: readonly ReadOutcome[]): ReadonlyMap<string, string> {
  return new Map(
    outcomes.map((each) => [
      each.address,
      'result' in each ? each.result.state : each.error instanceof OperatorError ? each.error.code : 'other',
    ]),
  );
}

describe('one Secret among many', () => {
  it('that is not what the API returns is an error of that Secret', async () => {
    const items = names.map((name) => secret(name, name === 'secret-3' ? { data: { k: 1 } } : {}));
    const codes = codesOf(await collect(driverWith(() => pageOf(items)).readMany(names, signal)));
    expect(codes.get('secret-3')).toBe('REPLY_INVALID');
    expect([...codes.values()].filter((code) => code === 'present')).toHaveLength(19);
  });

  it.each(['SERVER_ERROR', 'REPLY_INVALID'] as const)(
    'that makes every page fail with %s is an error of that Secret',
    async (code) => {
      const driver = driverWith((request) => {
        const name = nameIn(request);
        if (name === undefined || name === 'secret-3') throw new OperatorError(code, { op: 'test' });
        return secret(name);
      });
      const codes = codesOf(await collect(driver.readMany(names, signal)));
      expect(codes.get('secret-3')).toBe(code);
      expect([...codes.values()].filter((each) => each === 'present')).toHaveLength(19);
    },
  );

  it.each(['BACKEND_UNREACHABLE', 'RATE_LIMITED', 'AUTH_DENIED'] as const)(
    'is not blamed for a page that fails with %s',
    async (code) => {
      const driver = driverWith((request) => {
        if (nameIn(request) === undefined) throw new OperatorError(code, { op: 'test' });
        return secret('x');
      });
      await expect(collect(driver.readMany(names, signal))).rejects.toMatchObject({ code });
    },
  );

  it('without usable metadata is a problem of a listing, which goes on', async () => {
    const items = [secret('a'), { metadata: { name: 'bad' } }, secret('b')];
    const listed: readonly Listed[] = await collect(
      driverWith(() => pageOf(items)).list({ folder: '' }, signal),
    );
    expect(listed).toEqual([
      { address: 'a', labels: {} },
      { address: 'b', labels: {} },
      { address: 'bad', problem: expect.objectContaining({ code: 'REPLY_INVALID' }) },
    ]);
  });
});

describe('what else is in the namespace', () => {
  const selectorsWith = async (scope: ReadScope): Promise<readonly (string | undefined)[]> => {
    const selectors: (string | undefined)[] = [];
    const driver = driverWith(({ query }) => {
      selectors.push(query?.['fieldSelector']);
      return pageOf([...names, 'other'].map((name) => secret(name)));
    });
    await collect(driver.readMany(names, signal, scope));
    return selectors;
  };

  it('is left out by the names that a listing told, without another list', async () => {
    const selectors = await selectorsWith({ listed: names.length + 1, others: ['other'] });
    expect(selectors).toEqual([expect.stringContaining('metadata.name!=other')]);
  });

  it('is listed where the listing told of more than it named', async () => {
    for (const others of [[], ['other']]) {
      const selectors = await selectorsWith({ listed: names.length + 2, others });
      expect(selectors).toEqual([
        expect.not.stringContaining('metadata.name'),
        expect.stringContaining('metadata.name!=other'),
      ]);
    }
  });
});
