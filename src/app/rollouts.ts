import type { WorkloadKind } from '#src/controllers/rollout/restarts.ts';
import { Rollouts, type RolloutsOptions } from '#src/controllers/rollout/rollouts.ts';
import type { EventSink } from '#src/ports.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import type { Base } from './base.ts';

/** Restarts of workloads, with the workloads of the API server; `run` belongs to the leader, after its controllers. */
export function createRollouts(
  {
    client,
    clock,
    logger,
    metrics,
    random,
  }: Pick<Base, 'client' | 'clock' | 'logger' | 'metrics' | 'random'>,
  events: EventSink,
  window?: RolloutsOptions['window'],
): Rollouts {
  const objects = (kind: WorkloadKind): ObjectClient =>
    new ObjectClient(client, {
      group: 'apps',
      version: 'v1',
      plural: `${kind.toLowerCase()}s`,
      kind,
      namespaced: true,
    });
  return new Rollouts({
    workloads: {
      Deployment: objects('Deployment'),
      StatefulSet: objects('StatefulSet'),
      DaemonSet: objects('DaemonSet'),
    },
    events,
    clock,
    random,
    logger,
    metrics,
    ...(window === undefined ? {} : { window }),
  });
}
