import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import { OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { createAuthority } from '#test/cluster/pki.ts';
import { eventually } from '#test/support/eventually.ts';
import { ALL_METHODS, LOGIN_METHODS } from '#test/support/auth-methods.ts';
import type { PreparedAuth, TokenTerms } from '#test/support/auth-methods.ts';
import { codeOf, failureOf } from '#test/support/documents.ts';
import { startProxy } from '#test/support/recording-proxy.ts';
import { FaultProxy } from './fault-proxy.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { requestsTo } from './request-log.ts';

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

/**
 * Runs long timers a hundred times faster: the renewal of a token with a TTL of a minute is due after tenths of a
 * second. The timers of requests and of closing are shorter and keep their speed, or a busy machine would miss them.
 */
const FAST = 100;
const LONG_MS = 30_000;
const fastClock: Clock = {
  ...systemClock,
  schedule: (ms, run) => systemClock.schedule(ms > LONG_MS ? ms / FAST : ms, run),
};
const MANY = Array.from({ length: 20 });
const ABSENT = { state: 'absent' };

let fixture: OpenBaoFixture;
let mount: string;
const { signal } = new AbortController();

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('auth');
});
afterAll(() => fixture[Symbol.asyncDispose]());

type Prepare = (typeof ALL_METHODS)[string];
const prepare = (method: Prepare, terms: Partial<TokenTerms> = {}): Promise<PreparedAuth> =>
  method({ cluster, keeper: fixture }, { policy: documentedPolicy(mount), ...terms });
const driverWith = ({ auth }: PreparedAuth, clock?: Clock): Driver =>
  fixture.driver({ mount, auth, ...(clock && { clock }) });
const read = (driver: Driver) => driver.read('nothing', signal);
const readMany = async (driver: Driver): Promise<void> => {
  const found = await Promise.all(MANY.map(() => read(driver)));
  expect(found).toEqual(MANY.map(() => ABSENT));
};
const countOf = async (path: string, during: () => Promise<unknown>): Promise<number> =>
  countIn(await requestsTo(cluster.baoUrl, during), path);

describe('a login to openbao', () => {
  describeAllMethods();
  describeLoginMethods();
  describeMandate();
  describeToken();
  describeMissingCredentials();
});

function describeAllMethods(): void {
  describe.each(Object.entries(ALL_METHODS))('with %s', (_name, method) => {
    it('happens once for many first requests', async () => {
      const prepared = await prepare(method);
      await using driver = driverWith(prepared);
      expect(await countOf(prepared.loginPath, () => readMany(driver))).toBe(1);
    });

    it('happens again, once, after the token was revoked', async () => {
      const prepared = await prepare(method);
      await using driver = driverWith(prepared);
      await read(driver);
      await prepared.endTokens();
      const requests = await requestsTo(cluster.baoUrl, () => readMany(driver));
      const logins = requests.filter(({ path, method: verb }) => `${verb} ${path}` === loginOf(prepared));
      // A refused request looks its token up, with the same request that is the login of a static token.
      if (isStatic(prepared)) expect(logins.length).toBeLessThanOrEqual(MANY.length + 1);
      else expect(logins).toHaveLength(1);
    });

    it('happens again, once, after the token expired', async () => {
      const prepared = await prepare(method, { ttlSeconds: 300 });
      let elapsed = 0;
      await using driver = driverWith(prepared, {
        ...systemClock,
        monotonic: () => systemClock.monotonic() + elapsed,
      });
      await read(driver);
      elapsed = 299_000;
      expect(await countOf(prepared.loginPath, () => readMany(driver))).toBe(1);
    });

    it('stays valid by a renewal of the token at two thirds of its TTL', async () => {
      const prepared = await prepare(method, { ttlSeconds: 60 });
      const delays: number[] = [];
      const schedule: Clock['schedule'] = (ms, run) => {
        delays.push(ms);
        return fastClock.schedule(ms, run);
      };
      await using driver = driverWith(prepared, { ...fastClock, schedule });
      const requests = await requestsTo(cluster.baoUrl, async (seen) => {
        await read(driver);
        await eventually('it is renewed', () => countIn(seen, '/v1/auth/token/renew-self') > 0);
        await read(driver);
      });
      expect(countIn(requests, prepared.loginPath)).toBe(1);
      // Up to a tenth of the TTL earlier, and the server reports whole seconds; a request has 30 seconds.
      const renewals = delays.filter((ms) => ms > 30_000);
      expect(renewals.length).toBeGreaterThan(0);
      expect(renewals.filter((ms) => ms < 59_000 * (2 / 3 - 1 / 10) || ms > 40_000)).toEqual([]);
    });

    it('is refused if the token has a limited number of uses', async () => {
      const prepared = await prepare(method, { numUses: 3 });
      await using driver = driverWith(prepared);
      const error = await failureOf(read(driver));
      expect(error.code).toBe('AUTH_DENIED');
      expect(error.hint).toContain('num_uses');
      if (!isStatic(prepared)) expect(await prepared.livingTokens()).toBe(0);
    });
  });
}

