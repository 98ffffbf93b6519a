import { mkdtempDisposableSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { Cuttable } from './informers/cuttable.ts';
import { Candidate } from './informers/candidate.ts';
import { inLanes } from './lanes.ts';
import { median } from './statistics.ts';

/*
 * The informer of client-node beside ours, both bundled as we ship, against the real API server. `node
 * test/bench/client-node.ts size` measures bundle, start and memory; `faults` what each does when a connection fails. ADR
 * 0052 has the results. Absolute figures are this machine's; compare the ratios.
 */

const SECRETS = Number(process.env['BENCH_SECRETS'] ?? 10_000);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const PARALLEL = 32;
const QUIET_MS = 40_000;
const SEEN_WITHIN_MS = 180_000;
const ACCOUNT = { namespace: 'default', name: 'bench' };

const KINDS = {
  'ours, metadata': { program: 'ours', content: 'metadata' },
  'ours, whole': { program: 'ours', content: 'whole' },
  'client-node': { program: 'theirs', content: 'whole' },
} as const;
type Kind = keyof typeof KINDS;

async function bundle(program: string, folder: string): Promise<number> {
  const build = await rolldown({
    input: join(import.meta.dirname, 'informers', `${program}.ts`),
    platform: 'node',
  });
  const dir = join(folder, program);
  await build.write({ format: 'esm', dir, entryFileNames: `${program}.mjs` });
  return readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
}

async function prepare(cluster: Cluster): Promise<string> {
  await cluster.kubectl(['create', 'serviceaccount', ACCOUNT.name, '-n', ACCOUNT.namespace]);
  const subject = `--serviceaccount=${ACCOUNT.namespace}:${ACCOUNT.name}`;
  await cluster.kubectl(['create', 'clusterrolebinding', 'bench', '--clusterrole=cluster-admin', subject]);
  return await cluster.serviceAccountDirectory(ACCOUNT.namespace, ACCOUNT.name);
}

async function createSecret(cluster: Cluster, name: string): Promise<void> {
  const fields = { username: name, password: 'p'.repeat(64), certificate: 'c'.repeat(900) };
  await cluster.kube('POST', '/api/v1/namespaces/default/secrets', aSecret(name, fields));
}

async function fill(cluster: Cluster): Promise<void> {
  await inLanes(SECRETS, PARALLEL, async (index) => createSecret(cluster, `s-${index}`));
}

interface Bench {
  readonly cluster: Cluster;
  readonly folder: string;
  readonly account: string;
}

function start({ folder, account }: Bench, kind: Kind, server: string): Candidate {
  const { program, content } = KINDS[kind];
  const args = [server, join(account, 'ca.crt'), join(account, 'token'), content];
  return new Candidate(join(folder, program, `${program}.mjs`), args);
}

async function measureSize(bench: Bench, kind: Kind): Promise<Readonly<Record<string, number>>> {
  const rounds: Readonly<Record<string, number>>[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const candidate = start(bench, kind, bench.cluster.apiserverUrl);
    const loaded = await candidate.until('loaded');
    const synced = await candidate.until('synced');
    const objects = Number(synced.name);
    rounds.push({
      'start, ms': loaded.ms,
      'start, MiB RSS': loaded.rssMiB,
      'list, ms': synced.ms - loaded.ms,
      'listed, MiB RSS': synced.rssMiB,
      'heap per object, bytes': ((synced.heapMiB - loaded.heapMiB) * 2 ** 20) / objects,
      'end after SIGTERM, ms': await candidate.stop(),
    });
  }
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((round) => round[name] ?? 0))]));
}

async function sizes(bench: Bench, bundles: Readonly<Record<string, number>>): Promise<void> {
  await fill(bench.cluster);
  const results: Readonly<Record<string, number>>[] = [];
  for (const kind of ['ours, metadata', 'ours, whole', 'client-node'] as const) {
    const size = { 'bundle, KiB': (bundles[KINDS[kind].program] ?? 0) / 1024 };
    results.push({ ...size, ...(await measureSize(bench, kind)) });
  }
  console.log(`${SECRETS} Secrets of 1 KB, median of ${ROUNDS}: ours (metadata), ours (whole), client-node`);
  for (const name of Object.keys(results[0] ?? {})) {
    const [metadata = 0, whole = 0, theirs = 0] = results.map((each) => each[name]);
    const shown = [metadata, whole, theirs].map((value) => value.toFixed(0).padStart(8)).join('');
    console.log(
      `${name.padEnd(24)}${shown}   client-node / ours ${(theirs / metadata).toFixed(1)} (whole ${(theirs / whole).toFixed(1)})`,
    );
  }
}

/** Causes a fault, then creates a Secret; prints how long each needs to see it, from the fault on. */
async function fault(
  bench: Bench,
  candidates: readonly (readonly [Kind, Candidate])[],
  { what, cause }: { readonly what: string; readonly cause: () => Promise<void> },
): Promise<void> {
  const since = performance.now();
  const secret = `probe-${what}`;
  await cause();
  await createSecret(bench.cluster, secret);
  await Promise.all(
    candidates.map(async ([kind, candidate]) => {
      const seen = await candidate.seen(secret, SEEN_WITHIN_MS);
      const text = seen ? `sees the change after ${Math.round(performance.now() - since)} ms` : 'is deaf';
      console.log(`${what}: ${kind} ${text}; errors ${JSON.stringify(candidate.takeErrors())}`);
    }),
  );
}

async function faults(bench: Bench): Promise<void> {
  const { cluster } = bench;
  const port = Number(new URL(cluster.apiserverUrl).port);
  const proxies = [await Cuttable.to(port), await Cuttable.to(port)] as const;
  const candidates = (['ours, metadata', 'client-node'] as const).map(
    (kind, index) => [kind, start(bench, kind, proxies[index]?.url ?? '')] as const,
  );
  for (const [, candidate] of candidates) await candidate.until('synced');
  const all = (work: (proxy: Cuttable) => void) => async () => proxies.forEach(work);
  const before = proxies.map(({ accepted }) => accepted);
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  for (const [index, [kind]] of candidates.entries()) {
    const opened = (proxies[index]?.accepted ?? 0) - (before[index] ?? 0);
    console.log(`quiet for ${QUIET_MS / 1000} s: ${kind} opens ${opened} connections`);
  }
  await fault(bench, candidates, { what: 'reset', cause: all((proxy) => proxy.cut()) });
  await fault(bench, candidates, { what: 'silence', cause: all((proxy) => proxy.silence()) });
  const gone = async (): Promise<void> => {
    await all((proxy) => proxy.silence())();
    await createSecret(cluster, 'unseen');
    // Its watch cache begins at what etcd has then: the version that was seen last is too old, 410 Gone.
    await cluster.restart('apiserver');
    await all((proxy) => proxy.cut())();
  };
  await fault(bench, candidates, { what: 'gone', cause: gone });
  for (const [kind, candidate] of candidates)
    console.log(`${kind} ends in ${Math.round(await candidate.stop())} ms`);
  for (const proxy of proxies) proxy.close();
}

const part = process.argv[2];
if (part !== 'size' && part !== 'faults') throw new Error('say what to measure: size or faults');
using folder = mkdtempDisposableSync(join(tmpdir(), 'keyferry-informers-'));
const cluster = await startCluster();
try {
  const bench = { cluster, folder: folder.path, account: await prepare(cluster) };
  const bundles = { ours: await bundle('ours', folder.path), theirs: await bundle('theirs', folder.path) };
  await (part === 'size' ? sizes(bench, bundles) : faults(bench));
} finally {
  await cluster.dispose();
}
