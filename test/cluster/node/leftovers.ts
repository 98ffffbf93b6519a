import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { eventually } from '#test/support/eventually.ts';

const CGROUPS = '/sys/fs/cgroup';

/** The cgroup below which all pods of the cluster's node run, as the kubelet writes it; machine.sh makes it. */
export function cgroupOf(folder: string): string {
  return `/${basename(folder)}`;
}

/** Name of the machine's end of the devices that connect it with the node. At most 15 characters. */
export function deviceOf(folder: string): string {
  return `kf-${basename(folder).slice(-6)}`;
}

/**
 * Removes what the kernel does not remove with the node's namespaces, of this cluster only: the cgroups of its pods, and
 * the machine's end of its network, which goes by itself, but later.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const cgroup of cgroupsOf(folder)) {
    await eventually(`${cgroup} is gone`, () => removeCgroup(cgroup));
  }
  const device = deviceOf(folder);
  spawnSync('ip', ['link', 'delete', device]);
  await eventually(`${device} is gone`, () => !devices().includes(device));
}

/** One with cgroups version 2, one for each controller with version 1. */
export function cgroupsOf(folder: string): readonly string[] {
  const hierarchies = existsSync(join(CGROUPS, 'cgroup.procs'))
    ? [CGROUPS]
    : readdirSync(CGROUPS).map((name) => join(CGROUPS, name));
  return hierarchies.map((hierarchy) => join(hierarchy, cgroupOf(folder))).filter(existsSync);
}

/** A cgroup can only be removed when no process is in it any more, and none below it. */
function removeCgroup(cgroup: string): true {
  for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(cgroup, entry.name));
  }
  rmdirSync(cgroup);
  return true;
}

/** Names of the machine's network devices. */
export function devices(): readonly string[] {
  return readdirSync('/sys/class/net');
}
