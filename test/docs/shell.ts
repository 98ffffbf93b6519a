import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { Readable, type Writable } from 'node:stream';

export interface Ran {
  readonly code: number;
  /** Standard output and standard error in the order in which they were written. */
  readonly output: string;
}

export interface ShellOptions {
  /** Where it begins. */
  readonly folder: string;
  /** A folder for its scripts and outputs. */
  readonly scratch: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** One bash, in which a page runs: variables, functions and the working directory stay from step to step. */
export class Shell {
  readonly #child: ChildProcess;
  readonly #scratch: string;
  readonly #replies: Interface;
  readonly #exited: Promise<number>;
  #steps = 0;

  constructor({ folder, scratch, environment }: ShellOptions) {
    this.#scratch = scratch;
    this.#child = spawn('bash', ['--noprofile', '--norc'], {
      cwd: folder,
      env: environment,
      detached: true, // A group of its own, so that `end` reaches what it started.
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    });
    const replies = this.#child.stdio[3];
    if (!(replies instanceof Readable)) throw new Error('bash has no pipe for its replies');
    this.#replies = createInterface({ input: replies });
    this.#exited = once(this.#child, 'exit').then(([code]: unknown[]) =>
      typeof code === 'number' ? code : -1,
    );
    this.#stdin.on('error', () => undefined); // It has ended; `run` says so.
    this.#stdin.write('set -euo pipefail\n');
  }

  /** Runs the text. A command of it that fails ends the shell, unless the text is expected to fail. */
  async run(text: string, options: { readonly mayFail: boolean }): Promise<Ran> {
    this.#steps += 1;
    const script = join(this.#scratch, `step-${this.#steps}.sh`);
    const output = join(this.#scratch, `step-${this.#steps}.out`);
    writeFileSync(script, `${text}\n`);
    writeFileSync(output, '');
    const source = `. '${script}' >'${output}' 2>&1 </dev/null 3>&-`;
    this.#stdin.write(
      options.mayFail ? `if ${source}; then echo 0 >&3; else echo $? >&3; fi\n` : `${source}; echo 0 >&3\n`,
    );
    const code = await Promise.race([this.#reply(), this.#exited]);
    return { code, output: readFileSync(output, 'utf8') };
  }

  /** Ends it and whatever it started. */
  end(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
  }

  get #stdin(): Writable {
    if (this.#child.stdin === null) throw new Error('bash has no standard input');
    return this.#child.stdin;
  }

  async #reply(): Promise<number> {
    const [line]: unknown[] = await once(this.#replies, 'line');
    return Number(line);
  }
}
