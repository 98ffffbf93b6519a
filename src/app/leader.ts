import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '#src/config/schema.ts';
import type { Rollouts } from '#src/controllers/rollout/rollouts.ts';
import type { Mandate } from '#src/ports.ts';
import type { Controller } from '#src/runtime/controller.ts';
import type { EventRecorder } from '#src/runtime/events.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import type { Lead } from '#src/runtime/lease.ts';
import type { Component } from '#src/runtime/manager.ts';
import { SliceWork } from '#src/runtime/slice-work.ts';
import { SharedLease } from '#src/runtime/shared-lease.ts';
import { Slices } from '#src/runtime/slices.ts';
import { Terms } from '#src/runtime/terms.ts';
import type { Base } from './base.ts';
import { loop } from './components.ts';

/** What this process may change, and which objects it works on. */
export interface Share {
  readonly mandate: Mandate;
  readonly work: SliceWork;
  /** Undefined without leader election. */
  readonly terms: Terms | undefined;
}

/** All slices, without leader election. */
export function createShare(config: Config, namespace: string): Share {
  if (!config.leaderElection) return { mandate: ALWAYS_HELD, work: new SliceWork(1, true), terms: undefined };
  const terms = new Terms(`Lease ${config.leaderElectionNamespace ?? namespace}/${config.leaseName}`);
  return { mandate: terms, work: new SliceWork(config.slices, false), terms };
}

/** Competes for the Leases of the operator. Undefined without leader election. */
export function createElection(base: Base, { terms, work }: Share): Slices | undefined {
  if (terms === undefined) return undefined;
  const { leaseName, slices: count } = base.config;
  return new Slices({ ...candidateOf(base), leaseName, count, terms, work });
}

/** What the controllers work on, and the lock of removals that all replicas share: undefined where only one replica works. */
export function controlledBy(
  base: Base,
  { terms, work }: Share,
): { readonly work: SliceWork; readonly removals: SharedLease | undefined } {
  const { leaseName, slices } = base.config;
  if (terms === undefined || slices === 1) return { work, removals: undefined };
  return { work, removals: new SharedLease({ ...candidateOf(base), name: `${leaseName}-removals`, terms }) };
}

/** With an identity that no other process has. */
function candidateOf({ client, clock, config, logger, metrics, namespace, random }: Base) {
  return {
    client,
    namespace: config.leaderElectionNamespace ?? namespace,
    identity: `${config.identity ?? hostname()}_${randomUUID()}`,
    clock,
    random,
    logger,
    metrics,
  };
}

/**
 * What only a replica does that holds a slice: controllers reconcile, workloads whose Secrets they changed restart, and the events of both leave.
 * They end in this order, so that the last restart and the last event are sent before the last lease is given back.
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

/** Works while this replica holds a slice, or always without an election. */
export function leaderLoop(election: Slices | undefined, lead: Lead): Component {
  return loop('controllers', async (signal) =>
    election === undefined ? lead(signal) : election.run(signal, lead),
  );
}
