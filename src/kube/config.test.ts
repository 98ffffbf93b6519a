import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { openInClusterConnection, type KubeConnection } from './config.ts';
import { openKubeconfigConnection } from './kubeconfig.ts';

const [oneCa = '', otherCa = ''] = rootCertificates;

describe('openInClusterConnection', () => {
  let directory: string;
  let clock: ManualClock;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyferry-sa-'));
    clock = new ManualClock();
    await put('token', 'first\n');
    await put('ca.crt', oneCa);
    await put('namespace', 'keyferry-system');
  });

  afterEach(async () => await rm(directory, { recursive: true }));

  const put = async (name: string, text: string): Promise<void> =>
    await writeFile(join(directory, name), text);

  const open = async (host?: string, port?: string): Promise<KubeConnection> =>
    await openInClusterConnection({ host, port, serviceAccountDirectory: directory, clock });

  test('reads server, namespace, token and CA', async () => {
    const connection = await open('10.0.0.1', '443');
    expect(connection.server.origin).toBe('https://10.0.0.1');
    expect(connection.namespace).toBe('keyferry-system');
    expect(await connection.authorization()).toBe('Bearer first');
    expect(await connection.tls()).toEqual({ ca: oneCa.trim() });
  });

  test('brackets an IPv6 host', async () => {
    expect((await open('fd00::1', '6443')).server.origin).toBe('https://[fd00::1]:6443');
  });

  test('reads token and CA again after a minute, but not earlier', async () => {
    const connection = await open('10.0.0.1', '443');
    await put('token', 'second');
    await put('ca.crt', otherCa);
    clock.jump(59_000);
    expect(await connection.authorization()).toBe('Bearer first');
    clock.jump(2_000);
    expect(await connection.authorization()).toBe('Bearer second');
    expect(await connection.tls()).toEqual({ ca: otherCa.trim() });
  });

  test('reads the token again immediately when the server refused it', async () => {
    const connection = await open('10.0.0.1', '443');
    await put('token', 'second');
    connection.forgetAuthorization();
    expect(await connection.authorization()).toBe('Bearer second');
  });

  test('keeps the token while its file is absent during a rotation', async () => {
    const connection = await open('10.0.0.1', '443');
    await rm(join(directory, 'token'));
    connection.forgetAuthorization();
    expect(await connection.authorization()).toBe('Bearer first');
  });

  test.each([
    ['KUBERNETES_SERVICE_HOST', undefined, '443'],
    ['KUBERNETES_SERVICE_PORT', '10.0.0.1', ''],
    ['https address', '10.0.0.1', 'no-port'],
  ])('reports that %s is wrong, and has no other server as a fallback', async (word, host, port) => {
    await expect(open(host, port)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(word),
    });
  });

  test.each(['token', 'ca.crt', 'namespace'])('names the file %s when it is missing', async (file) => {
    await rm(join(directory, file));
    await expect(open('10.0.0.1', '443')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(file),
    });
  });

  test.each(['not a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])(
    'refuses the CA file %j without quoting it',
    async (text) => {
      await put('ca.crt', text);
      await expect(open('10.0.0.1', '443')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  );

  test.each(['', 'not a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])(
    'keeps the CAs when their file becomes %j',
    async (text) => {
      const connection = await open('10.0.0.1', '443');
      await put('ca.crt', text);
      clock.jump(61_000);
      expect(await connection.tls()).toEqual({ ca: oneCa.trim() });
    },
  );
});

describe('a kubeconfig', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'keyferry-kubeconfig-'))));
  afterEach(async () => await rm(directory, { recursive: true }));

  const withCluster = async (settings: object): Promise<KubeConnection> => {
    const cluster = { server: 'https://10.0.0.1:6443', ...settings };
    const path = join(directory, 'config');
    const config = {
      'current-context': 'a',
      clusters: [{ name: 'a', cluster }],
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
      users: [{ name: 'a', user: { token: 'some-token' } }],
    };
    await writeFile(path, JSON.stringify(config));
    return await openKubeconfigConnection({ path, clock: new ManualClock() });
  };

  test('trusts the CA that it names, and without one those of the system', async () => {
    const ca = Buffer.from(oneCa).toString('base64');
    expect((await (await withCluster({ 'certificate-authority-data': ca })).tls()).ca).toBe(oneCa);
    expect((await (await withCluster({})).tls()).ca).toBeUndefined();
  });

  test.each([
    ['data', { 'certificate-authority-data': '' }],
    ['file name', { 'certificate-authority': '' }],
    ['file', { 'certificate-authority': 'empty.crt' }],
  ])('with an empty CA %s is refused: it does not mean the CAs of the system', async (_what, settings) => {
    await writeFile(join(directory, 'empty.crt'), '');
    await expect(withCluster(settings)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/certificate.authority/),
    });
  });
});
