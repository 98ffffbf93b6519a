import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { OperatorError } from '#src/errors.ts';
import { UnwatchedCredentials } from './unwatched-credentials.ts';

const { signal } = new AbortController();

function aBackend(uid = 'u') {
  const parsed = parseSecretBackend({
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name: 'bao', namespace: 'ns', uid, generation: 1, resourceVersion: '1' },
    spec: {
      type: 'openbao',
      openbao: {
        address: 'https://bao:8200',
        mount: 'kv',
        caSecretRef: { name: 'ca' },
        auth: { token: { secretRef: { name: 'token' } } },
      },
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

function aWatch(isWatched = false) {
  const versions = new Map([
    ['ns/token', '1'],
    ['ns/ca', '1'],
  ]);
  let asked = 0;
  const credentials = new UnwatchedCredentials({
    secrets: {
      getMetadata: async ({ namespace, name }) => {
        asked += 1;
        const resourceVersion = versions.get(`${namespace}/${name}`);
        return resourceVersion === undefined ? undefined : { name, uid: `u-${name}`, resourceVersion };
      },
    },
    isWatched: () => isWatched,
    clusterResourceNamespace: 'keyferry',
    kinds: BACKEND_KINDS,
  });
  const changed = async (backend = aBackend()) => credentials.haveChanged(backend, signal);
  return { credentials, versions, changed, asked: () => asked };
}

describe('credentials that no watch covers', () => {
  it('count as changed at the first question, and then only when a Secret is another one', async () => {
    const { versions, changed } = aWatch();
    expect([await changed(), await changed()]).toEqual([true, false]);
    versions.set('ns/token', '2');
    expect([await changed(), await changed()]).toEqual([true, false]);
    versions.delete('ns/ca');
    expect([await changed(), await changed()]).toEqual([true, false]);
    versions.set('ns/ca', '9');
    expect([await changed(), await changed()]).toEqual([true, false]);
  });

  it('that may not be read say what to grant', async () => {
    const credentials = new UnwatchedCredentials({
      secrets: {
        getMetadata: async () =>
          Promise.reject(new OperatorError('AUTH_DENIED', { op: 'kube.get', status: 403 })),
      },
      isWatched: () => false,
      clusterResourceNamespace: 'keyferry',
      kinds: BACKEND_KINDS,
    });
    await expect(credentials.haveChanged(aBackend(), signal)).rejects.toMatchObject({
      code: 'AUTH_DENIED',
      target: 'Secret ns/token',
      hint: 'Grant the operator get on Secret token (https://keyferry.io/docs/security/rbac).',
    });
  });

  it('count as changed for another backend of the same name', async () => {
    const { credentials, changed } = aWatch();
    await changed();
    expect(await changed(aBackend('other'))).toBe(true);
    credentials.forget('SecretBackend', 'ns/bao');
    expect(await changed(aBackend('other'))).toBe(true);
  });

  it('are not read where a watch tells of changes', async () => {
    const { changed, asked } = aWatch(true);
    expect([await changed(), await changed()]).toEqual([false, false]);
    expect(asked()).toBe(0);
  });
});
