import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { attachCluster, startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { cgroupsOf, deviceOf, devices } from '#test/cluster/node/leftovers.ts';
import { attachNode, startNode, type Node } from '#test/cluster/node/node.ts';
import { isAlive, readPid } from '#test/cluster/processes.ts';
import { stateFileOf } from '#test/cluster/state.ts';
import { eventually } from '#test/support/eventually.ts';

const HOLDER = join(import.meta.dirname, '..', 'support', 'cluster-holder.ts');
/** Everything that kubelet, containerd and CNI write by default. */
const MACHINE_FOLDERS = [
  '/etc/cni/net.d',
  '/opt/containerd',
  '/run/containerd',
  '/run/netns',
  '/usr/libexec/kubernetes',
  '/var/lib/cni',
  '/var/lib/kubelet',
  '/var/log/containers',
  '/var/log/pods',
] as const;
/** What the kubelet sets on a machine of its own. */
const TUNABLES = ['vm/overcommit_memory', 'kernel/panic', 'kernel/keys/root_maxbytes'] as const;

let temporary: string;
let holder: ChildProcess | undefined;
const ignore = (): void => undefined;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'keyferry-cleanup-'));
});

afterEach(() => {
  holder?.kill('SIGKILL');
  holder = undefined;
  rmSync(temporary, { recursive: true, force: true });
});

function machine(): unknown {
  return {
    mounts: readFileSync('/proc/self/mounts', 'utf8').split('\n').toSorted(),
    folders: MACHINE_FOLDERS.filter((folder) => existsSync(folder)),
    tunables: TUNABLES.map((name) => readFileSync(`/proc/sys/${name}`, 'utf8')),
  };
}

/** Ids of the node's own processes and of all that run in its pods. */
function nodeProcesses(folder: string): readonly number[] {
  const own = namespaceOf(String(readPid(folder, 'node-machine')));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => namespaceOf(pid) === own || isInPod(pid, folder))
    .map(Number);
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined; // It has just ended.
  }
}

function isInPod(pid: string, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`/${basename(folder)}/`);
  } catch {
    return false;
  }
}

async function runOnePod(cluster: Cluster, node: Node): Promise<void> {
  const namespace = await cluster.createNamespace('cleanup');
  await node.runPod({ namespace, name: 'workload' });
}

/** The evidence that there is something to clean up: else the tests below would pass for nothing. */
function expectARunningPod(folder: string): readonly number[] {
  const processes = nodeProcesses(folder);
  expect(processes.filter((pid) => isInPod(String(pid), folder))).toHaveLength(2); // pause and the workload
  expect(processes.length).toBeGreaterThanOrEqual(7);
  expect(devices()).toContain(deviceOf(folder));
  expect(cgroupsOf(folder)).not.toEqual([]);
  return processes;
}

function expectNothingOf(folder: string, processes: readonly number[]): void {
  expect(processes.filter(isAlive)).toEqual([]);
  expect(devices()).not.toContain(deviceOf(folder));
  expect(cgroupsOf(folder)).toEqual([]);
}

it('a node that is disposed of leaves the machine as it was, and the cluster running', async () => {
  const before = machine();
  await using cluster = await startCluster({ report: ignore });
  const node = await startNode(cluster, ignore);
  await runOnePod(cluster, node);
  const processes = expectARunningPod(cluster.folder);
  expect(machine()).toEqual(before);
  await node.dispose();
  expectNothingOf(cluster.folder, processes);
  expect(existsSync(join(cluster.folder, 'node'))).toBe(false);
  expect(machine()).toEqual(before);
  const again = await startNode(cluster, ignore);
  await runOnePod(cluster, again);
  await again.dispose();
});

it('a starter that is killed leaves nothing of its node', async () => {
  const before = machine();
  holder = spawn(process.execPath, [HOLDER, 'node'], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line]: unknown[] = await once(holder.stdout ?? holder, 'data');
  const folder = String(line).trim();
  const cluster = attachCluster(stateFileOf(folder));
  await runOnePod(cluster, attachNode(cluster));
  await cluster.dispose();
  const processes = expectARunningPod(folder);
  holder.kill('SIGKILL');
  await eventually('the folder is gone', () => readdirSync(temporary).length === 0);
  expectNothingOf(folder, processes);
  expect(machine()).toEqual(before);
});
