import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';
import { requestRun } from '#test/support/queries.ts';
import { chooseSeed, seeded } from '#test/support/seed.ts';
import { Chaos } from './chaos.ts';
import { Conflicts } from './conflicts.ts';
import { Editor } from './editor.ts';
import { Fleet } from './fleet.ts';
import { Group, KINDS } from './groups.ts';
import { Memory } from './memory.ts';
import { compare, judgeHistories, leaksIn, lostDrifts, strangeSecrets } from './verdict.ts';
import { Witness } from './witness.ts';

/*
 * Edits both sides of many documents at random, restarts operators and servers, and compares everything with its own ledger.
 * docs/contributing/soak.md says how to read what it prints.
 */

const MINUTE_MS = 60_000;
/** `make soak` passes an empty one on. */
const MINUTES = Number(process.env['SOAK_MINUTES'] || 15);
const REPLICAS = 2;
/** Milliseconds between two edits, at most. */
const PAUSE_MS = 250;
const CONFLICTS_MS = 2_000;
const COMPARE_MS = 10_000;
const MEMORY_MS = 2_000;
/** Of the run; after it the leader lives on and no document joins, so that its memory can be measured. */
const SHARE_OF_OPERATORS = 1 / 3;
/** A poll of the KV server, its jitter, a retry, on a busy machine. */
const QUIET_MS = 120_000;
/** V8 lets its heap grow for the first minutes before it collects all of it. */
const WARM_UP_SECONDS = Math.min(240, MINUTES * 16);
/** MiB in five minutes. Fails only a run that is long enough to tell. */
const MAX_SLOPE = 1;
const LONG_MINUTES = 10;

const seed = chooseSeed();
console.log(`${MINUTES} minutes, KEYFERRY_SEED=${seed}`);
// Each has numbers of its own, so that the time that one takes does not change what the others do.
const [forEdits, forChaos] = [seeded(seed), seeded(seed + 1)];

const started = performance.now();
const elapsedMs = (): number => performance.now() - started;

/** Repeats the work until the signal, with a pause before each. */
async function every(ms: () => number, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  while (!signal.aborted) {
    await sleep(ms(), undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) await work();
  }
}

interface Soak {
  readonly cluster: Cluster;
  readonly groups: readonly Group[];
  readonly fleet: Fleet;
  readonly editor: Editor;
  readonly chaos: Chaos;
  readonly conflicts: Conflicts;
  readonly memory: Memory;
  readonly witness: Witness;
}

async function open(cluster: Cluster): Promise<Soak> {
  await cluster.installKeyferry();
  const groups = await Promise.all(KINDS.map(async (kind) => Group.create(cluster, kind)));
  const editor = new Editor(forEdits);
  for (const group of groups) for (const entry of group.entries) await editor.create(group, entry);
  const fleet = new Fleet(cluster, REPLICAS);
  const chaos = new Chaos({ cluster, fleet, random: forChaos });
  await fleet.leader();
  for (const group of groups) await group.start();
  for (const { migration, tenant } of groups)
    await tenant.untilReady(migration, { status: 'True', reason: 'Synced' });
  const conflicts = new Conflicts(editor, chaos);
  const witness = new Witness(cluster, groups);
  return { cluster, groups, fleet, editor, chaos, conflicts, memory: new Memory(), witness };
}

function report({ chaos, conflicts, editor, memory, witness }: Soak, behind: number): void {
  const { crossings, deletions, drifts, edits, joined } = editor.counts;
  console.log(
    `minute ${Math.round(elapsedMs() / MINUTE_MS)}: ${edits} edits, ${deletions} deletions, ${joined} joined, ` +
      `${crossings} crossings, ${drifts} drifts; ${behind} under way; ${conflicts.found.length} conflicts ` +
      `(${conflicts.unexplained.length} unexplained); ${witness.violations.length} violations; ` +
      `${memory.lastMib?.toFixed(0)} MiB; ${chaos.counts()}`,
  );
}