function describeLoginMethods(): void {
  describe.each(Object.entries(LOGIN_METHODS))('with %s', (_name, method) => {
    it('revokes its token at the end', async () => {
      const prepared = await prepare(method);
      const driver = driverWith(prepared);
      await read(driver);
      expect(await prepared.livingTokens()).toBe(1);
      await driver[Symbol.asyncDispose]();
      expect(await prepared.livingTokens()).toBe(0);
      expect(await codeOf(read(driver))).toBe('BACKEND_NOT_READY');
    });

    it('happens again when the token cannot be renewed', async () => {
      const prepared = await prepare(method, { ttlSeconds: 60, type: 'batch' });
      await using driver = driverWith(prepared, fastClock);
      await requestsTo(cluster.baoUrl, async (seen) => {
        await read(driver);
        await eventually('it happens again', () => countIn(seen, prepared.loginPath) > 1);
        expect(await read(driver)).toEqual(ABSENT);
      });
    });

    it('is refused at a path without an auth method, and with a role that does not exist', async () => {
      const { auth } = await prepare(method);
      const [name = '', spec = {}] = Object.entries(auth)[0] ?? [];
      const nowhere = fixture.driver({ mount, auth: { [name]: { ...spec, mountPath: 'nowhere' } } });
      expect(await codeOf(read(nowhere))).toBe('AUTH_DENIED');
      const nobody = { role: 'nobody', roleId: 'nobody', name: 'nobody' };
      const strange = Object.fromEntries(
        Object.entries({ ...spec, ...nobody }).filter(([key]) => key in spec),
      );
      const error = await failureOf(read(fixture.driver({ mount, auth: { [name]: strange } })));
      expect(error.code).toBe('AUTH_DENIED');
      expect(error.message).toContain(`auth/${String(spec['mountPath'])}`);
    });
  });
}

function describeMandate(): void {
  it('needs the mandate, as a renewal does; giving the token back does not', async () => {
    const prepared = await prepare(LOGIN_METHODS['appRole'] ?? expect.fail(), { ttlSeconds: 60 });
    await using proxy = await startProxy(cluster, 'bao');
    const arrived = (path: string): number => countIn(proxy.requests, path);
    let isHeld = false;
    const assertHeld = (): void => {
      if (!isHeld) throw new OperatorError('LEASE_LOST', { op: 'test' });
    };
    const renewals: (() => void)[] = [];
    const schedule: Clock['schedule'] = (ms, run) => {
      if (ms <= LONG_MS) return systemClock.schedule(ms, run);
      renewals.push(run);
      return () => undefined;
    };
    const { auth } = prepared;
    const clock = { ...systemClock, schedule };
    const driver = fixture.driver({ mount, auth, address: proxy.url, clock, mandate: { assertHeld } });

    expect(await codeOf(read(driver))).toBe('LEASE_LOST');
    expect(arrived(prepared.loginPath)).toBe(0);
    isHeld = true;
    expect(await read(driver)).toEqual(ABSENT);
    isHeld = false;
    for (const renew of renewals.splice(0)) renew();
    await eventually('the renewal failed and is due again', () => renewals.length > 0);
    expect(await read(driver)).toEqual(ABSENT);
    await driver[Symbol.asyncDispose]();
    for (const renew of renewals.splice(0)) renew();

    expect(arrived('/v1/auth/token/renew-self')).toBe(0);
    expect(arrived('/v1/auth/token/revoke-self')).toBe(1);
    expect(await prepared.livingTokens()).toBe(0);
  });
}

