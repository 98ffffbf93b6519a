import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '#test/cluster/cluster.ts';
import type { ServerName } from '#test/cluster/state.ts';
import type { Fleet } from './fleet.ts';

/** Milliseconds between two disturbances, at least and at most. */
const CALM_MS = { from: 3_000, to: 12_000 } as const;

/** Something that the model did to the operators or the servers. */
export interface Disturbance {
  readonly what: string;
  /** Milliseconds of the wall clock; `to` once all runs again. */
  readonly from: number;
  to: number;
}

interface Means {
  readonly cluster: Cluster;
  readonly fleet: Fleet;
  readonly random: (below: number) => number;
}

type Blow = (means: Means) => Promise<void>;

const OPERATORS: Readonly<Record<string, Blow>> = {
  'kill the leader': async ({ fleet }) => {
    await (await fleet.leader()).kill();
  },
  'kill the leader while it is busy': async ({ fleet, random }) => {
    const leader = await fleet.leader();
    await sleep(random(1_000));
    await leader.kill();
  },
  'stop the leader': async ({ fleet }) => {
    await (await fleet.leader()).stop();
  },
  'freeze the leader': async ({ fleet }) => {
    const leader = await fleet.leader();
    await leader.pause();
    await fleet.otherThan(leader).finally(() => leader.resume());
    await leader.exited;
  },
};

/** The leader survives these: they come while its memory is measured. */
const SERVERS: Readonly<Record<string, Blow>> = {
  'restart the KV server': async ({ cluster }) => restart(cluster, 'bao'),
  'restart etcd': async ({ cluster }) => restart(cluster, 'etcd'),
  'kill a standby': async ({ fleet }) => {
    await fleet.standbyOf(await fleet.leader())?.kill();
  },
};

/** On a slow machine the lease can run out before the API server answers again. */
const API_SERVER: Readonly<Record<string, Blow>> = {
  'restart the API server': async ({ cluster }) => restart(cluster, 'apiserver'),
  'restart the KV server and the API server': async ({ cluster }) => {
    await Promise.all([restart(cluster, 'bao'), restart(cluster, 'apiserver')]);
  },
};

async function restart(cluster: Cluster, name: ServerName): Promise<void> {
  await cluster.restart(name);
}

/** Disturbs operators and servers, one at a time, and knows when it did. */
export class Chaos {
  readonly disturbances: Disturbance[] = [];
  readonly #means: Means;

  constructor(means: Means) {
    this.#means = means;
  }

  /** Until `signal`; `withOperators` says whether the leader may be hurt now. */
  async run(signal: AbortSignal, withOperators: () => boolean): Promise<void> {
    while (!signal.aborted) {
      const calm = CALM_MS.from + this.#means.random(CALM_MS.to - CALM_MS.from);
      await sleep(calm, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const blows = Object.entries(withOperators() ? { ...OPERATORS, ...API_SERVER, ...SERVERS } : SERVERS);
      const [what, blow] = blows[this.#means.random(blows.length)] ?? [];
      if (what !== undefined && blow !== undefined) await this.#strike(what, blow);
    }
  }

  /** What was disturbed between these moments, milliseconds of the wall clock; undefined if nothing was. */
  disturbanceBetween(from: number, to: number): string | undefined {
    return this.disturbances.find((each) => each.from <= to && each.to >= from)?.what;
  }

  counts(): string {
    const counts = new Map<string, number>();
    for (const { what } of this.disturbances) counts.set(what, (counts.get(what) ?? 0) + 1);
    return [...counts].map(([what, count]) => `${what} ${count}`).join(', ');
  }

  async #strike(what: string, blow: Blow): Promise<void> {
    const disturbance: Disturbance = { what, from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.disturbances.push(disturbance);
    await blow(this.#means);
    await this.#means.fleet.leader();
    disturbance.to = Date.now();
  }
}
