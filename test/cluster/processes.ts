import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Long-lived processes of a cluster. Each runs in a process group of its own (Ctrl-C in the terminal does not reach
 * it) and writes its own id to `<folder>/run/<name>.pid` before it becomes the server. Those files are the truth about
 * what runs: any process that knows the folder can kill and restart, and the reaper finds everything after a crash.
 */
export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; default: this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
}

export interface StartedProcess {
  readonly pid: number;
  readonly child: ChildProcess;
}

/**
 * Writes the pid, then looks for the reaper's mark, then execs. The order matters: either the reaper, which sets its
 * mark first and lists the pids afterwards, sees this pid, or this shell sees the mark. No start can slip through.
 */
const WRAPPER = 'echo $$ >"$1.new" && mv "$1.new" "$1" || exit 1; [ -e "$2" ] && exit 1; shift 2; exec "$@"';

const KILL_DEADLINE_MS = 10_000;
const STOP_DEADLINE_MS = 10_000;
const POLL_MS = 10;

export function pidFileOf(folder: string, name: string): string {
  return join(folder, 'run', `${name}.pid`);
}

export function logFileOf(folder: string, name: string): string {
  return join(folder, 'log', `${name}.log`);
}

/** Its existence says that the cluster is being taken down: nothing may start any more. */
export function reapMarkOf(folder: string): string {
  return join(folder, 'run', 'reaping');
}

/**
 * Starts the process; output is appended to its log file. The child does not keep this process alive, but while this
 * process lives its `exit` event tells how it ended.
 */
export function startProcess(folder: string, spec: ProcessSpec): StartedProcess {
  const log = openSync(logFileOf(folder, spec.name), 'a');
  const wrapperArguments = [pidFileOf(folder, spec.name), reapMarkOf(folder), spec.command, ...spec.args];
  const child = spawn('/bin/sh', ['-c', WRAPPER, 'sh', ...wrapperArguments], {
    cwd: spec.workingDirectory ?? folder,
    detached: true,
    stdio: ['ignore', log, log],
    env: spec.environment ?? process.env,
  });
  closeSync(log);
  child.unref();
  if (child.pid === undefined) throw new Error(`${spec.name} could not be started`);
  return { pid: child.pid, child };
}

/** Id of the process last started under this name, alive or not. */
export function readPid(folder: string, name: string): number | undefined {
  return parsePidFile(pidFileOf(folder, name));
}

export function parsePidFile(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8'));
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/**
 * False for a zombie, too: a container whose first process does not reap keeps those forever. A zombie of which other
 * threads still run counts as alive: they hold its ports and files a moment longer.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    return stateIn(`/proc/${pid}/stat`) === 'Z' && readdirSync(`/proc/${pid}/task`).length <= 1;
  } catch {
    return false;
  }
}

/** The one-letter state in a stat file of proc(5). */
function stateIn(statFile: string): string {
  const stat = readFileSync(statFile, 'utf8');
  // The second field is the program's name in parentheses and may hold anything.
  return stat.charAt(stat.lastIndexOf(')') + 2);
}

function isStopped(pid: number): boolean {
  if (!existsSync('/proc/self/stat'))
    return execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('T');
  try {
    return readdirSync(`/proc/${pid}/task`).every(
      (thread) => stateIn(`/proc/${pid}/task/${thread}/stat`) === 'T',
    );
  } catch (error) {
    // A thread ended between the listing and the look at it.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * SIGSTOP; resolves when every thread has stopped. The signal alone takes effect thread by thread, and a server with
 * a thread on another core still answers a request that is sent right after it.
 */
export async function stopProcess(pid: number): Promise<void> {
  signalGroup(pid, 'SIGSTOP');
  const deadline = performance.now() + STOP_DEADLINE_MS;
  while (!isStopped(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} does not stop`);
    await sleep(POLL_MS);
  }
}

/** True when the process still is one of this cluster: an id may have been given to a stranger since. */
export function belongsTo(folder: string, pid: number): boolean {
  try {
    if (existsSync('/proc/self/cmdline'))
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(folder);
  } catch {
    return false;
  }
}

/** Sends a signal to the process group; a group that is gone is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Resolves when the process is gone; rejects after ten seconds. */
export async function waitUntilDead(pid: number): Promise<void> {
  const deadline = performance.now() + KILL_DEADLINE_MS;
  while (isAlive(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} does not die`);
    await sleep(POLL_MS);
  }
}
