import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { collect } from '#test/support/collect.ts';
import { startOperator } from '#test/support/operator-process.ts';
import { Tenant } from '#test/support/tenant.ts';
import { figuresOf, type Figures } from '../statistics.ts';
import { cpuSecondsOf, peakMiBOf } from '../usage.ts';
import { fieldsOf, paths, secretPath, writePath, type Arrivals, type Place, type Way } from './ways.ts';

const PER_NAMESPACE = 10;
/** For what is still on its way when the last change was made. */
const DRAIN_MS = 60_000;
const DRAIN_POLL_MS = 2_000;

export interface Load {
  /** In step. */
  readonly documents: number;
  /** That share them, ten to a namespace. */
  readonly migrations: number;
  /** Changes a second, and for how many seconds. */
  readonly rate: number;
  readonly seconds: number;
  readonly operatorArgs?: readonly string[];
}

interface Change {
  readonly place: Place;
  /** Grows. */
  readonly number: number;
  /** When the server had answered, milliseconds since the epoch. */
  readonly madeAt: number;
}

export interface Propagation {
  /** Milliseconds from the reply to a change until the other side had it. */
  readonly ours: Figures;
  /** Of a client without any rules: a read, a write, a read. */
  readonly bare: Figures;
  /** Of the operator: a part of a core. */
  readonly cpu: number;
  readonly peakMiB: number;
}

/** Changes at random places in one way, in a cluster without other objects; throws when a change never arrives. */
export async function measurePropagation(cluster: Cluster, way: Way, load: Load): Promise<Propagation> {
  const bare = await bareFigures(await placesIn(cluster, { ...load, migrations: 1 }, way), way, load);
  const args = load.operatorArgs ?? [];
  await using operator = await startOperator(cluster, { logLevel: 'info', args });
  const places = await placesIn(cluster, load, way);
  await follow(places, way);
  const cpuBefore = cpuSecondsOf(operator);
  const stop = await way.observe(places);
  const changes = await edit(places, way.write, load);
  const cpu = (cpuSecondsOf(operator) - cpuBefore) / load.seconds;
  const ours = figuresOf(await allDelays(changes, stop));
  return { ours, bare, cpu, peakMiB: peakMiBOf(operator) };
}

async function allDelays(
  changes: readonly Change[],
  arrivals: () => Promise<Arrivals>,
): Promise<readonly number[]> {
  const until = Date.now() + DRAIN_MS;
  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    const delays = delaysOf(changes, await arrivals());
    if (delays !== undefined) return delays;
  }
  throw new Error(`a change had not arrived ${DRAIN_MS / 1000} s after the last one`);
}

async function placesIn(
  cluster: Cluster,
  { documents, migrations }: Load,
  way: Way,
): Promise<readonly Place[]> {
  const each = Math.ceil(documents / migrations);
  const places: Place[] = [];
  for (let first = 0; first < migrations; first += PER_NAMESPACE) {
    const tenant = await Tenant.create(cluster);
    for (let index = first; index < Math.min(migrations, first + PER_NAMESPACE); index += 1)
      for (let document = 0; document < each; document += 1)
        places.push({ tenant, name: `m${index}-${String(document).padStart(4, '0')}` });
  }
  await collect(mapConcurrently(places, 16, async (place) => prepare(place, way)));
  return places;
}

async function prepare(place: Place, way: Way): Promise<void> {
  if (way === paths) return writePath(place, 0);
  const path = secretPath(place).replace(/\/[^/]*$/, '');
  await place.tenant.cluster.kube('POST', path, aSecret(place.name, fieldsOf(0)));
}

async function follow(places: readonly Place[], way: Way): Promise<void> {
  const migrations = new Map(places.map(({ name, tenant }) => [name.replace(/-.*/, ''), tenant]));
  for (const [name, tenant] of migrations) {
    const select = { prefix: `${name}-` };
    await tenant.apply(aMigration(name, { ...way.spec, select }));
  }
  for (const [name, tenant] of migrations)
    await tenant.untilReady(name, { status: 'True', reason: 'Synced' }, 300_000);
}

/** Changes at random places; resolves when the last one was answered. */
async function edit(
  places: readonly Place[],
  work: Way['write'],
  { rate, seconds }: Load,
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  const pending: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let number = 1; number <= rate * seconds; number += 1) {
    const place = places[Math.floor(Math.random() * places.length)];
    if (place === undefined) throw new Error('there is no place');
    const waitMs = startedAt + (number * 1000) / rate - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    pending.push(work(place, number).then(() => void changes.push({ place, number, madeAt: Date.now() })));
  }
  await Promise.all(pending);
  return changes;
}

/** Milliseconds of each change until its value, or a later one, was there; undefined while one is on its way. */
function delaysOf(changes: readonly Change[], arrivals: Arrivals): readonly number[] | undefined {
  const delays = changes.map(({ place, number, madeAt }) => {
    const later = (arrivals.get(place) ?? []).filter((arrival) => arrival.number >= number);
    return Math.min(...later.map(({ at }) => at)) - madeAt;
  });
  return delays.every(Number.isFinite) ? delays.map((delay) => Math.max(0, delay)) : undefined;
}

async function bareFigures(places: readonly Place[], way: Way, load: Load): Promise<Figures> {
  const delays: number[] = [];
  await edit(
    places,
    async (place, number) => {
      const startedAt = performance.now();
      await way.bare(place, number);
      delays.push(performance.now() - startedAt);
    },
    load,
  );
  return figuresOf(delays);
}
