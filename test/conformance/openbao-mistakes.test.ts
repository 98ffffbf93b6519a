import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explain } from '#src/errors/explain.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { LOGIN_METHODS } from '#test/support/auth-methods.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { failureOf } from '#test/support/documents.ts';
import { FaultProxy } from './fault-proxy.ts';
import { OpenBaoFixture, type DriverOptions } from './openbao-fixture.ts';

/* Settings that look right and are not: the probe names each of them and says what to change. */

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

let fixture: OpenBaoFixture;
let mount: string;
let v1: string;
let auth: Record<string, unknown>;
let plain: FaultProxy;
const { signal } = new AbortController();

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('mistakes');
  v1 = `${mount}-v1`;
  await cluster.bao('POST', `sys/mounts/${v1}`, { type: 'kv', options: { version: '1' } });
  auth = await fixture.tokenAuth(`${documentedPolicy(mount)}\n${documentedPolicy(v1, 1)}`);
  plain = await FaultProxy.start({ target: cluster.baoUrl, ca: cluster.baoCaPem });
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
});

/** What the probe of a backend with these settings says. */
async function saidOf(options: Partial<DriverOptions>): Promise<readonly [string, string, string]> {
  const driver = fixture.driver({ mount, auth, ...options });
  const { code, message, hint } = await failureOf(driver.probe(signal));
  return [code, message, hint];
}

const probes = async (options: Partial<DriverOptions>): Promise<void> => {
  await fixture.driver({ mount, auth, ...options }).probe(signal);
};

describe('the probe of openbao names', () => {
  it.each<[string, () => Partial<DriverOptions>, () => string]>([
    ['a mount with data', () => ({ mount: `${mount}/data` }), () => `Set spec.openbao.mount to ${mount}.`],
    [
      'a mount with a folder of the API',
      () => ({ mount: `${mount}/data/team`, pathPrefix: 'a' }),
      () => `Set spec.openbao.mount to ${mount} and spec.openbao.pathPrefix to team/a.`,
    ],
    [
      'a mount with a folder',
      () => ({ mount: `${mount}/team` }),
      () => `Set spec.openbao.mount to ${mount} and spec.openbao.pathPrefix to team.`,
    ],
    [
      'a mount of version 1 with a folder',
      () => ({ mount: `${v1}/data`, kv: { kvVersion: 1 } }),
      () => `Set spec.openbao.mount to ${v1} and spec.openbao.pathPrefix to data.`,
    ],
  ])('%s', async (_what, options, hint) => {
    const real = options().mount?.startsWith(v1) === true ? v1 : mount;
    expect(await saidOf(options())).toEqual([
      'MOUNT_MISSING',
      expect.stringContaining(`The mount is ${real}.`),
      hint(),
    ]);
  });

  it.each<[string, () => Partial<DriverOptions>, string]>([
    ['data', () => ({ pathPrefix: 'data/team' }), 'Set spec.openbao.pathPrefix to team;'],
    ['metadata alone', () => ({ pathPrefix: 'metadata' }), 'Remove spec.openbao.pathPrefix;'],
    ['the mount', () => ({ pathPrefix: `${mount}/a/b` }), 'Set spec.openbao.pathPrefix to a/b;'],
    ['both', () => ({ pathPrefix: `${mount}/data/a` }), 'Set spec.openbao.pathPrefix to a;'],
    [
      'the mount of version 1',
      () => ({ mount: v1, pathPrefix: `${v1}/a`, kv: { kvVersion: 1 } }),
      'Set spec.openbao.pathPrefix to a;',
    ],
  ])('a prefix that starts with %s', async (_what, options, hint) => {
    const [code, message, advice] = await saidOf(options());
    expect(code).toBe('FOLDER_MISSING');
    expect(message).toContain("a part of the API's path");
    expect(advice).toContain(hint);
  });

  it.each<[string, () => Partial<DriverOptions>, string, string]>([
    [
      'a mount of version 1 as version 2',
      () => ({ mount: v1 }),
      'The mount is KV version 1.',
      'Set spec.openbao.kvVersion to 1.',
    ],
    [
      'a mount of version 2 as version 1',
      () => ({ kv: { kvVersion: 1 } }),
      'The mount is KV version 2.',
      'Set spec.openbao.kvVersion to 2.',
    ],
    ['an engine that is not KV', () => ({ mount: 'cubbyhole' }), 'is not KV', 'correct spec.openbao.mount'],
    ['a mount without rights', () => ({ mount: 'nowhere' }), 'no such mount', 'correct spec.openbao.mount'],
    [
      'http to a port with TLS',
      () => ({ address: cluster.baoUrl.replace('https', 'http') }),
      'refuses plain http',
      'Set spec.openbao.address to https://host:port.',
    ],
    [
      'https to a port without TLS',
      () => ({ address: plain.origin.replace('http', 'https') }),
      'TLS handshake',
      'The port does not speak TLS.',
    ],
    [
      'an API server of Kubernetes',
      () => ({ address: cluster.apiserverUrl, ca: { caBundle: cluster.apiserverCaPem } }),
      'The server is not OpenBao or Vault.',
      'Set spec.openbao.address',
    ],
  ])('%s', async (_what, options, happened, advice) => {
    const [, message, hint] = await saidOf(options());
    expect(message).toContain(happened);
    expect(hint).toContain(advice);
  });

  it.each([
    [200, '<html>please log in</html>', 'The server is not OpenBao or Vault.'],
    [404, '<html>not found</html>', 'The server is not OpenBao or Vault.'],
    [200, '{"status":"ok"}', 'The server is not OpenBao or Vault.'],
    [502, '<html>bad gateway</html>', 'The server failed to handle the request.'],
    [503, '<html>try later</html>', 'The server is sealed or has no active node.'],
    [429, '<html>slow down</html>', 'The server is not OpenBao or Vault.'],
  ])('a server that replies %i %s to sys/health', async (status, body, said) => {
    plain.plan = () => ({ status, body });
    const failure = await failureOf(fixture.driver({ mount, auth, address: plain.origin }).probe(signal));
    plain.plan = () => 'pass';
    expect(failure.message).toContain(said);
    // Any server can be there: the log has the message, a status has one text for all of them.
    expect(explain(failure)).toMatch(/^The server cannot be reached, or it is not the server /);
  });
});