function describeToken(): void {
  it('happens again only once while a path is denied to a token that has no right to look itself up', async () => {
    const denied = `path "${mount}/data/denied" { capabilities = ["deny"] }`;
    const policy = `path "${mount}/data/*" { capabilities = ["read"] }\n${denied}`;
    const prepared = await prepare(LOGIN_METHODS['appRole']!, { policy });
    const role = `auth/${String(prepared.auth['appRole']?.['mountPath'])}/role/mover`;
    await cluster.bao('POST', role, { token_no_default_policy: true });
    await using driver = driverWith(prepared);
    const requests = await requestsTo(cluster.baoUrl, async () => {
      for (const _ of MANY) expect(await codeOf(driver.read('denied', signal))).toBe('AUTH_DENIED');
      expect(await read(driver)).toEqual(ABSENT);
    });
    expect(countIn(requests, prepared.loginPath)).toBe(2);
  });

  it('with a wrong secret id says what to check, even if the server replies as if it failed', async () => {
    const { auth } = await prepare(LOGIN_METHODS['appRole']!);
    const secretIdRef = await fixture.storeSecret('secret-id', 'stale');
    const appRole = { ...auth['appRole'], secretIdRef };
    const error = await failureOf(read(fixture.driver({ mount, auth: { appRole } })));
    expect(error.code).toBe(cluster.isOpenBao ? 'AUTH_DENIED' : 'SERVER_ERROR');
    expect(error.message).toContain('login at auth/approle');
  });

  it('leaves no token behind if the backend closes in the middle of it', async () => {
    const prepared = await prepare(LOGIN_METHODS['appRole']!);
    const proxy = await FaultProxy.start({ target: cluster.baoUrl, ca: cluster.baoCaPem });
    await using _ = proxy;
    const driver = fixture.driver({ mount, auth: prepared.auth, address: proxy.origin });
    const outcome = codeOf(read(driver));
    await eventually('the login is on its way', () => countIn(proxy.seen, prepared.loginPath) > 0);
    await driver[Symbol.asyncDispose]();
    await outcome;
    expect(await prepared.livingTokens()).toBe(0);
  });

  it('leaves no replaced token behind that could not be renewed', async () => {
    const prepared = await prepare(LOGIN_METHODS['appRole']!, { ttlSeconds: 60 });
    const role = `auth/${String(prepared.auth['appRole']?.['mountPath'])}/role/mover`;
    await cluster.bao('POST', role, { token_max_ttl: '60s' });
    const driver = driverWith(prepared, fastClock);
    await requestsTo(cluster.baoUrl, async (seen) => {
      await read(driver);
      await eventually('it was replaced', () => countIn(seen, prepared.loginPath) > 2);
    });
    await driver[Symbol.asyncDispose]();
    expect(await prepared.livingTokens()).toBe(0);
  });

  it('does not start for a caller that has given up, and its failure affects no other caller', async () => {
    const reason = new Error('shutting down');
    const driver = fixture.driver({ mount, auth: { token: { secretRef: { name: 'nowhere' } } } });
    await expect(driver.read('a', AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await codeOf(read(driver))).toBe('CREDENTIALS_MISSING');
  });
}

function describeMissingCredentials(): void {
  describe('says which credentials are missing', () => {
    it.each([
      ['token', { token: { secretRef: { name: 'nowhere' } } }],
      ['appRole', { appRole: { roleId: 'x', secretIdRef: { name: 'nowhere' } } }],
      ['jwt', { jwt: { role: 'x', secretRef: { name: 'nowhere' } } }],
      ['cert', { cert: { secretRef: { name: 'nowhere' } } }],
    ])('if the Secret of %s does not exist', async (_name, auth) => {
      const error = await failureOf(read(fixture.driver({ mount, auth })));
      expect(error).toMatchObject({ code: 'CREDENTIALS_MISSING' });
      expect(error.target).toBe(`Secret ${fixture.namespace}/nowhere`);
    });

    it('if the ServiceAccount does not exist', async () => {
      const account = { serviceAccountRef: { name: 'nobody' }, audiences: ['keyferry.io/openbao'] };
      const auth = { jwt: { role: 'x', ...account } };
      expect(await codeOf(read(fixture.driver({ mount, auth })))).toBe('CREDENTIALS_MISSING');
    });

    it('if the key does not match the certificate, without quoting either', async () => {
      const one = await createAuthority('one');
      const other = await createAuthority('other');
      const mixed = { 'tls.crt': one.certificate, 'tls.key': other.key };
      for (const data of [mixed, { 'tls.crt': mixed['tls.crt'], 'tls.key': 'hunter2' }]) {
        const name = await fixture.storeSecretData(data);
        const error = await failureOf(
          read(fixture.driver({ mount, auth: { cert: { secretRef: { name } } } })),
        );
        expect(error.code).toBe('CREDENTIALS_MISSING');
        expect(error.cause).toBeUndefined();
        expect(error.message).toContain('tls.key');
      }
    });

    it('if a secret id is not valid', async () => {
      const secretIdRef = await fixture.storeSecret('secret-id', 'two words');
      const error = await failureOf(
        read(fixture.driver({ mount, auth: { appRole: { roleId: 'x', secretIdRef } } })),
      );
      expect(error.code).toBe('CREDENTIALS_MISSING');
      expect(error.message).not.toContain('words');
    });
  });
}

function isStatic({ auth }: PreparedAuth): boolean {
  return 'token' in auth;
}

function loginOf(prepared: PreparedAuth): string {
  return `${isStatic(prepared) ? 'GET' : 'POST'} ${prepared.loginPath}`;
}

function countIn(requests: readonly { readonly path: string }[], path: string): number {
  return requests.filter((request) => request.path === path).length;
}
