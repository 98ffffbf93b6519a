import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'undici';
import type { Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { seconds } from './lanes.ts';
import { median } from './statistics.ts';

/** Fine enough for a start of a third of a second. */
const POLL_MS = 5;
const DEADLINE_MS = 60_000;

export interface Starts {
  /** Seconds from the start of the process to its first 200 at /readyz: median. */
  readonly ours: number;
  /** The same Node with an empty program, to its end: median. */
  readonly bare: number;
}

/** Starts the operator several times; each but the last one is stopped as a pod is. `use` gets the last one. */
export async function timedStarts(
  cluster: Cluster,
  count: number,
  use: (operator: OperatorProcess) => Promise<void> = async () => Promise.resolve(),
): Promise<Starts> {
  const [ours, bare]: [number[], number[]] = [[], []];
  for (let start = 1; start <= count; start += 1) {
    bare.push(await seconds(emptyProgram));
    const startedAt = performance.now();
    await using operator = await startOperator(cluster, { logLevel: 'info', skipReady: true });
    await eventually('the operator is ready', async () => isReady(operator), {
      deadlineMs: DEADLINE_MS,
      pollMs: POLL_MS,
    });
    ours.push((performance.now() - startedAt) / 1000);
    if (start === count) await use(operator);
    await operator.stop();
  }
  return { ours: median(ours), bare: median(bare) };
}

async function isReady({ healthUrl }: OperatorProcess): Promise<boolean> {
  const reply = await request(`${healthUrl}/readyz`);
  await reply.body.dump();
  return reply.statusCode === 200;
}

async function emptyProgram(): Promise<void> {
  await once(spawn(process.execPath, ['-e', ''], { stdio: 'ignore' }), 'exit');
}
