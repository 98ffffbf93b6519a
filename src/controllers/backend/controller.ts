import { parseClusterSecretBackend, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { Logger } from '#src/ports.ts';
import { Controller, type ControllerOptions } from '#src/runtime/controller.ts';
import type { SliceWork } from '#src/runtime/slice-work.ts';
import { objectKey, type ReadonlyStore } from '#src/runtime/store.ts';
import type { Parsed } from '#src/schema/parse.ts';
import { PROBE_WORKERS } from '../queues.ts';
import { namespaceOf } from './names.ts';
import { BackendReconciler, type BackendReconcilerOptions } from './reconcile.ts';

const DEADLINE_MS = 60_000;

const PARSERS: Readonly<Record<Backend['kind'], (object: unknown) => Parsed<Backend>>> = {
  SecretBackend: parseSecretBackend,
  ClusterSecretBackend: parseClusterSecretBackend,
};

export type BackendControllerOptions = Required<
  Pick<ControllerOptions, 'queue' | 'waitingIntervalMs' | 'graceMs' | 'logger' | 'metrics' | 'tracer'>
> &
  Pick<ControllerOptions, 'handsOn'> & {
    /** Which backends this process works on. */
    readonly work: SliceWork;
    /** The backends of this scope. */
    readonly cache: ReadonlyStore<Backend>;
  };

/** The controller of the backends of one scope: those of all namespaces, or those of the cluster. */
export function createBackendController(
  scope: Backend['kind'],
  parts: Omit<BackendReconcilerOptions, 'kind' | 'parse' | 'publishes'>,
  options: BackendControllerOptions,
): Controller {
  const { cache, queue, work } = options;
  const publishes = (backend: Backend): boolean => work.holds(namespaceOf(backend));
  const reconciler = new BackendReconciler({ ...parts, kind: scope, parse: PARSERS[scope], publishes });
  return new Controller({
    ...options,
    name: scope.toLowerCase(),
    reconcile: work.guarded(async (key, context) => reconciler.reconcile(key, context), {
      keys: () => cache.keys(),
      wake: (key) => queue.add(key, 'low'),
      forget: (key) => {
        const backend = cache.get(key);
        if (backend !== undefined) retire(parts, backend, options.logger);
      },
      // Migrations of every replica use them: each probes them for itself, and one tells what it found.
      everywhere: scope === 'ClusterSecretBackend',
    }),
    workers: PROBE_WORKERS,
    deadlineMs: DEADLINE_MS,
    clock: parts.clock,
  });
}

/** What another replica works on holds neither connections nor logins here. */
function retire(
  { pool }: Pick<BackendReconcilerOptions, 'pool'>,
  { kind, metadata }: Backend,
  logger: Logger,
): void {
  if (kind === 'ClusterSecretBackend') return;
  const because = 'Another replica takes over the backends of this namespace.';
  pool.retire(metadata.uid, { because }).catch((failure: unknown) => {
    logger.error('closing a driver failed', failure, { backend: objectKey(metadata) });
  });
}
