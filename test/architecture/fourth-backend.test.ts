import { describe, expect, it, vi } from 'vitest';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { clusterSecretBackendSchemaOf } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend, secretBackendSchemaOf } from '#src/api/v1alpha1/secret-backend.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { MEMORY } from '#src/backends/memory/definition.ts';
import type { BackendFactory } from '#src/backends/factory.ts';
import { BackendRegistry } from '#src/backends/registry.ts';
import { memberOf } from '#src/backends/kind.ts';
import { DriverPool } from '#src/controllers/backend/pool.ts';
import { trustRootsOf } from '#src/controllers/backend/trust-root.ts';
import { connectWatches, type Watches } from '#src/controllers/watches.ts';
import { crdOf, structuralSchemaOf } from '#src/generate/crd.ts';
import { generatedFiles } from '#src/generate/generate.ts';
import { kindDefinitionsOf } from '#src/generate/kind-definitions.ts';
import type { ChangeListener } from '#src/runtime/change-feed.ts';
import { Store } from '#src/runtime/store.ts';
import { PrometheusMetrics } from '#src/telemetry/metrics.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { parseWith } from '#src/schema/parse.ts';

/** What ships and one more: all that adding a kind of backend takes. */
const KINDS = [...BACKEND_KINDS, MEMORY];

const SPEC = { type: 'memory', memory: { secretRef: { name: 'held' } } };

function manifest(kind: Backend['kind'], spec: object) {
  const metadata = { name: 'm', namespace: 'a', uid: 'u', resourceVersion: '1', generation: 1 };
  return { apiVersion: 'keyferry.io/v1alpha1', kind, metadata, spec };
}

function parsed(kind: Backend['kind'], spec: object): Backend {
  const schemaOf = kind === 'SecretBackend' ? secretBackendSchemaOf : clusterSecretBackendSchemaOf;
  const result = parseWith(schemaOf(KINDS), manifest(kind, spec));
  if (!result.ok) throw new Error(result.problems.join('; '));
  return result.value;
}

