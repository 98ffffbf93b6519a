import { parseClusterSecretBackend, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { Controller, type ControllerOptions } from '#src/runtime/controller.ts';
import type { Parsed } from '#src/schema/parse.ts';
import { PROBE_WORKERS } from '../queues.ts';
import { BackendReconciler, type BackendReconcilerOptions } from './reconcile.ts';

const DEADLINE_MS = 60_000;

const PARSERS: Readonly<Record<Backend['kind'], (object: unknown) => Parsed<Backend>>> = {
  SecretBackend: parseSecretBackend,
  ClusterSecretBackend: parseClusterSecretBackend,
};

export type BackendControllerOptions = Required<
  Pick<ControllerOptions, 'queue' | 'waitingIntervalMs' | 'graceMs' | 'logger' | 'metrics' | 'tracer'>
> &
  Pick<ControllerOptions, 'handsOn'>;

/** The controller of the backends of one scope: those of all namespaces, or those of the cluster. */
export function createBackendController(
  scope: Backend['kind'],
  parts: Omit<BackendReconcilerOptions, 'kind' | 'parse'>,
  options: BackendControllerOptions,
): Controller {
  const reconciler = new BackendReconciler({ ...parts, kind: scope, parse: PARSERS[scope] });
  return new Controller({
    ...options,
    name: scope.toLowerCase(),
    reconcile: async (key, context) => reconciler.reconcile(key, context),
    workers: PROBE_WORKERS,
    deadlineMs: DEADLINE_MS,
    clock: parts.clock,
  });
}
