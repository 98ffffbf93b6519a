import { describe, expect, it } from 'vitest';
import {
  parseClusterSecretBackend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { secretReferencesOf } from '#src/backends/spec.ts';
import { Store } from '#src/runtime/store.ts';
import { NAMESPACE_INDEX } from '../projections.ts';
import {
  OPERATOR_MAY_NOT_LIST,
  trustRootsIn,
  trustRootsOf,
  unlistedBackendsIn,
  unparsedBackendIn,
} from './trust-root.ts';

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

function clusterBackend(secret: string) {
  const parsed = parseClusterSecretBackend({
    apiVersion: 'keyferry.io/v1alpha1',
    kind: 'ClusterSecretBackend',
    metadata: { name: 'bao', uid: 'c', resourceVersion: '1', generation: 1 },
    spec: {
      type: 'openbao',
      openbao: { address: 'https://bao:8200', auth: { token: { secretRef: { name: secret } } } },
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

function secretsOf({ spec }: SecretBackend): readonly string[] {
  return secretReferencesOf(spec, BACKEND_KINDS);
}

const unlistedBackends = (): undefined => undefined;
const unparsed = { backends: new Map(), clusterBackends: new Map() };

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
    [
      'kubernetes',
      { kubernetes: { role: 'r', serviceAccountRef: { name: 'default' }, audiences: ['keyferry.io/bao'] } },
    ],
    ['jwt', { jwt: { role: 'r', serviceAccountRef: { name: 'default' }, audiences: ['keyferry.io/bao'] } }],
  ])('holds none for a ServiceAccount that %s logs in with', (_name, auth) => {
    expect(secretsOf(backend(auth))).toEqual([]);
  });

  it('holds, for a namespace, what its SecretBackends read, and what ClusterSecretBackends read there', () => {
    const cache = new Store<SecretBackend>(NAMESPACE_INDEX);
    cache.set(backend({ token: { secretRef: { name: 'own' } } }));
    const clusterCache = new Store<ClusterSecretBackend>();
    clusterCache.set(clusterBackend('shared'));
    const rootsIn = (namespace: string, clusterResourceNamespace: string) => [
      ...trustRootsIn(
        {
          cache,
          clusterCache,
          clusterResourceNamespace,
          unlistedBackends,
          unparsed,
          kinds: BACKEND_KINDS,
        },
        namespace,
      ),
    ];
    const own = ['own', 'SecretBackend bao'];
    const shared = ['shared', 'ClusterSecretBackend bao'];
    expect(rootsIn('a', 'keyferry')).toEqual([own]);
    expect(rootsIn('keyferry', 'keyferry')).toEqual([shared]);
    expect(rootsIn('a', 'a')).toEqual([own, shared]);
    expect(rootsIn('b', 'keyferry')).toEqual([]);
  });

  it.each([
    ['a', 'keyferry', 'SecretBackend broken'],
    ['b', 'keyferry', undefined],
    ['keyferry', 'keyferry', 'ClusterSecretBackend shared'],
    ['b', 'b', 'ClusterSecretBackend shared'],
  ])(
    'is unknown in %s with shared Secrets in %s because of %s',
    (namespace, clusterResourceNamespace, title) => {
      const metadata = { uid: 'u', resourceVersion: '1' };
      const references = {
        cache: new Store<SecretBackend>(NAMESPACE_INDEX),
        clusterCache: new Store<ClusterSecretBackend>(),
        clusterResourceNamespace,
        unlistedBackends,
        unparsed: {
          backends: new Map([['a/broken', { ...metadata, name: 'broken', namespace: 'a' }]]),
          clusterBackends: new Map([['shared', { ...metadata, name: 'shared' }]]),
        },
        kinds: BACKEND_KINDS,
      };
      expect(unparsedBackendIn(references, namespace)).toBe(title);
    },
  );

  it('is unknown where the spec of a backend has a field of a newer version, which can refer to a Secret', () => {
    const cache = new Store<SecretBackend>(NAMESPACE_INDEX);
    cache.set(backend({ token: { secretRef: { name: 'held' } } }, { proxy: { secretRef: {} } }));
    const references = {
      cache,
      clusterCache: new Store<ClusterSecretBackend>(),
      clusterResourceNamespace: 'keyferry',
      unlistedBackends,
      unparsed,
      kinds: BACKEND_KINDS,
    };
    expect(unparsedBackendIn(references, 'a')).toBe('SecretBackend bao');
    expect(unparsedBackendIn(references, 'b')).toBeUndefined();
  });
});

describe('a Secret', () => {
  it.each([
    [true, 'keyferry', undefined],
    [false, 'keyferry', OPERATOR_MAY_NOT_LIST],
    [false, 'a', undefined],
  ])(
    'may be that of a backend which cannot be listed: may list %s, Secrets in %s',
    (mayList, namespace, expected) => {
      const references = {
        clusterResourceNamespace: 'keyferry',
        unlistedBackends: () => (mayList ? undefined : OPERATOR_MAY_NOT_LIST),
      };
      expect(unlistedBackendsIn(references, namespace)).toBe(expected);
    },
  );
});
