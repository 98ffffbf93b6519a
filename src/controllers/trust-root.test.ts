import { describe, expect, it } from 'vitest';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { secretReferencesOf } from '#src/backends/spec.ts';
import { trustRootsOf } from './trust-root.ts';

function backend(auth: object, more: object = {}) {
  const parsed = parseSecretBackend({
    apiVersion: 'keyferry.io/v1alpha1',
    kind: 'SecretBackend',
    metadata: { name: 'bao', namespace: 'a', uid: 'u', resourceVersion: '1', generation: 1 },
    spec: { type: 'openbao', openbao: { address: 'https://bao:8200', auth, ...more } },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

function secretsOf({ spec }: SecretBackend): readonly string[] {
  return secretReferencesOf(spec, BACKEND_KINDS);
}

describe('the trust root', () => {
  it.each([
    ['token', { token: { secretRef: { name: 'held' } } }],
    ['appRole', { appRole: { roleId: 'r', secretIdRef: { name: 'held' } } }],
    ['jwt', { jwt: { role: 'r', secretRef: { name: 'held' } } }],
    ['cert', { cert: { secretRef: { name: 'held' } } }],
  ])('holds the Secret that %s logs in with, and that of the authority', (_name, auth) => {
    expect(secretsOf(backend(auth, { caSecretRef: { name: 'ca' } }))).toEqual(['held', 'ca']);
    expect(trustRootsOf([backend(auth)], BACKEND_KINDS).get('held')).toBe('SecretBackend bao');
  });

  it.each([
    ['kubernetes', { kubernetes: { role: 'r', serviceAccountRef: { name: 'default' } } }],
    ['jwt', { jwt: { role: 'r', serviceAccountRef: { name: 'default' } } }],
  ])('holds none for a ServiceAccount that %s logs in with', (_name, auth) => {
    expect(secretsOf(backend(auth))).toEqual([]);
  });
});