describe('a fourth kind of backend', () => {
  it('is an API type with a member, defaults and the rule of the others', () => {
    const { spec } = parsed('SecretBackend', SPEC);
    expect(memberOf(MEMORY, spec)).toEqual({ secretRef: { name: 'held', key: 'token' } });
    const rule = 'set exactly the field that type names: kubernetes, openbao, directory or memory';
    expect(() => parsed('SecretBackend', { type: 'memory', kubernetes: {} })).toThrow(rule);
    expect(() => parsed('SecretBackend', { ...SPEC, kubernetes: {} })).toThrow(rule);
  });

  it('is in the CRDs of both scopes', () => {
    const backends = kindDefinitionsOf(KINDS).slice(0, 2);
    expect(backends.map((definition) => structuralSchemaOf(definition).properties?.['spec'])).toEqual(
      backends.map(() =>
        expect.objectContaining({
          properties: expect.objectContaining({
            type: expect.objectContaining({ enum: ['kubernetes', 'openbao', 'directory', 'memory'] }),
            memory: expect.objectContaining({ description: MEMORY.summary }),
          }),
          'x-kubernetes-validations': [
            expect.objectContaining({
              rule: expect.stringMatching(/ && has\(self\.memory\) == \(self\.type == 'memory'\)$/),
            }),
          ],
        }),
      ),
    );
  });

  it('brings its columns', () => {
    const column = {
      name: 'Size',
      type: 'integer',
      jsonPath: '.spec.memory.size',
      description: 'Size.',
    } as const;
    const [backend] = kindDefinitionsOf([...BACKEND_KINDS, { ...MEMORY, columns: [column] }]);
    const columns = backend && crdOf(backend).spec.versions[0]?.additionalPrinterColumns;
    expect(columns?.map(({ name }) => name)).toEqual([
      'Ready',
      'Status',
      'Type',
      'Address',
      'Size',
      'Server',
      'Message',
      'Age',
    ]);
  });

  it('is opened by its factory, and unknown without it', () => {
    const create = vi.fn<BackendFactory['create']>(() => {
      throw new Error('opened');
    });
    const definition = {
      title: 'SecretBackend a/m',
      spec: parsed('SecretBackend', SPEC).spec,
      backend: { kind: 'SecretBackend', namespace: 'n', name: 'b' },
      credentialsNamespace: 'a',
      tenant: 'a',
    };
    expect(() => new BackendRegistry([{ kind: 'memory', create }], LAYERS).open(definition)).toThrow(
      'opened',
    );
    expect(() => new BackendRegistry([], LAYERS).open(definition)).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID' }),
    );
  });

  it.each(['SecretBackend', 'ClusterSecretBackend'] as const)(
    'keeps the Secrets of a %s from every migration',
    (kind) => {
      expect([...trustRootsOf([parsed(kind, SPEC)], KINDS)]).toEqual([['held', `${kind} m`]]);
    },
  );

  it.each([
    ['SecretBackend', 'a', 'backends', 'a/m'],
    ['ClusterSecretBackend', 'shared', 'clusterBackends', 'm'],
  ] as const)(
    'of the scope %s is reopened when its Secret changes, and by no other',
    (kind, namespace, queue, key) => {
      const rig = aRig(parsed(kind, SPEC));
      rig.secretChanged('other', namespace);
      rig.secretChanged('held', 'elsewhere');
      expect(rig.woken()).toEqual([]);
      expect(rig.retire).not.toHaveBeenCalled();
      rig.secretChanged('held', namespace);
      expect(rig.woken()).toEqual([`${queue} ${key}`]);
      expect(rig.retire).toHaveBeenCalledWith('u', { because: expect.stringContaining('The Secret ') });
    },
  );

  it('does not ship', () => {
    expect([...generatedFiles().values()].filter((content) => content.includes(MEMORY.summary))).toEqual([]);
    expect(parseSecretBackend(manifest('SecretBackend', SPEC)).ok).toBe(false);
  });
});

const LAYERS = {
  guard: { clock: new ManualClock(), random: () => 0.5, metrics: new PrometheusMetrics(), deadlineMs: 1_000 },
};

/** The watches around caches that hold this one backend. */
function aRig(backend: Backend) {
  const listeners: ChangeListener[] = [];
  const woken: string[] = [];
  const informer = (objects: readonly Backend[]) => {
    const store = new Store<Backend>({
      namespace: ({ metadata }) => ['namespace' in metadata ? metadata.namespace : ''],
    });
    for (const object of objects) store.set(object);
    return { store, addHandler: () => undefined };
  };
  const queue = (name: string) => ({ add: (key: string) => woken.push(`${name} ${key}`) });
  const pool = new DriverPool({
    registry: new BackendRegistry([], LAYERS),
    clusterResourceNamespace: 'shared',
    closedNamespaces: [],
    kinds: KINDS,
  });
  const retire = vi.spyOn(pool, 'retire');
  const backends = informer(backend.kind === 'SecretBackend' ? [backend] : []);
  const clusterBackends = informer(backend.kind === 'SecretBackend' ? [] : [backend]);
  const watches = {
    migrations: informer([]),
    backends,
    clusterBackends,
    secrets: { addListener: (listener: ChangeListener) => listeners.push(listener) },
    queues: { backends: queue('backends'), clusterBackends: queue('clusterBackends') },
    references: {
      cache: backends.store,
      clusterCache: clusterBackends.store,
      clusterResourceNamespace: 'shared',
      kinds: KINDS,
    },
    pool,
    following: { onSecret: () => undefined },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the parts that a change of a Secret reaches
  connectWatches(watches as unknown as Watches);
  return {
    retire,
    woken: () => woken,
    secretChanged: (name: string, namespace: string) => {
      const changed = { metadata: { name, namespace, uid: name, resourceVersion: '2' } };
      for (const listener of listeners) listener.changed(changed, true);
    },
  };
}
