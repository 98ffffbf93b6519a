import {
  ALL_NAMESPACES,
  asksToBeDefault,
  parseClusterSecretBackend,
  type Backend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { CONDITION_REASONS, isConditionReason } from '#src/api/v1alpha1/conditions.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { BackendRef, SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { hasCode, OperatorError, type ErrorCode } from '#src/errors.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import type { Condition } from '#src/schema/meta.ts';
import type { ReadonlyStore } from '#src/runtime/store.ts';
import { defaultOf, namespaceOf, shortNameOf, titleOf } from './names.ts';
import { isReady, readyOf } from '../conditions.ts';
import { unknownFieldsProblem } from '../unknown-fields.ts';

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

  /** True while the watch shows both backends as Ready. */
  areReady({ metadata, spec }: SecretMigration): boolean {
    return [spec.source.backendRef, spec.destination.backendRef].every((named) => {
      const ref = named ?? this.#defaultRef();
      const backend = ref && this.#cached(ref, metadata.namespace);
      return backend !== undefined && isReady(backend);
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
    // Side by side: each change that mode Sync follows waits for them.
    const [source, destination] = await Promise.allSettled([find('source'), find('destination')]);
    if (source.status === 'rejected') throw source.reason;
    if (destination.status === 'rejected') throw destination.reason;
    return { source: source.value, destination: destination.value };
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
    const failure = (code: ErrorCode, detail?: string): OperatorError =>
      new OperatorError(code, {
        op: OP,
        target: titleOf({ ...ref, namespace }),
        ...(detail === undefined ? {} : { detail: `${detail}.` }),
      });
    const backend = await this.#read(ref, { namespace, failure, signal });
    if (!mayUse(backend, namespace)) throw failure('BACKEND_FORBIDDEN');
    if (named === undefined && !asksToBeDefault(backend)) throw failure('DEFAULT_MISSING');
    if (!isReady(backend)) throw notReady(backend);
    return backend;
  }

  async #read(
    { kind, name }: BackendRef,
    context: {
      readonly namespace: string;
      readonly failure: (code: ErrorCode, detail?: string) => OperatorError;
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
    if (!parsed.ok)
      throw failure('BACKEND_NOT_READY', isCluster ? undefined : parsed.problems.slice(0, 3).join('; '));
    const problem = unknownFieldsProblem(parsed.value);
    if (problem !== undefined) throw failure('BACKEND_NOT_READY', isCluster ? undefined : problem);
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

/**
 * Why it is not Ready. The message of a ClusterSecretBackend can name Secrets of the administrator, so a migration of a tenant
 * gets what its reason means, and no more.
 */
function notReady(backend: Backend): OperatorError {
  const { kind, metadata } = backend;
  const namespace = namespaceOf(backend) ?? '';
  const ready = readyOf(backend.status);
  const isJudged = ready?.observedGeneration === metadata.generation;
  const detail = !isJudged || ready === undefined ? 'It is not probed yet.' : causeIn(ready, kind);
  const target = titleOf({ kind, namespace, name: metadata.name });
  const hint =
    kind === 'SecretBackend'
      ? 'The migration goes on by itself once the backend is Ready.'
      : 'An administrator finds the cause in its conditions; the migration goes on by itself.';
  return new OperatorError('BACKEND_NOT_READY', { op: OP, target, detail, hint });
}

function causeIn({ reason, message }: Condition, kind: Backend['kind']): string {
  if (kind === 'SecretBackend') return `${reason}: ${message}`;
  const meaning = isConditionReason(reason) ? CONDITION_REASONS[reason] : undefined;
  return meaning === undefined ? `${reason}.` : `${reason}: ${meaning}`;
}

/** A SecretBackend was read from the namespace itself; a ClusterSecretBackend lists the namespaces that may use it. */
export function mayUse(backend: Backend, namespace: string): boolean {
  if (backend.kind === 'SecretBackend') return true;
  const { allowedNamespaces } = backend.spec;
  return allowedNamespaces.includes(namespace) || allowedNamespaces.includes(ALL_NAMESPACES);
}
