import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { randomInt } from 'node:crypto';
import { KUBERNETES_SERVICE_ADDRESS } from '../identities.ts';
import { waitUntilReady } from '../lifecycle.ts';
import { readPid, startProcess, type ProcessSpec } from '../processes.ts';
import { deviceOf } from './leftovers.ts';

const run = promisify(execFile);

/** The node's end of the pair of devices that leads to the machine. */
const UPLINK = 'uplink';

/** The namespaces in which a node lives; see machine.sh. */
export interface Namespaces {
  /** The node's address, which the machine and thus the apiserver reaches. */
  readonly address: string;
  /** The same process, but in the namespaces. */
  enter(spec: ProcessSpec): ProcessSpec;
  /** Runs a command in the namespaces and waits for it; throws when it fails. */
  run(command: string, args: readonly string[]): Promise<void>;
}

/** Opens the namespaces and connects them with the machine. They end with the process `node-machine`. */
export async function openNamespaces(folder: string): Promise<Namespaces> {
  const flags = ['--mount', '--net', '--pid', '--fork', '--kill-child=SIGKILL'];
  const script = join(import.meta.dirname, 'machine.sh');
  const { pid } = startProcess(folder, {
    name: 'node-unshare',
    command: 'unshare',
    args: [...flags, '/bin/sh', script, folder],
  });
  const isReady = async (): Promise<boolean> => existsSync(join(folder, 'node', 'machine-is-ready'));
  await waitUntilReady(folder, 'node-unshare', isReady, pid);
  const inside = insideOf(folder);
  return { ...inside, address: await connect(folder, inside) };
}

/** The way into the namespaces that another process opened. */
export function insideOf(folder: string): Pick<Namespaces, 'enter' | 'run'> {
  const target = ['--target', String(readPid(folder, 'node-machine')), '--mount', '--net', '--pid', '--'];
  return {
    enter: (spec) => ({ ...spec, command: 'nsenter', args: [...target, spec.command, ...spec.args] }),
    run: async (command, args) => {
      await run('nsenter', [...target, command, ...args]);
    },
  };
}

/**
 * Two addresses of 198.18.0.0/15, the range for tests of network devices (RFC 2544), which nothing else uses. By chance
 * and not one after the other, so that several clusters can have a node side by side.
 */
async function connect(folder: string, inside: Pick<Namespaces, 'run'>): Promise<string> {
  const network = randomInt(0, 2 ** 15) * 4;
  const address = (host: number): string =>
    `198.${18 + (network >> 16)}.${(network >> 8) & 255}.${(network & 255) + host}`;
  const device = deviceOf(folder);
  const node = String(readPid(folder, 'node-machine'));
  await run('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', UPLINK, 'netns', node]);
  await run('ip', ['address', 'add', `${address(1)}/30`, 'dev', device]);
  await run('ip', ['link', 'set', device, 'up']);
  await inside.run('ip', ['address', 'add', `${address(2)}/30`, 'dev', UPLINK]);
  await inside.run('ip', ['link', 'set', UPLINK, 'up']);
  // Instead of kube-proxy: the Service's address is the node's own, and a forwarder listens on it.
  await inside.run('ip', ['address', 'add', `${KUBERNETES_SERVICE_ADDRESS}/32`, 'dev', 'lo']);
  return address(2);
}