/** Edits and disturbances until the time is over. */
async function disturb(soak: Soak): Promise<void> {
  const { chaos, conflicts, editor, fleet, groups, memory } = soak;
  const end = new AbortController();
  const { signal } = end;
  let behind = 0;
  const timer = setTimeout(() => end.abort(), MINUTES * MINUTE_MS);
  const startedAt = performance.now();
  const isEarly = (): boolean => performance.now() - startedAt < SHARE_OF_OPERATORS * MINUTES * MINUTE_MS;
  // One after the other: an edit must not come between the look at a conflict and its resolution.
  let lastLook = 0;
  const edits = every(
    () => forEdits(PAUSE_MS),
    signal,
    async () => {
      if (performance.now() - lastLook > CONFLICTS_MS) {
        await conflicts.resolveAll(groups);
        lastLook = performance.now();
      }
      await editor.edit(groups, isEarly());
    },
  );
  await Promise.all([
    edits,
    chaos.run(signal, isEarly),
    every(
      () => COMPARE_MS,
      signal,
      async () => {
        behind = (await Promise.all(groups.map(compare))).flat().length;
      },
    ),
    every(
      () => MEMORY_MS,
      signal,
      async () => memory.sample(await fleet.leader()),
    ),
    every(
      () => MINUTE_MS,
      signal,
      () => Promise.resolve(report(soak, behind)),
    ),
  ]).finally(() => {
    end.abort();
    clearTimeout(timer);
  });
  report(soak, behind);
}

/** Waits until all is as the ledger wants it, first by itself, then after a whole pass. Returns what stays wrong. */
async function settle({ conflicts, fleet, groups }: Soak): Promise<readonly string[]> {
  await fleet.leader();
  let faults: readonly string[] = [];
  const isSettled = async (): Promise<boolean> => {
    await conflicts.resolveAll(groups);
    faults = (await Promise.all(groups.map(compare))).flat();
    return faults.length === 0;
  };
  const begun = performance.now();
  await eventually('all is in step', isSettled, { deadlineMs: QUIET_MS, pollMs: 1_000 }).catch(
    () => undefined,
  );
  console.log(`quiet after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  if (faults.length > 0) return faults;
  for (const { kind, migration, tenant } of groups) {
    try {
      await requestRun(tenant, migration);
      await tenant.untilReady(migration, { status: 'True', reason: 'Synced' });
    } catch (error) {
      return [`${kind.name}: ${String(error)}`, JSON.stringify(await tenant.rows(migration))];
    }
  }
  return (await Promise.all(groups.map(compare))).flat();
}

async function judge(soak: Soak): Promise<readonly string[]> {
  const { conflicts, fleet, groups, memory, witness } = soak;
  const faults = [...(await settle(soak))];
  for (const group of groups) {
    faults.push(...(await judgeHistories(group)), ...(await lostDrifts(group)));
    faults.push(...(await strangeSecrets(group)));
  }
  faults.push(...witness.violations);
  faults.push(...conflicts.unexplained.map((each) => `unexplained conflict ${JSON.stringify(each)}`));
  faults.push(...fleet.endings.filter(({ isStrange }) => isStrange).map((each) => JSON.stringify(each)));
  faults.push(...leaksIn(fleet.logFiles).map((file) => `${file} has a value`));
  const slope = memory.slope(WARM_UP_SECONDS);
  console.log(`memory after ${WARM_UP_SECONDS} s: ${JSON.stringify(slope)}`);
  console.log(`MiB in each minute of that replica: ${memory.minutesOf(slope?.identity).join(' ')}`);
  const isTooMuch = (slope?.steady ?? Number.POSITIVE_INFINITY) >= MAX_SLOPE;
  if (MINUTES >= LONG_MINUTES && isTooMuch) faults.push('memory grows by 1 MiB or more in five minutes');
  return faults;
}

function countBy(items: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return JSON.stringify(Object.fromEntries(counts));
}

await using cluster = await startCluster();
const soak = await open(cluster);
console.log(`${cluster.isOpenBao ? 'OpenBao' : 'Vault'}, ${KINDS.map(({ name }) => name).join(', ')}`);
let faults: readonly string[];
{
  await using _fleet = soak.fleet;
  await using _watching = soak.witness.start();
  await disturb(soak);
  faults = await judge(soak);
}
console.log(
  `conflicts: ${countBy(soak.conflicts.found.map(({ because = 'UNEXPLAINED', group, reason }) => `${group} ${reason}, ${because}`))}`,
);
console.log(`replicas ended: ${countBy(soak.fleet.endings.map(({ how }) => how))}`);
if (faults.length > 0) {
  const kept = mkdtempSync(join(tmpdir(), 'keyferry-soak-'));
  cpSync(join(cluster.folder, 'log'), kept, { recursive: true });
  console.log([`FAILED, KEYFERRY_SEED=${seed}; logs in ${kept}`, ...faults].join('\n'));
  process.exitCode = 1;
} else {
  console.log('ok: both sides agree with the model, and no edit was lost');
}
