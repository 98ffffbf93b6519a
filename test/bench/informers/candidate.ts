import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { eventually } from '#test/support/eventually.ts';
import type { Report } from './report.ts';

/** As the first line of the operator's bundle. */
const FLAGS = ['--expose-gc', '--max-old-space-size=512', '--max-semi-space-size=4', '--v8-pool-size=1'];
const MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536' };
const DEADLINE_MS = 120_000;

/** A process of an informer, and what it reported. */
export class Candidate {
  readonly #child: ChildProcess;
  readonly #reports: Report[] = [];
  #errorsTaken = 0;

  constructor(program: string, args: readonly string[]) {
    const env = { ...process.env, ...MALLOC };
    this.#child = spawn(process.execPath, [...FLAGS, program, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('it has an output');
    createInterface(stdout).on('line', (line) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It prints nothing else.
      this.#reports.push(JSON.parse(line) as Report);
    });
  }

  async until(at: Report['at']): Promise<Report> {
    const find = async () => this.#reports.find((report) => report.at === at);
    return await eventually(`it has ${at}`, find, { deadlineMs: DEADLINE_MS });
  }

  /** False if it does not see this object in time. */
  async seen(name: string, deadlineMs: number): Promise<boolean> {
    const find = async () => this.#reports.some((report) => report.at === 'seen' && report.name === name);
    return await eventually(`it sees ${name}`, find, { deadlineMs }).catch(() => false);
  }

  /** Errors since the last call. */
  takeErrors(): readonly (string | undefined)[] {
    const errors = this.#reports.filter(({ at }) => at === 'error').map(({ name }) => name);
    const fresh = errors.slice(this.#errorsTaken);
    this.#errorsTaken = errors.length;
    return fresh;
  }

  /** Milliseconds from SIGTERM until it has ended by itself. */
  async stop(): Promise<number> {
    const since = performance.now();
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
    return performance.now() - since;
  }
}