describe('the probe of openbao accepts', () => {
  it('a folder whose name is a part of the API, once a document is in it', async () => {
    await cluster.bao('POST', `${mount}/data/data/real/a`, { data: { a: 'b' } });
    await probes({ pathPrefix: 'data/real' });
  });

  it('such a folder without the right to list, if the policy names it', async () => {
    const policy = `path "${mount}/data/data/own/*" { capabilities = ["read"] }`;
    await probes({ pathPrefix: 'data/own', auth: await fixture.tokenAuth(policy) });
    const [code] = await saidOf({ pathPrefix: 'data/other', auth: await fixture.tokenAuth(policy) });
    expect(code).toBe('FOLDER_MISSING');
  });

  it('a folder whose name only starts like a part of the API', async () => {
    await probes({ pathPrefix: 'database' });
  });
});

describe('a login to openbao names', () => {
  it.each(Object.entries(LOGIN_METHODS))('a mountPath of %s with auth/ or /login', async (_name, method) => {
    const prepared = await method({ cluster, keeper: fixture }, { policy: documentedPolicy(mount) });
    const [name = '', spec = {}] = Object.entries(prepared.auth)[0] ?? [];
    const mountPath = String(spec['mountPath']);
    for (const wrong of [`auth/${mountPath}`, `${mountPath}/login`, `auth/${mountPath}/login`]) {
      const [code, , hint] = await saidOf({ auth: { [name]: { ...spec, mountPath: wrong } } });
      expect([code, hint]).toEqual([
        'AUTH_DENIED',
        expect.stringContaining(`Set mountPath to ${mountPath}:`),
      ]);
    }
  });

  it('a namespace that does not exist, for a token and for a login, where the server has namespaces', async () => {
    const appRole = await LOGIN_METHODS['appRole']!(
      { cluster, keeper: fixture },
      { policy: documentedPolicy(mount) },
    );
    for (const way of [auth, appRole.auth]) {
      for (const namespace of ['nowhere', '/nowhere/']) {
        const probing = fixture.driver({ mount, auth: way, kv: { namespace } }).probe(signal);
        if (cluster.isOpenBao)
          expect(await failureOf(probing)).toMatchObject({ code: 'NAMESPACE_MISSING', target: 'nowhere' });
        else await probing;
      }
    }
  });

  it('a token of another namespace, or an invalid one', async () => {
    const [code, message, hint] = await saidOf({ auth: await fixture.tokenAuthWith('no-such-token') });
    expect([code, message]).toEqual(['AUTH_DENIED', expect.stringContaining('The token is not valid here.')]);
    expect(hint).toContain('spec.openbao.namespace');
  });
});

describe('a read of openbao', () => {
  it('finds no value where there is only metadata, although the listing has the name', async () => {
    await cluster.bao('POST', `${mount}/metadata/only`, { custom_metadata: { owner: 'me' } });
    const driver = fixture.driver({ mount, auth });
    expect(await driver.read('only', signal)).toEqual({ state: 'absent' });
    const names = [];
    for await (const entry of driver.list({ folder: '' }, signal)) names.push(entry);
    expect(JSON.stringify(names)).toContain('"only"');
  });

  it('names the version that is deleted, although an older one exists', async () => {
    for (const value of ['first', 'second'])
      await cluster.bao('POST', `${mount}/data/gone`, { data: { a: value } });
    await cluster.bao('DELETE', `${mount}/data/gone`);
    const found = await fixture.driver({ mount, auth }).read('gone', signal);
    expect(found).toMatchObject({ state: 'deleted', version: { revision: '2' } });
  });
});
