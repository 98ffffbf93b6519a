import {
  ALL_NAMESPACES,
  asksToBeDefault,
  parseClusterSecretBackend,
  type Backend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { BackendRef, SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { hasCode, OperatorError, type ErrorCode } from '#src/errors.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import type { ReadonlyStore } from '#src/runtime/store.ts';
import { defaultOf, shortNameOf, titleOf } from './names.ts';
import { isReady } from '../conditions.ts';

export interface BackendLookupOptions {
  readonly backends: ObjectClient;
  readonly clusterBackends: ObjectClient;
  readonly cache: ReadonlyStore<SecretBackend>;
  readonly clusterCache: ReadonlyStore<ClusterSecretBackend>;
}

/** The two backends of a migration. */
export interface BackendPair {
  readonly source: Backend;
  readonly destination: Backend;
}

const OP = 'migration.backend';

/** Reads the backends of a migration from the API server; returns only those that it may use. */
export class BackendLookup {
  readonly #options: BackendLookupOptions;

  constructor(options: BackendLookupOptions) {
    this.#options = options;
  }

  /** True while a backend has no verdict on its current generation. The verdict wakes the migration; until then it waits. */
  awaitsProbe({ metadata, spec }: SecretMigration): boolean {
    return [spec.source.backendRef, spec.destination.backendRef].some((named) => {
      const ref = named ?? this.#defaultRef();
      const backend = ref && this.#cached(ref, metadata.namespace);
      return backend !== undefined && backend.status.observedGeneration !== backend.metadata.generation;
    });
  }

  /**
   * Both backends; they exist, allow the namespace of the migration and are Ready. Throws `BACKEND_NOT_FOUND`,
   * `BACKEND_FORBIDDEN`, `BACKEND_NOT_READY`, `DEFAULT_MISSING`, and `DEFAULT_CHANGED` if the default changed since the
   * migration started.
   */
  async find({ metadata, spec, status }: SecretMigration, signal: AbortSignal): Promise<BackendPair> {
    const find = async (role: 'source' | 'destination'): Promise<Backend> => {
      const { backendRef } = spec[role];
      const backend = await this.#find(backendRef, metadata.namespace, signal);
      const atStart = backendRef === undefined ? status.backends?.[role] : undefined;
      if (atStart !== undefined && atStart !== shortNameOf(backend)) {
        const detail = `The earlier default was ${atStart}.`;
        throw new OperatorError('DEFAULT_CHANGED', { op: OP, target: backend.metadata.name, detail });
      }
      return backend;
    };
    return { source: await find('source'), destination: await find('destination') };
  }

  /** The source in any condition; undefined if it does not exist or the namespace must not use it. */
  async findSource({ metadata, spec }: SecretMigration, signal: AbortSignal): Promise<Backend | undefined> {
    const { namespace } = metadata;
    const ref = spec.source.backendRef ?? this.#defaultRef();
    if (ref === undefined) return undefined;
    const failure = (code: ErrorCode): OperatorError => new OperatorError(code, { op: OP, target: ref.name });
    try {
      const backend = await this.#read(ref, { namespace, failure, signal });
      return mayUse(backend, namespace) ? backend : undefined;
    } catch (thrown) {
      if (hasCode(thrown, 'BACKEND_NOT_FOUND') || hasCode(thrown, 'BACKEND_NOT_READY')) return undefined;
      throw thrown;
    }
  }

  async #find(named: BackendRef | undefined, namespace: string, signal: AbortSignal): Promise<Backend> {
    const ref = named ?? this.#defaultRef();
    if (ref === undefined) throw new OperatorError('DEFAULT_MISSING', { op: OP });
    const failure = (code: ErrorCode): OperatorError =>
      new OperatorError(code, { op: OP, target: titleOf({ ...ref, namespace }) });
    const backend = await this.#read(ref, { namespace, failure, signal });
    if (!mayUse(backend, namespace)) throw failure('BACKEND_FORBIDDEN');
    if (named === undefined && !asksToBeDefault(backend)) throw failure('DEFAULT_MISSING');
    if (!isReady(backend)) throw failure('BACKEND_NOT_READY');
    return backend;
  }

  async #read(
    { kind, name }: BackendRef,
    context: {
      readonly namespace: string;
      readonly failure: (code: ErrorCode) => OperatorError;
      readonly signal: AbortSignal;
    },
  ): Promise<Backend> {
    const { failure, namespace, signal } = context;
    const isCluster = kind === 'ClusterSecretBackend';
    const { backends, clusterBackends } = this.#options;
    const object = await (isCluster
      ? clusterBackends.get({ name }, signal)
      : backends.get({ namespace, name }, signal));
    if (object === undefined) throw failure('BACKEND_NOT_FOUND');
    const parsed = isCluster ? parseClusterSecretBackend(object) : parseSecretBackend(object);
    if (!parsed.ok) throw failure('BACKEND_NOT_READY');
    return parsed.value;
  }

  #defaultRef(): BackendRef | undefined {
    const backend = defaultOf(this.#options.clusterCache.values());
    return backend && { kind: backend.kind, name: backend.metadata.name };
  }

  #cached({ kind, name }: BackendRef, namespace: string): Backend | undefined {
    const { cache, clusterCache } = this.#options;
    return kind === 'SecretBackend' ? cache.get(`${namespace}/${name}`) : clusterCache.get(name);
  }
}

/** A SecretBackend was read from the namespace itself; a ClusterSecretBackend lists the namespaces that may use it. */
export function mayUse(backend: Backend, namespace: string): boolean {
  if (backend.kind === 'SecretBackend') return true;
  const { allowedNamespaces } = backend.spec;
  return allowedNamespaces.includes(namespace) || allowedNamespaces.includes(ALL_NAMESPACES);
}
