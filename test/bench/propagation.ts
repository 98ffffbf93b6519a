import { loadavg } from 'node:os';
import { startCluster } from '#test/cluster/cluster.ts';
import { measurePropagation, type Propagation } from './propagation/measure.ts';
import { INTERVAL_SECONDS, paths, secrets } from './propagation/ways.ts';
import type { Figures } from './statistics.ts';

/*
 * How long a change waits that mode Sync carries over, with 1,000 documents in step and 20 changes a second: from the reply of the
 * server that was written to until the other one has the value. Beside it, what a client without any rules needs for the same on the
 * same servers: a read, a write, a read. Absolute figures are this machine's; compare the ratios. `make bench` measures one
 * migration; this measures any number of them.
 */

const DOCUMENTS = Number(process.env['BENCH_SECRETS'] ?? 1_000);
const RATE = Number(process.env['BENCH_RATE'] ?? 20);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 60);
/** Migrations that share the documents. */
const MIGRATIONS = (process.env['BENCH_MIGRATIONS'] ?? '1,100').split(',').map(Number);
const WAYS = (process.env['BENCH_WAYS'] ?? 'secrets,paths').split(',');
/** For example --concurrent-migrations=16. */
const OPERATOR_ARGS = (process.env['BENCH_ARGS'] ?? '').split(' ').filter((arg) => arg !== '');

function shown({ max, p50, p99 }: Figures): string {
  return `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`;
}

function print({ bare, cpu, ours }: Propagation, waitedMs: number): void {
  console.log(
    `  keyferry ${shown(ours)}; CPU ${cpu.toFixed(2)} of a core; load ${loadavg()[0]?.toFixed(1) ?? ''}`,
  );
  console.log(`  bare     ${shown(bare)}`);
  console.log(
    `  ratio    p50 ${(ours.p50 / bare.p50).toFixed(1)}, p99 ${((ours.p99 - waitedMs) / bare.p99).toFixed(1)}${
      waitedMs > 0 ? ' (p99 without the interval)' : ''
    }`,
  );
}

console.log(`${DOCUMENTS} documents, ${RATE} changes a second for ${SECONDS} s`);
for (const way of [secrets, paths].filter((_, index) => WAYS.includes(['secrets', 'paths'][index] ?? ''))) {
  for (const migrations of MIGRATIONS) {
    await using cluster = await startCluster();
    await cluster.installKeyferry();
    const load = {
      documents: DOCUMENTS,
      migrations,
      rate: RATE,
      seconds: SECONDS,
      operatorArgs: OPERATOR_ARGS,
    };
    console.log(`${way.title}, ${migrations} migrations of ${Math.ceil(DOCUMENTS / migrations)}`);
    print(await measurePropagation(cluster, way, load), way === paths ? INTERVAL_SECONDS * 1000 : 0);
  }
}
