import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Controller } from '#src/runtime/controller.ts';
import { LeaderElector } from '#src/runtime/lease.ts';
import type { Component } from '#src/runtime/manager.ts';
import type { Base } from './base.ts';
import { loop } from './components.ts';

/** Competes for the Lease of the operator, with an identity that no other process has. */
export function createElector(base: Base): LeaderElector {
  const { client, clock, config, logger, metrics, namespace, random } = base;
  return new LeaderElector({
    client,
    namespace: config.leaderElectionNamespace ?? namespace,
    name: config.leaseName,
    identity: `${config.identity ?? hostname()}_${randomUUID()}`,
    clock,
    random,
    logger,
    metrics,
  });
}

/** Controllers run only while this replica leads, or always without leader election. */
export function leaderLoop(
  { config }: Base,
  elector: LeaderElector,
  controllers: readonly Controller[],
): Component {
  const lead = async (leading: AbortSignal): Promise<void> => {
    await Promise.all(controllers.map(async (controller) => controller.run(leading)));
  };
  return loop('controllers', async (signal) =>
    config.leaderElection ? elector.run(signal, lead) : lead(signal),
  );
}
