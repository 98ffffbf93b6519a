import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { collect } from '#test/support/collect.ts';
import { eventually } from '#test/support/eventually.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import { Tenant } from '#test/support/tenant.ts';
import { median } from './statistics.ts';

/*
 * What a restart costs with many migrations in step, each of ten Secrets, in a few namespaces: requests of each migration at
 * both servers, the time until each had its pass, and how long edits take that are made meanwhile, beside the same edits
 * in quiet. Absolute figures are this machine's; compare the ratios.
 */

const MIGRATIONS = Number(process.env['BENCH_MIGRATIONS'] ?? 200);
const SECRETS_EACH = Number(process.env['BENCH_SECRETS_EACH'] ?? 10);
const NAMESPACES = Number(process.env['BENCH_NAMESPACES'] ?? 10);
const EDITS = Number(process.env['BENCH_EDITS'] ?? 20);
const IN_FLIGHT = 16;
const DEADLINE = { deadlineMs: 600_000 };
/** Longer than the bench: polls are not what it measures. */
const INTERVAL_SECONDS = 3_600;

interface Servers {
  readonly api: RecordingProxy;
  readonly bao: RecordingProxy;
}

/** One migration of one tenant. */
interface Synced {
  readonly tenant: Tenant;
  readonly name: string;
}

const secretsOf = (name: string): readonly string[] =>
  Array.from({ length: SECRETS_EACH }, (_, index) => `${name}-${String(index).padStart(2, '0')}`);

async function populate(cluster: Cluster, address: string): Promise<readonly Synced[]> {
  const tenants: Tenant[] = [];
  for (let index = 0; index < NAMESPACES; index += 1) tenants.push(await Tenant.create(cluster, { address }));
  const all = Array.from({ length: MIGRATIONS }, (_, index) => ({
    tenant: tenants[index % tenants.length],
    name: `m${String(index).padStart(4, '0')}`,
  })).flatMap(({ name, tenant }) => (tenant === undefined ? [] : [{ name, tenant }]));
  await collect(
    mapConcurrently(all, IN_FLIGHT, async ({ name, tenant }) => {
      for (const secret of secretsOf(name)) await tenant.apply(aSecret(secret, { k: '0' }));
      const select = { prefix: `${name}-` };
      await tenant.apply(
        aMigration(name, { mode: 'Sync', select, sync: { intervalSeconds: INTERVAL_SECONDS } }),
      );
    }),
  );
  return all;
}

/** The passes that the operator has ended, whatever they found. */
async function passesOf(operator: OperatorProcess): Promise<number> {
  const lines = (await operator.metrics()).matchAll(
    /^keyferry_sync_runs_total\{task="pass",result="(?:carried|unchanged)"\} (\d+)$/gm,
  );
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}

async function allPassed(operator: OperatorProcess, startedAt: number): Promise<number> {
  await eventually('every pass has ended', async () => (await passesOf(operator)) >= MIGRATIONS, DEADLINE);
  return (performance.now() - startedAt) / 1000;
}

/** Milliseconds from the edit of a Secret until its value is in the KV store. */
async function editTakes({ name, tenant }: Synced, value: string): Promise<number> {
  const secret = `${name}-00`;
  const startedAt = performance.now();
  await tenant.apply(aSecret(secret, { k: value }));
  await eventually(
    `the edit of ${secret} arrives`,
    async () => {
      const path = `${tenant.mount}/data/${tenant.namespace}/${secret}`;
      const { data } = await tenant.cluster.bao<{ data: { data: { k?: string } } }>('GET', path);
      return data.data.k === value;
    },
    DEADLINE,
  );
  return performance.now() - startedAt;
}

/** The migrations whose Secrets are edited: the last ones of the list that a start begins with. */
async function editLatency(all: readonly Synced[], value: string): Promise<number> {
  const times: number[] = [];
  for (const synced of all.slice(-EDITS)) times.push(await editTakes(synced, value));
  return median(times);
}

/** By method and the end of the path: `GET secretmigrations/*`. */
function summary(requests: readonly RecordedRequest[]): string {
  const counts = new Map<string, number>();
  for (const { method, path } of requests) {
    const kind = path
      .replace(/\?.*$/, '')
      .replace(/^.*\/namespaces\/[^/]+\//, '')
      .replace(/^\/v1\/kv[^/]*\//, '')
      .replaceAll(/(m\d{4}[\w.-]*|tenant-[\w-]+)/g, '*');
    counts.set(`${method} ${kind}`, (counts.get(`${method} ${kind}`) ?? 0) + 1);
  }
  return [...counts]
    .toSorted(([, left], [, right]) => right - left)
    .slice(0, 12)
    .map(([kind, count]) => `${(count / MIGRATIONS).toFixed(2).padStart(10)}  ${kind}`)
    .join('\n');
}

async function restart(
  cluster: Cluster,
  { api }: Servers,
): Promise<{ readonly operator: OperatorProcess; readonly at: number }> {
  const operator = await startOperator(cluster, { apiserverUrl: api.url, logLevel: 'info' });
  return { operator, at: performance.now() };
}

async function main(cluster: Cluster): Promise<void> {
  await using api = await startProxy(cluster, 'apiserver');
  await using bao = await startProxy(cluster, 'bao');
  const servers = { api, bao };
  const all = await populate(cluster, bao.url);
  const first = await restart(cluster, servers);
  const copied = await allPassed(first.operator, first.at);
  const quiet = await editLatency(all, 'quiet');
  await first.operator.stop();

  const from = { api: api.requests.length, bao: bao.requests.length };
  const second = await restart(cluster, servers);
  const alone = await allPassed(second.operator, second.at);
  const requests = { api: api.requests.slice(from.api), bao: bao.requests.slice(from.bao) };
  await second.operator.stop();

  const third = await restart(cluster, servers);
  const storm = await editLatency(all, 'storm');
  const passedMeanwhile = await passesOf(third.operator);
  const withEdits = await allPassed(third.operator, third.at);
  await third.operator.stop();

  console.log(`${MIGRATIONS} migrations of ${SECRETS_EACH} Secrets, ${NAMESPACES} namespaces`);
  console.log(`requests of a migration after a restart, at the API server: ${perEach(requests.api)}`);
  console.log(summary(requests.api));
  console.log(`at ${cluster.isOpenBao ? 'OpenBao' : 'Vault'}: ${perEach(requests.bao)}`);
  console.log(summary(requests.bao));
  console.log(`restart of the first copy: ${(alone / copied).toFixed(3)} (${alone.toFixed(1)} s)`);
  console.log(`edits during a restart, of edits in quiet (median): ${(storm / quiet).toFixed(2)}`);
  console.log(
    `edits in quiet ${quiet.toFixed(0)} ms; ${passedMeanwhile} passes had ended after ${EDITS} edits`,
  );
  console.log(`restart with edits, of one without: ${(withEdits / alone).toFixed(2)}`);
}

function perEach(requests: readonly unknown[]): string {
  return (requests.length / MIGRATIONS).toFixed(2);
}

await using cluster = await startCluster();
await cluster.installKeyferry();
await main(cluster);
