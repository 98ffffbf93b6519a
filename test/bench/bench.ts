import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeGeneratedFiles } from '#src/generate/generate.ts';
import {
  readRecord,
  recordFile,
  recordText,
  SERVER_NAMES,
  type PerformanceRecord,
} from '#src/generate/performance-record.ts';
import { startCluster } from '#test/cluster/cluster.ts';
import { compare, complaints } from './compare.ts';
import { SLICE, WHOLE } from './extents.ts';
import { Findings } from './findings.ts';
import { circumstances, type Circumstances } from './machine.ts';
import { copy } from './parts/copy.ts';
import { many } from './parts/many.ts';
import { ownCore } from './parts/own-core.ts';
import { requests } from './parts/requests.ts';
import { rotation } from './parts/rotation.ts';
import { small } from './parts/small.ts';
import { start } from './parts/start.ts';
import type { Bench, Extent, Part } from './setting.ts';
import { tableOf } from './table.ts';

/*
 * Measures Keyferry beside bare loops on the same servers in the same run, prints a table, and compares it with the record in
 * docs/performance. Exits with 1 if a part fails, or if a measure is worse than the record says. --slice measures less, and never
 * fails because of a measure.
 */

const ROOT = join(import.meta.dirname, '../..');
const PARTS: readonly Part[] = [start, copy, requests, small, many, rotation, ownCore];
/** It needs more rounds than fit in two minutes. */
const NOT_IN_SLICE: readonly Part[] = [ownCore];

const { values: options } = parseArgs({
  options: {
    record: { type: 'boolean', default: false },
    slice: { type: 'boolean', default: false },
    parts: { type: 'string', default: '' },
    sizes: { type: 'string', default: '' },
  },
});

function chosenParts(): readonly Part[] {
  const names = options.parts.split(',').filter((name) => name !== '');
  const unknown = names.filter((name) => !PARTS.some((part) => part.name === name));
  if (unknown.length > 0)
    throw new Error(`no part ${unknown.join(', ')}; parts are ${PARTS.map(({ name }) => name).join(', ')}`);
  const all = options.slice ? PARTS.filter((part) => !NOT_IN_SLICE.includes(part)) : PARTS;
  return names.length === 0 ? all : PARTS.filter(({ name }) => names.includes(name));
}

function chosenExtent(): Extent {
  const extent = options.slice ? SLICE : WHOLE;
  if (options.sizes === '') return extent;
  const sizes = options.sizes.split(',').map(Number);
  if (!sizes.every((size) => Number.isInteger(size) && size > 0))
    throw new Error(`sizes are numbers of documents, such as 1000,10000; not ${options.sizes}`);
  return { ...extent, sizes };
}

/** Runs the parts, one after the other. */
async function measure(parts: readonly Part[], extent: Extent): Promise<Findings> {
  const findings = new Findings((line) => process.stderr.write(`${line}\n`));
  const bench: Bench = { extent, findings };
  for (const { name, run } of parts) {
    const startedAt = performance.now();
    process.stderr.write(`${name}\n`);
    await findings.attempt(name, async () => run(bench));
    process.stderr.write(`  took ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`);
  }
  return findings;
}

async function circumstancesNow(): Promise<Circumstances> {
  await using cluster = await startCluster({ report: () => undefined });
  return await circumstances(ROOT, cluster, new Date());
}

function write(file: string, record: PerformanceRecord): void {
  mkdirSync(dirname(join(ROOT, file)), { recursive: true });
  writeFileSync(join(ROOT, file), recordText(record));
  console.log(`written: ${file}`);
}

function isWhole(): boolean {
  return !options.slice && options.parts === '' && options.sizes === '';
}

function record(now: PerformanceRecord): void {
  write(recordFile(now.server), now);
  writeGeneratedFiles(ROOT);
}

async function main(): Promise<number> {
  const [parts, extent] = [chosenParts(), chosenExtent()];
  if (options.record && !isWhole())
    throw new Error('only a whole run is recorded: leave out SLICE, PARTS and SIZES');
  const around = await circumstancesNow();
  const { machine, server, versions } = around;
  console.log(
    `${versions.server}, Kubernetes ${versions.kubernetes}, Node ${versions.node}, ${machine.cores} cores, commit ${around.commit}`,
  );
  const findings = await measure(parts, extent);
  const now = { ...around, measures: [...findings.measures()] };
  const recorded = readRecord(ROOT, server);
  console.log(`\n${tableOf(compare(now.measures, recorded))}\n`);
  write(`.bench/${server}.json`, now);
  if (recorded === undefined)
    console.log(`There is no record for ${SERVER_NAMES[server]}: make bench RECORD=1`);
  for (const { message, part } of findings.failures) console.log(`FAILED  ${part}: ${message}`);
  return judge({ now, recorded, failed: findings.failures.length > 0 });
}

/** Records, or complains. Returns the exit code. */
function judge({ failed, now, recorded }: Outcome): number {
  if (options.record) {
    if (failed) console.log('Not recorded, because a part failed.');
    else record(now);
    return failed ? 1 : 0;
  }
  const worse = complaints(compare(now.measures, recorded), recorded);
  for (const line of worse) console.log(line);
  return failed || (worse.length > 0 && !options.slice) ? 1 : 0;
}

interface Outcome {
  readonly now: PerformanceRecord;
  readonly recorded: PerformanceRecord | undefined;
  readonly failed: boolean;
}

process.exitCode = await main();
