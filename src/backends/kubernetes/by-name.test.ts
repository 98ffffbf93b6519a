import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { collect } from '#test/support/collect.ts';
import { permitted } from '#test/support/permit.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { KubernetesDriver } from './driver.ts';
import { CLAIM_LABEL } from './marks.ts';

/*
 * A client that may get Secrets by name and not list them. That the API server decides so is in
 * test/integration/operator/scopes.test.ts; here every request is seen.
 */

const { signal } = new AbortController();

interface Server {
  /** Claims by name of Secret; null: a Secret without one. */
  readonly secrets?: Readonly<Record<string, string | null>>;
  /** Names that the client may not get. */
  readonly denied?: readonly string[];
  readonly mayList?: () => boolean;
}

function aDriver({ secrets = {}, denied = [], mayList = () => false }: Server) {
  const client = new ScriptedKubeClient(({ method, op, path }) => {
    if (op === 'kube.secret.review') return { status: { allowed: mayList() } };
    const name = /\/secrets\/(.+)$/.exec(path)?.[1];
    if (name === undefined && mayList()) return { metadata: {}, items: [] };
    if (name === undefined || denied.includes(name)) throw new OperatorError('AUTH_DENIED', { op });
    return theSecret(name, secrets[name], method === 'PATCH' ? '2' : '1');
  });
  const driver = new KubernetesDriver(client, 'ns');
  const sent = (): readonly string[] =>
    client.requests
      .filter(({ op }) => op !== 'kube.secret.review')
      .map(({ method, path }) => `${method} ${path.split('/').slice(5).join('/')}`);
  return { client, driver, sent };
}

function theSecret(name: string, claim: string | null | undefined, resourceVersion: string): object {
  if (claim === undefined) throw new OperatorError('NOT_FOUND', { op: 'test' });
  const labels = claim === null ? {} : { [CLAIM_LABEL]: claim };
  return { metadata: { name, uid: `uid-${name}`, resourceVersion, labels }, data: { k: 'dg==' } };
}

const names = Array.from({ length: 20 }, (_, index) => `secret-${index}`);

describe('without the right to list', () => {
  it('many Secrets are read by name, and no list is sent', async () => {
    const secrets = Object.fromEntries(names.map((name) => [name, null]));
    const { driver, sent } = aDriver({ secrets });
    const outcomes = await collect(driver.readMany([...names, 'absent'], signal));
    expect(outcomes).toHaveLength(21);
    expect(outcomes.filter((each) => 'result' in each && each.result.state === 'present')).toHaveLength(20);
    expect(sent().filter((each) => each === 'GET ')).toEqual([]);
    expect(sent()).toHaveLength(21);
  });

  it('a listing fails before it is sent, and says what to grant', async () => {
    const { driver, sent } = aDriver({});
    await expect(collect(driver.list({ folder: '' }, signal))).rejects.toMatchObject({
      code: 'AUTH_DENIED',
      hint: 'Use spec.select.names, or grant list on secrets in ns (https://keyferry.io/docs/security/rbac).',
    });
    expect(sent()).toEqual([]);
  });

  it('stale claims among the known names are released, others stay, and values are not requested', async () => {
    const secrets = { stale: 'm.1', mine: 'm.2', free: null, other: 'n.1' };
    const { client, driver, sent } = aDriver({ secrets, denied: ['withdrawn'] });
    const among = async () => ['stale', 'mine', 'free', 'gone', 'withdrawn', 'Not A Name', 'stale'];
    await driver.claims.release((by) => by === 'm.1', permitted(signal), among);
    expect(sent().filter((each) => each.startsWith('PATCH'))).toEqual(['PATCH secrets/stale']);
    expect(
      sent()
        .filter((each) => each.startsWith('GET'))
        .toSorted(),
    ).toEqual(['free', 'gone', 'mine', 'stale', 'withdrawn'].map((name) => `GET secrets/${name}`));
    const gets = client.requests.filter(({ method }) => method === 'GET');
    expect(gets.every(({ accept }) => accept?.includes('as=PartialObjectMetadata;') === true)).toBe(true);
  });

  it('a claim that cannot be read fails the release, so no run begins with an unknown fence', async () => {
    const { driver } = aDriver({ secrets: { odd: 'm.1' } });
    const broken = new ScriptedKubeClient(({ op }) => {
      if (op === 'kube.secret.review') return { status: { allowed: false } };
      throw new OperatorError('SERVER_ERROR', { op });
    });
    const failing = new KubernetesDriver(broken, 'ns').claims.release(
      () => true,
      permitted(signal),
      async () => ['odd'],
    );
    await expect(failing).rejects.toMatchObject({ code: 'SERVER_ERROR' });
    await driver.claims.release(
      () => true,
      permitted(signal),
      async () => [],
    );
  });
});

describe('the right to list', () => {
  it('is asked once while it holds, and again after it was withdrawn', async () => {
    let allowed = true;
    const { client, driver } = aDriver({ mayList: () => allowed });
    const reviews = (): number => client.requests.filter(({ op }) => op === 'kube.secret.review').length;
    for (let each = 0; each < 3; each += 1) await collect(driver.list({ folder: '' }, signal));
    expect(reviews()).toBe(1);
    allowed = false;
    await expect(collect(driver.list({ folder: '' }, signal))).rejects.toMatchObject({ code: 'AUTH_DENIED' });
    await expect(collect(driver.list({ folder: '' }, signal))).rejects.toMatchObject({
      hint: expect.stringContaining('grant list'),
    });
    expect(reviews()).toBe(2);
    allowed = true;
    await collect(driver.list({ folder: '' }, signal));
    expect(reviews()).toBe(3);
  });
});
