import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Cluster } from '#test/cluster/cluster.ts';
import { eventually, GiveUp } from './eventually.ts';
import { OPERATOR_BUNDLE } from './operator-process.ts';
import { TerminalScreen } from './terminal-screen.ts';

/** What a command printed, and how it ended. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** A person with `kubectl keyferry`: the real kubectl, and the bundle as its plugin. */
export class Person {
  readonly #kubeconfig: string;
  readonly #bin: string;
  readonly #home: string;

  private constructor(home: string, bin: string, kubeconfig: string) {
    this.#home = home;
    this.#bin = bin;
    this.#kubeconfig = kubeconfig;
  }

  /** Default of `kubeconfig`: that of the administrator. */
  static at(cluster: Cluster, kubeconfig: string = cluster.kubeconfigPath): Person {
    const bin = join(cluster.folder, 'person');
    if (!existsSync(bin)) {
      mkdirSync(bin);
      symlinkSync(cluster.kubectlProgram, join(bin, 'kubectl'));
      symlinkSync(OPERATOR_BUNDLE, join(bin, 'kubectl-keyferry'));
    }
    return new Person(cluster.folder, bin, kubeconfig);
  }

  /** Runs it in pipes until it ends. */
  async run(...args: readonly string[]): Promise<Ran> {
    const running = this.start(...args);
    const code = await running.exited;
    return { stdout: running.stdout, stderr: running.stderr, code };
  }

  /** Starts it in pipes. */
  start(...args: readonly string[]): Running {
    return new Running(this.#spawn(join(this.#bin, 'kubectl'), ['keyferry', ...args]));
  }

  /** Starts it in a terminal of 100 columns and 30 lines: `script` of util-linux, which each Linux has. */
  atTerminal(...args: readonly string[]): AtTerminal {
    const words = ['kubectl', 'keyferry', ...args].map(
      (word) => `'${word.replaceAll("'", String.raw`'\''`)}'`,
    );
    const command = `stty cols 100 rows 30; exec ${words.join(' ')}`;
    return new AtTerminal(
      this.#spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null']),
    );
  }

  #spawn(program: string, args: readonly string[]): Child {
    return spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // A group of its own, so that its end reaches what it started.
      env: {
        PATH: [this.#bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
        HOME: this.#home,
        KUBECONFIG: this.#kubeconfig,
        TERM: 'xterm-256color',
        LC_ALL: 'C.UTF-8',
        SHELL: '/bin/sh',
      },
    });
  }
}

/** A command that runs. */
export class Running implements AsyncDisposable {
  readonly exited: Promise<number>;
  readonly #child: Child;
  #stdout = '';
  #stderr = '';

  constructor(child: Child) {
    this.#child = child;
    child.stdin.on('error', () => undefined); // It has ended.
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.received(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.exited = once(child, 'close').then(([code]: unknown[]) => (typeof code === 'number' ? code : -1));
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits until it has printed this. */
  async untilPrinted(text: RegExp): Promise<void> {
    await eventually(`${String(text)} is printed`, () => {
      if (text.test(this.#stdout + this.#stderr)) return true;
      throw this.notYet(this.#stdout + this.#stderr);
    });
  }

  /** Closes the pipe, as `head` does. */
  stopReading(): void {
    this.#child.stdout.destroy();
  }

  /** A command that has ended prints nothing more. */
  protected notYet(printed: string): Error {
    return this.#child.exitCode === null ? new Error(printed) : new GiveUp(`It has ended. ${printed}`);
  }

  protected received(text: string): void {
    this.#stdout += text;
  }

  protected type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Ends it with all that it started. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
    await this.exited;
  }
}

/** A command that runs in a terminal. */
export class AtTerminal extends Running {
  readonly screen = new TerminalScreen();

  /** Waits until the screen shows this. */
  async untilShown(text: RegExp): Promise<void> {
    await eventually(`the screen shows ${String(text)}`, () => {
      if (text.test(this.screen.text)) return true;
      throw this.notYet(this.screen.text);
    });
  }

  pressCtrlC(): void {
    this.type('\u0003');
  }

  protected override received(text: string): void {
    super.received(text);
    this.screen.write(text);
  }
}
