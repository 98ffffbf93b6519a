import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '#src/config/schema.ts';
import type { Rollouts } from '#src/controllers/rollout/rollouts.ts';
import type { Clock } from '#src/ports.ts';
import type { Controller } from '#src/runtime/controller.ts';
import type { EventRecorder } from '#src/runtime/events.ts';
import { Leadership } from '#src/runtime/leadership.ts';
import { LeaderElector, type Lead } from '#src/runtime/lease.ts';
import type { Component } from '#src/runtime/manager.ts';
import type { Base } from './base.ts';
import { loop } from './components.ts';

/** The term of this process as the leader; undefined without leader election. */
export function createLeadership(config: Config, clock: Clock, namespace: string): Leadership | undefined {
  if (!config.leaderElection) return undefined;
  const target = `Lease ${config.leaderElectionNamespace ?? namespace}/${config.leaseName}`;
  return new Leadership({ clock, target });
}

/** Competes for the Lease of the operator, with an identity that no other process has. */
export function createElector(base: Base, leadership: Leadership): LeaderElector {
  const { client, clock, config, logger, metrics, namespace, random } = base;
  return new LeaderElector({
    client,
    namespace: config.leaderElectionNamespace ?? namespace,
    name: config.leaseName,
    identity: `${config.identity ?? hostname()}_${randomUUID()}`,
    leadership,
    clock,
    random,
    logger,
    metrics,
  });
}

/**
 * What only the leader does: controllers reconcile, workloads whose Secrets they changed restart, and the events of both leave.
 * They end in this order, so that the last restart and the last event are sent before the lease is given back.
 */
export function leadWith(
  controllers: readonly Controller[],
  rollouts: Rollouts,
  events: EventRecorder,
): Lead {
  return async (leading) => {
    await using _sending = running(async (signal) => events.run(signal), leading);
    await using _restarting = running(async (signal) => rollouts.run(signal), leading);
    await Promise.all(controllers.map(async (controller) => controller.run(leading)));
  };
}

/** Runs until it is disposed of; then it ends with the reason of `leading`. */
function running(run: (signal: AbortSignal) => Promise<void>, leading: AbortSignal): AsyncDisposable {
  const stop = new AbortController();
  const done = run(stop.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort(leading.reason);
      await done;
    },
  };
}

/** Works while this replica leads, or always without an elector. */
export function leaderLoop(elector: LeaderElector | undefined, lead: Lead): Component {
  return loop('controllers', async (signal) =>
    elector === undefined ? lead(signal) : elector.run(signal, lead),
  );
}
