import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { findCredentials, localCredentialsFor, placesIn } from './credentials.ts';

const ADDRESS = 'https://bao.example:8200';
const TOKEN = { token: { secretRef: { name: 'bao-token' } } };

function aBackend(auth: object, more: object = {}): SecretBackend {
  const parsed = parseSecretBackend({
    apiVersion: 'keyferry.io/v1alpha1',
    kind: 'SecretBackend',
    metadata: { name: 'bao', namespace: 'default', uid: 'u', resourceVersion: '1', generation: 1 },
    spec: { type: 'openbao', openbao: { address: ADDRESS, auth, ...more } },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

/** What the driver would get for the key of this Secret. */
async function given(
  backend: SecretBackend,
  flags: readonly string[],
  env: Record<string, string>,
  [secret, key]: readonly [string, string],
): Promise<string> {
  const found = await findCredentials([backend], placesIn(flags), env);
  const use = { backend: { kind: backend.kind, namespace: 'default', name: 'bao' } };
  const source = localCredentialsFor(use, { found, env, cluster: undefined });
  const { signal } = new AbortController();
  return (await source.readSecretKey('default', secret, key, signal)).reveal().toString();
}

describe('credentials without a cluster', () => {
  it('come from a file or a variable that a flag names', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-credentials-'));
    const path = join(folder.path, 'token');
    await writeFile(path, 's.file');
    const secret = ['bao-token', 'token'] as const;
    expect(await given(aBackend(TOKEN), [`bao=file:${path}`], {}, secret)).toBe('s.file');
    expect(await given(aBackend(TOKEN), ['bao=env:CI_TOKEN'], { CI_TOKEN: 's.env' }, secret)).toBe('s.env');
    const appRole = { appRole: { roleId: 'r', secretIdRef: { name: 'id' } } };
    expect(await given(aBackend(appRole), [`bao=file:${path}`], {}, ['id', 'secret-id'])).toBe('s.file');
    const cert = { cert: { secretRef: { name: 'tls' } } };
    const flags = [`bao/tls.crt=file:${path}`, 'bao/tls.key=env:KEY', 'bao/ca.crt=env:CA'];
    const pair = aBackend(cert, { caSecretRef: { name: 'ca' } });
    expect(await given(pair, flags, { KEY: 'k', CA: 'c' }, ['tls', 'tls.key'])).toBe('k');
    expect(await given(pair, flags, { KEY: 'k', CA: 'c' }, ['ca', 'ca.crt'])).toBe('c');
  });

  it('are the token of bao and vault only for the server that BAO_ADDR names', async () => {
    const secret = ['bao-token', 'token'] as const;
    const env = { BAO_ADDR: `${ADDRESS}/`, BAO_TOKEN: 's.own', HOME: '/nonexistent' };
    expect(await given(aBackend(TOKEN), [], env, secret)).toBe('s.own');
    await expect(
      given(aBackend(TOKEN), [], { ...env, BAO_ADDR: 'https://other.example:8200' }, secret),
    ).rejects.toThrow(
      'The SecretBackend bao needs the credential token. Say where it is: --credential bao=file:PATH or --credential bao=env:NAME. BAO_TOKEN and ~/.vault-token are used only if BAO_ADDR is https://bao.example:8200.',
    );
  });

  it('are found in ~/.vault-token, where bao and vault keep them', async () => {
    await using home = await mkdtempDisposable(join(tmpdir(), 'keyferry-home-'));
    await writeFile(join(home.path, '.vault-token'), 's.home');
    const env = { VAULT_ADDR: ADDRESS, HOME: home.path };
    expect(await given(aBackend(TOKEN), [], env, ['bao-token', 'token'])).toBe('s.home');
  });

  it.each([
    ['a credential itself', ['bao=hvs.canary'], '--credential must be BACKEND=file:PATH'],
    [
      'a variable that is not set',
      ['bao=env:NOT_SET'],
      'The variable NOT_SET with a credential of bao is not set',
    ],
    [
      'a file that is not there',
      ['bao=file:/nonexistent/t'],
      'The file /nonexistent/t with a credential of bao cannot be read',
    ],
    [
      'a backend that is not used',
      ['bao=env:T', 'boa=env:T'],
      '--credential boa: no backend of the migration reads this',
    ],
    ['a key that is not used', ['bao=env:T', 'bao/ca.crt=env:T'], '--credential bao/ca.crt: no backend'],
  ])('refuse %s without quoting it', async (_what, flags, expected) => {
    const failure: unknown = await given(aBackend(TOKEN), flags, { T: 't' }, ['bao-token', 'token']).catch(
      (thrown: unknown) => thrown,
    );
    expect(String(failure)).toContain(expected);
    expect(String(failure)).not.toContain('canary');
  });
});
