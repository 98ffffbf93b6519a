import { readFileSync } from 'node:fs';
import { eventually, GiveUp } from '#test/support/eventually.ts';
import { isFree } from './ports.ts';
import {
  isAlive,
  logFileOf,
  readPid,
  signalGroup,
  startProcess,
  stopProcess,
  waitUntilDead,
} from './processes.ts';
import type { ClusterLayout, ServerName } from './state.ts';

const READY_DEADLINE_MS = 60_000;
const LOG_TAIL_LINES = 25;

/** Another program took the port between our look and the server's bind: start again with other ports. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
}

/** Whether a server is ready; false or a throw mean not yet. */
export type Probe = () => Promise<boolean>;

/**
 * Waits until the probe says that the process is ready. Throws with the tail of its log when it takes too long, and at
 * once when it is gone.
 */
export async function waitUntilReady(
  folder: string,
  name: string,
  probe: Probe,
  pid: number | undefined,
): Promise<void> {
  const check = async (): Promise<boolean> => {
    if (pid === undefined || !isAlive(pid)) throw new GiveUp(`${name} exited`);
    return await probe();
  };
  try {
    await eventually(`${name} is ready`, check, { deadlineMs: READY_DEADLINE_MS });
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    const log = logFileOf(folder, name);
    const tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
    throw new Error([`${name}: ${what}`, `last lines of ${log}:`, ...tail].join('\n'), { cause: error });
  }
}

/** Starts, stops and signals the servers of one cluster, from whichever process holds its layout. */
export class Lifecycle {
  readonly #layout: ClusterLayout;

  constructor(layout: ClusterLayout) {
    this.#layout = layout;
  }

  /** Starts the server and waits until it is ready. Throws with the tail of its log when it dies or takes too long. */
  async start(name: ServerName, probe: Probe): Promise<void> {
    const { pid } = startProcess(this.#layout.folder, this.#layout.servers[name]);
    await this.waitUntil(name, probe, pid);
  }

  /** Waits until the probe says so; gives up at once when the server's process is gone. */
  async waitUntil(name: ServerName, probe: Probe, pid = this.pid(name)): Promise<void> {
    try {
      await waitUntilReady(this.#layout.folder, name, probe, pid);
    } catch (error) {
      const collided = !this.isRunning(name) && !(await this.#portsAreFree(name));
      throw collided && error instanceof Error ? new PortTaken(error.message, { cause: error }) : error;
    }
  }

  pid(name: ServerName): number | undefined {
    return readPid(this.#layout.folder, name);
  }

  isRunning(name: ServerName): boolean {
    const pid = this.pid(name);
    return pid !== undefined && isAlive(pid);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(name: ServerName): Promise<void> {
    const pid = this.pid(name);
    if (pid === undefined || !isAlive(pid)) return;
    signalGroup(pid, 'SIGKILL');
    await waitUntilDead(pid);
  }

  /** Resolves when nothing of it runs any more. */
  async pause(name: ServerName): Promise<void> {
    await stopProcess(this.#runningPid(name));
  }

  resume(name: ServerName): void {
    signalGroup(this.#runningPid(name), 'SIGCONT');
  }

  #runningPid(name: ServerName): number {
    const pid = this.pid(name);
    if (pid === undefined || !isAlive(pid)) throw new Error(`${name} does not run`);
    return pid;
  }

  /** Looks at the ports themselves and not at the server's words. */
  async #portsAreFree(name: ServerName): Promise<boolean> {
    const { ports } = this.#layout;
    const own = {
      etcd: [ports.etcd, ports.etcdPeer],
      apiserver: [ports.apiserver],
      'controller-manager': [ports.controllerManager],
      bao: [ports.bao, ports.baoCluster],
    }[name];
    const free = await Promise.all(own.map(isFree));
    return free.every(Boolean);
  }
}
