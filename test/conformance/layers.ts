import type { GuardOptions } from '#src/backends/layers/guard.ts';
import type { LayerOptions } from '#src/backends/registry.ts';
import type { AccessLog, AccessRecord, Accessor } from '#src/ports.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { noMetrics } from './kube-client.ts';

/** A guard that retries at once. */
export const GUARD: GuardOptions = {
  clock: systemClock,
  random: () => 0,
  metrics: noMetrics,
  deadlineMs: 60_000,
};

/** Names that no namespace may use. */
export const RESERVED = [{ prefix: 'sys_', allowNamespaces: [] }];

export function accessorOf(namespace: string): Accessor {
  return {
    migration: { namespace, name: 'move', uid: 'u' },
    backend: { kind: 'ClusterSecretBackend', name: 'shared' },
  };
}

/** An access log that keeps its records. */
export class KeptRecords implements AccessLog {
  readonly records: AccessRecord[] = [];

  async record(record: AccessRecord): Promise<void> {
    this.records.push(record);
    await Promise.resolve();
  }
}

/** All layers, as in the operator. */
export function allLayers(accessLog: AccessLog): LayerOptions {
  return { guard: GUARD, accessLog };
}
