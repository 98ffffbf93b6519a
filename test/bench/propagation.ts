import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { collect } from '#test/support/collect.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { kvData, kvMetadata } from '#test/support/queries.ts';
import { Tenant } from '#test/support/tenant.ts';

/*
 * How long a change waits that mode Sync carries over, with 1,000 documents in step and 20 changes a second: from the reply of the
 * server that was written to until the other one has the value. Beside it, what a client without any rules needs for the same on the
 * same servers: a read, a write, a read. Absolute figures are this machine's; compare the ratios.
 */

const SECRETS = Number(process.env['BENCH_SECRETS'] ?? 1_000);
const RATE = Number(process.env['BENCH_RATE'] ?? 20);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 60);
/** Migrations that share the Secrets, ten to a namespace. */
const MIGRATIONS = (process.env['BENCH_MIGRATIONS'] ?? '1,100').split(',').map(Number);
const WAYS = (process.env['BENCH_WAYS'] ?? 'secrets,paths').split(',');
/** For example --concurrent-migrations=16. */
const OPERATOR_ARGS = (process.env['BENCH_ARGS'] ?? '').split(' ').filter((arg) => arg !== '');
const PER_NAMESPACE = 10;
const INTERVAL_SECONDS = 5;
/** For what is still on its way when the last change was made. */
const DRAIN_MS = 60_000;
/** USER_HZ of Linux. */
const TICKS_PER_SECOND = 100;

/** One document, and what its value says: the number of the change. */
interface Place {
  readonly tenant: Tenant;
  readonly name: string;
}

interface Change {
  readonly place: Place;
  /** Grows. */
  readonly number: number;
  /** When the server had answered, milliseconds since the epoch. */
  readonly madeAt: number;
}

/** The two ways of a value. */
interface Way {
  readonly title: string;
  /** Of the migrations. */
  readonly spec: Parameters<typeof aMigration>[1];
  readonly write: (place: Place, number: number) => Promise<void>;
  /** What a client without rules does: resolves when the other side has the value. */
  readonly bare: (place: Place, number: number) => Promise<void>;
  /** Starts to note what arrives; the numbers and times are complete when the function that it resolves with was called. */
  readonly observe: (places: readonly Place[]) => Promise<() => Promise<Arrivals>>;
}

/** When the value with this number was there, by place. */
type Arrivals = ReadonlyMap<Place, readonly { readonly number: number; readonly at: number }[]>;

const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' };

function secretPath({ tenant, name }: Place): string {
  return `/api/v1/namespaces/${tenant.namespace}/secrets/${name}`;
}

async function writeSecret(place: Place, number: number): Promise<void> {
  const patch = { stringData: fieldsOf(number) };
  await place.tenant.cluster.kube('PATCH', secretPath(place), patch, MERGE_PATCH);
}

async function writePath({ name, tenant }: Place, number: number): Promise<void> {
  const data = fieldsOf(number);
  await tenant.cluster.bao('POST', `${tenant.mount}/data/${tenant.namespace}/${name}`, { data });
}

async function readSecret(place: Place): Promise<void> {
  await place.tenant.cluster.kube('GET', secretPath(place));
}

async function readPath({ name, tenant }: Place): Promise<void> {
  await kvData(tenant, `${tenant.namespace}/${name}`);
}

function fieldsOf(number: number): Record<string, string> {
  return { number: String(number), password: `${number}-`.padEnd(64, 'p') };
}

const secrets: Way = {
  title: 'Secrets → KV',
  spec: { mode: 'Sync', sync: { intervalSeconds: 3600 } },
  write: writeSecret,
  bare: async (place, number) => {
    await readSecret(place);
    await writePath(place, number);
    await readPath(place);
  },
  // The server keeps the time of each version: nothing has to look at it while it is measured.
  observe: async (places) =>
    Promise.resolve(async () => {
      const found = await collect(
        mapConcurrently(places, 16, async (place) => [place, await versionsOf(place)] as const),
      );
      return new Map(found);
    }),
};

async function versionsOf({ name, tenant }: Place): Promise<readonly { number: number; at: number }[]> {
  const path = `${tenant.namespace}/${name}`;
  const versions = Object.entries((await kvMetadata(tenant, path))?.versions ?? {});
  return collect(
    mapConcurrently(versions, 1, async ([version, { created_time: created }]) => {
      const { number } = await kvData(tenant, path, Number(version));
      return { number: Number(number), at: Date.parse(created) };
    }),
  );
}

