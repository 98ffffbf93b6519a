import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { startProxy } from '#test/support/recording-proxy.ts';
import { Tenant } from '#test/support/tenant.ts';

/*
 * 1,000 Secrets of three fields, Kubernetes → KV server, each read back and compared. Beside it, in the same run, what
 * the KV server does for a client that only sends the same conditional writes and reads at the same concurrency.
 * Absolute figures are this machine's; compare the ratios.
 */

const SECRETS = Number(process.env['BENCH_SECRETS'] ?? 1_000);
const CONCURRENCY = 32;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
/** USER_HZ of Linux: /proc counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

interface Usage {
  readonly peakRssMiB: number;
  readonly cpuSeconds: number;
}

function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const peakKiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return {
    peakRssMiB: peakKiB / 1024,
    cpuSeconds: (Number(afterName[11]) + Number(afterName[12])) / TICKS_PER_SECOND,
  };
}

/** Three fields, about 1 KB together. */
function fieldsOf(index: number): Record<string, string> {
  return {
    username: `user-${index}`,
    password: `${index}-`.padEnd(64, 'p'),
    certificate: `${index}-`.padEnd(900, 'c'),
  };
}

/** `work` for 0 … count-1 with at most `limit` at once. */
async function inParallel(
  count: number,
  limit: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: limit }, lane));
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

/**
 * The KV server alone: a conditional write and a read of version 1 for each document, nothing else. With a token of the
 * same policy as the operator's: a root token skips the access check, which is half of what the server does here.
 */
async function serverAlone(cluster: Cluster): Promise<number> {
  const mount = await cluster.createMount('alone');
  const token = await cluster.createToken(documentedPolicy(mount));
  const agent = new Agent({ connections: CONCURRENCY, allowH2: false, connect: { ca: cluster.baoCaPem } });
  const headers = { 'x-vault-token': token, 'content-type': 'application/json' };
  const send = async (method: 'GET' | 'POST', path: string, body?: string): Promise<void> => {
    const reply = await request(`${cluster.baoUrl}/v1/${mount}/${path}`, {
      method,
      headers,
      dispatcher: agent,
      ...(body === undefined ? {} : { body }),
    });
    await reply.body.text();
    if (reply.statusCode !== 200) throw new Error(`${method} ${path}: ${reply.statusCode}`);
  };
  const elapsed = await seconds(async () =>
    inParallel(SECRETS, CONCURRENCY, async (index) => {
      await send('POST', `data/b/s-${index}`, JSON.stringify({ data: fieldsOf(index), options: { cas: 0 } }));
      await send('GET', `data/b/s-${index}?version=1`);
    }),
  );
  await agent.close();
  return elapsed;
}

async function tenantWithSecrets(cluster: Cluster, address?: string): Promise<Tenant> {
  const tenant = await Tenant.create(cluster, address === undefined ? {} : { address });
  const path = `/api/v1/namespaces/${tenant.namespace}/secrets`;
  await inParallel(SECRETS, 16, async (index) => {
    await cluster.kube('POST', path, aSecret(`s-${String(index).padStart(5, '0')}`, fieldsOf(index)));
  });
  return tenant;
}

/** From the creation of the migration to Ready=True. */
async function migrate(tenant: Tenant): Promise<number> {
  return seconds(async () => {
    await tenant.apply(aMigration('bench'));
    const done = await tenant.untilReady('bench', { status: 'True' }, 300_000);
    const verified = done.status.summary?.verified;
    if (verified !== SECRETS * 3) throw new Error(`verified ${verified}, expected ${SECRETS * 3}`);
  });
}

