import { aMigration, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';
import { startOperator } from '#test/support/operator-process.ts';
import { startProxy } from '#test/support/recording-proxy.ts';
import { Tenant } from '#test/support/tenant.ts';

/*
 * Five Secrets: alone, behind four migrations of 1,500 Secrets each, and behind four whose server does not answer. Absolute
 * figures are this machine's; compare the ratios.
 */

const LARGE = Number(process.env['BENCH_LARGE'] ?? 1_500);
const SMALL = 5;
const TENANTS = 4;
const ROUNDS = 3;

async function tenantWith(cluster: Cluster, secrets: number, address?: string): Promise<Tenant> {
  const tenant = await Tenant.create(cluster, address === undefined ? {} : { address });
  await plant(tenant, 'doc', secrets);
  return tenant;
}

async function plant({ cluster, namespace }: Tenant, prefix: string, secrets: number): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  for (let from = 0; from < secrets; from += 16) {
    const some = Array.from({ length: Math.min(16, secrets - from) }, (_, index) => from + index);
    await Promise.all(
      some.map(async (index) =>
        cluster.kube('POST', path, aSecret(`${prefix}-${index}`, { password: `${index}-`.padEnd(64, 'p') })),
      ),
    );
  }
}

/** Seconds from the creation of a migration of the documents with this prefix to Ready=True. */
async function migrate(tenant: Tenant, name: string, prefix: string): Promise<number> {
  const startedAt = performance.now();
  await tenant.apply(aMigration(name, { select: { prefix } }));
  await tenant.untilReady(name, { status: 'True' }, 300_000);
  return (performance.now() - startedAt) / 1000;
}

async function hasBegun(tenant: Tenant, name: string): Promise<boolean> {
  return ((await tenant.migration(name)).status.summary?.verified ?? 0) > 0;
}

async function isDone(tenant: Tenant, name: string): Promise<boolean> {
  return (await tenant.migration(name)).status.conditions?.[0]?.status === 'True';
}

function show(what: string, seconds: readonly number[], alone: number): number {
  const median = seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? Number.NaN;
  const each = seconds.map((one) => one.toFixed(2)).join(', ');
  console.log(`${what.padEnd(52)} ${each.padEnd(20)} s   ratio ${(median / alone).toFixed(1)}`);
  return median;
}

async function aloneOn(cluster: Cluster): Promise<number> {
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    seconds.push(await migrate(await tenantWith(cluster, SMALL), 'small', 'doc'));
  return show('five Secrets alone', seconds, seconds.toSorted((a, b) => a - b)[1] ?? Number.NaN);
}

async function behindLarge(cluster: Cluster, alone: number): Promise<void> {
  const large = await Promise.all(Array.from({ length: TENANTS }, async () => tenantWith(cluster, LARGE)));
  const small = await tenantWith(cluster, SMALL);
  const [first = small] = large;
  await plant(first, 'small', SMALL);
  const startedAt = performance.now();
  await Promise.all(
    large.map(async (tenant) => tenant.apply(aMigration('large', { select: { prefix: 'doc' } }))),
  );
  for (const tenant of large) await eventually('all have begun', async () => hasBegun(tenant, 'large'));
  const seconds = [await migrate(small, 'small', 'doc')];
  const ofTheSame = [await migrate(first, 'small', 'small')];
  const done = await Promise.all(large.map(async (tenant) => isDone(tenant, 'large')));
  show(`behind ${TENANTS} × ${LARGE}`, seconds, alone);
  show('the same, in the namespace of one of them', ofTheSame, alone);
  for (const tenant of large) await tenant.untilReady('large', { status: 'True' }, 300_000);
  const all = (performance.now() - startedAt) / 1000;
  console.log(
    `${done.filter(Boolean).length} of the large ones were done before; all of them after ${all.toFixed(1)} s`,
  );
}

async function behindHanging(cluster: Cluster, alone: number): Promise<void> {
  await using proxy = await startProxy(cluster, 'bao');
  const hanging = await Promise.all(
    Array.from({ length: TENANTS }, async () => tenantWith(cluster, SMALL, proxy.url)),
  );
  const small = await tenantWith(cluster, SMALL);
  const { promise: until, resolve: open } = Promise.withResolvers<void>();
  const rules = hanging.map(({ mount }) =>
    proxy.onRequest({ method: 'POST', path: new RegExp(`^/v1/${mount}/data/`) }, { kind: 'hold', until }),
  );
  await Promise.all(
    hanging.map(async (tenant) => tenant.apply(aMigration('hangs', { select: { prefix: 'doc' } }))),
  );
  await Promise.all(rules.map(async ({ firstHit }) => firstHit));
  show(`behind ${TENANTS} servers that hang`, [await migrate(small, 'small', 'doc')], alone);
  open();
}

await using cluster = await startCluster();
await cluster.installKeyferry();
await using _operator = await startOperator(cluster, { logLevel: 'info' });
const alone = await aloneOn(cluster);
await behindHanging(cluster, alone);
await behindLarge(cluster, alone);