const paths: Way = {
  title: `KV → Secrets, interval ${INTERVAL_SECONDS} s`,
  spec: {
    from: 'bao',
    to: 'kubernetes',
    select: { all: true },
    mode: 'Sync',
    sync: { intervalSeconds: INTERVAL_SECONDS },
  },
  write: writePath,
  bare: async (place, number) => {
    await readPath(place);
    await place.tenant.apply(aSecret(place.name, fieldsOf(number)));
    await readSecret(place);
  },
  observe: async (places) => {
    const tenants = [...new Set(places.map(({ tenant }) => tenant))];
    const seen = new Map(places.map((place) => [place, [] as { number: number; at: number }[]]));
    const byName = new Map(places.map((place) => [secretPath(place), place]));
    const look = async (): Promise<void> => {
      for (const tenant of tenants) {
        const all = await tenant.secrets();
        const at = Date.now();
        for (const { data, metadata } of all) {
          const place = byName.get(secretPath({ tenant, name: metadata.name }));
          const number = Number(Buffer.from(data?.['number'] ?? '', 'base64').toString());
          const list = place && seen.get(place);
          if (list !== undefined && list.at(-1)?.number !== number) list.push({ number, at });
        }
      }
    };
    await look();
    const timer = setInterval(() => void look(), 500);
    return async () => {
      clearInterval(timer);
      await look();
      return seen;
    };
  },
};

async function placesIn(cluster: Cluster, migrations: number, way: Way): Promise<readonly Place[]> {
  const each = Math.ceil(SECRETS / migrations);
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

/** `RATE` changes a second at random places; resolves when the last one was answered. */
async function edit(places: readonly Place[], work: Way['write']): Promise<readonly Change[]> {
  const changes: Change[] = [];
  const pending: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let number = 1; number <= RATE * SECONDS; number += 1) {
    const place = places[Math.floor(Math.random() * places.length)];
    if (place === undefined) throw new Error('there is no place');
    const waitMs = startedAt + (number * 1000) / RATE - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    pending.push(work(place, number).then(() => void changes.push({ place, number, madeAt: Date.now() })));
  }
  await Promise.all(pending);
  return changes;
}

/** Milliseconds of each change until its value, or a later one, was there; throws when one never arrived. */
function delaysOf(changes: readonly Change[], arrivals: Arrivals): readonly number[] | undefined {
  const delays = changes.map(({ place, number, madeAt }) => {
    const later = (arrivals.get(place) ?? []).filter((arrival) => arrival.number >= number);
    return Math.min(...later.map(({ at }) => at)) - madeAt;
  });
  return delays.every(Number.isFinite) ? delays.map((delay) => Math.max(0, delay)) : undefined;
}

interface Figures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function figuresOf(values: readonly number[]): Figures {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function shown({ max, p50, p99 }: Figures): string {
  return `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`;
}

async function bareFigures(places: readonly Place[], way: Way): Promise<Figures> {
  const delays: number[] = [];
  await edit(places, async (place, number) => {
    const startedAt = performance.now();
    await way.bare(place, number);
    delays.push(performance.now() - startedAt);
  });
  return figuresOf(delays);
}

function cpuSecondsOf({ pid }: OperatorProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '');
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  return ((user ?? 0) + (system ?? 0)) / TICKS_PER_SECOND;
}

async function measure(cluster: Cluster, migrations: number, way: Way): Promise<void> {
  const bare = await bareFigures(await placesIn(cluster, 1, way), way);
  await using operator = await startOperator(cluster, { logLevel: 'info', args: OPERATOR_ARGS });
  const places = await placesIn(cluster, migrations, way);
  await follow(places, way);
  const cpuBefore = cpuSecondsOf(operator);
  const stop = await way.observe(places);
  const changes = await edit(places, way.write);
  const cpu = (cpuSecondsOf(operator) - cpuBefore) / SECONDS;
  const until = Date.now() + DRAIN_MS;
  let delays: readonly number[] | undefined;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    delays = delaysOf(changes, await stop());
    if (delays !== undefined || Date.now() > until) break;
  }
  if (delays === undefined) throw new Error('a change never arrived');
  const own = figuresOf(delays);
  const waited = way === paths ? { ...own, p50: own.p50, p99: own.p99 - INTERVAL_SECONDS * 1000 } : own;
  console.log(`${way.title}, ${migrations} migrations of ${Math.ceil(SECRETS / migrations)}`);
  console.log(
    `  keyferry ${shown(own)}; CPU ${cpu.toFixed(2)} of a core; load ${loadavg()[0]?.toFixed(1) ?? ''}`,
  );
  console.log(`  bare     ${shown(bare)}`);
  console.log(
    `  ratio    p50 ${(waited.p50 / bare.p50).toFixed(1)}, p99 ${(waited.p99 / bare.p99).toFixed(1)}${
      way === paths ? ' (p99 without the interval)' : ''
    }`,
  );
}

console.log(`${SECRETS} documents, ${RATE} changes a second for ${SECONDS} s`);
for (const way of [secrets, paths].filter((_, index) => WAYS.includes(['secrets', 'paths'][index] ?? ''))) {
  for (const migrations of MIGRATIONS) {
    await using cluster = await startCluster();
    await cluster.installKeyferry();
    await measure(cluster, migrations, way);
  }
}