/** A warm-up, then pairs of (operator, server alone); the operator is the same process throughout. */
async function timed(cluster: Cluster): Promise<{ pairs: { ours: number; alone: number }[]; usage: Usage }> {
  await using operator = await startOperator(cluster, { logLevel: 'info' });
  const pairs: { ours: number; alone: number }[] = [];
  const idle = usageOf(operator.pid);
  console.log(
    `idle operator: ${idle.peakRssMiB.toFixed(0)} MiB peak RSS, ${idle.cpuSeconds.toFixed(2)} CPU seconds`,
  );
  let usage = idle;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const tenant = await tenantWithSecrets(cluster);
    const before = usageOf(operator.pid).cpuSeconds;
    const ours = await migrate(tenant);
    const after = usageOf(operator.pid);
    usage = { peakRssMiB: after.peakRssMiB, cpuSeconds: after.cpuSeconds - before };
    const alone = await serverAlone(cluster);
    pairs.push({ ours, alone });
    console.log(
      `round ${round}: keyferry ${ours.toFixed(2)} s (${(SECRETS / ours).toFixed(0)}/s, ${usage.cpuSeconds.toFixed(2)} CPU s, ` +
        `${usage.peakRssMiB.toFixed(0)} MiB), server alone ${alone.toFixed(2)} s (${(SECRETS / alone).toFixed(0)}/s), ratio ${(alone / ours).toFixed(2)}`,
    );
  }
  return { pairs, usage };
}

interface Requests {
  /** For documents. */
  readonly kv: number;
  /** Once a run: names and rights, in pages. */
  readonly kvOnce: number;
  /** All, status and reports included. */
  readonly api: number;
}

/** Requests, counted by proxies in front of both servers; not timed. */
async function counted(cluster: Cluster): Promise<Requests> {
  await using apiProxy = await startProxy(cluster, 'apiserver');
  await using kvProxy = await startProxy(cluster, 'bao');
  const operator: OperatorProcess = await startOperator(cluster, {
    apiserverUrl: apiProxy.url,
    logLevel: 'info',
  });
  try {
    const tenant = await tenantWithSecrets(cluster, kvProxy.url);
    await tenant.cluster.kubectl([
      'wait',
      '-n',
      tenant.namespace,
      '--for=condition=Ready',
      'secretbackend/bao',
      'secretbackend/kubernetes',
      '--timeout=30s',
    ]);
    const before = { kv: kvProxy.requests.length, api: apiProxy.count(isOfTheRun) };
    await migrate(tenant);
    const kv = kvProxy.requests.slice(before.kv);
    const ofDocuments = kv.filter(({ path }) => path.startsWith(`/v1/${tenant.mount}/data/`)).length;
    return {
      kv: ofDocuments,
      kvOnce: kv.length - ofDocuments,
      api: apiProxy.count(isOfTheRun) - before.api,
    };
  } finally {
    await operator.stop();
  }
}

/** The lease is renewed whether there is work or not. */
function isOfTheRun(recorded: { readonly path: string }): boolean {
  return !recorded.path.includes('/leases/');
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function verdict(name: string, value: number, holds: boolean, target: string): void {
  console.log(
    `${holds ? 'ok  ' : 'MISS'}  ${name.padEnd(34)} ${value.toFixed(3).padStart(9)}   target ${target}`,
  );
}

await using cluster = await startCluster();
await cluster.installKeyferry();
console.log(
  `${SECRETS} Secrets of 3 fields, ${cluster.isOpenBao ? 'OpenBao' : 'Vault'}, ${CONCURRENCY} in flight`,
);
const { pairs, usage } = await timed(cluster);
const requests = await counted(cluster);
console.log('');
const ratio = median(pairs.map(({ ours, alone }) => alone / ours));
verdict('rate, of the server alone (median)', ratio, ratio >= 0.5, '>= 0.5');
verdict('KV requests per Secret', requests.kv / SECRETS, requests.kv <= 2 * SECRETS, '<= 2');
verdict('KV requests once a run', requests.kvOnce, true, 'none');
verdict('apiserver requests per Secret', requests.api / SECRETS, requests.api / SECRETS <= 0.1, '<= 0.1');
verdict('peak RSS, MiB', usage.peakRssMiB, usage.peakRssMiB < 150, '< 150');
verdict('CPU seconds of the last round', usage.cpuSeconds, true, 'none');
