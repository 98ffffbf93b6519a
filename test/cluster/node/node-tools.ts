import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, versionOutput } from '../binaries.ts';
import type { Report } from '../build.ts';
import { kubernetesTool, pinnedVersion, variableOf, type Tool } from '../tools.ts';

const MODULES = join(import.meta.dirname, '..');

/** Absolute paths of what a node runs beside the programs of its cluster. */
export interface NodeBinaries {
  readonly scheduler: string;
  readonly kubelet: string;
  readonly containerd: string;
  readonly shim: string;
  readonly ctr: string;
  readonly runc: string;
  /** Whether runc can apply seccomp profiles, which it needs libseccomp for. */
  readonly hasSeccomp: boolean;
  /** Stands before a runc that cannot. */
  readonly runcWithoutSeccomp: string;
  /** CNI plugins. */
  readonly bridge: string;
  readonly hostLocal: string;
  /** Static programs of our own, each the only file of an image. */
  readonly pause: string;
  readonly workload: string;
}

/** Finds or builds each program, as `findBinaries` does for those of every cluster. */
export async function findNodeBinaries(report: Report, environment = process.env): Promise<NodeBinaries> {
  const find = (tool: Tool): Promise<string> => findTool(tool, report, environment);
  // One after the other, for the same reason as there.
  const runc = await find(runcTool());
  return {
    scheduler: await find(kubernetesTool('kube-scheduler', 1)),
    kubelet: await find(kubernetesTool('kubelet', 2)),
    containerd: await find(containerdTool('containerd')),
    shim: await find(containerdTool('containerd-shim-runc-v2')),
    ctr: await find(containerdTool('ctr')),
    runc,
    hasSeccomp: (await versionOutput(runc, ['--version'])).includes('libseccomp'),
    runcWithoutSeccomp: await find(ownProgram('runc-without-seccomp')),
    bridge: await find(cniPlugin('bridge', 'main/bridge')),
    hostLocal: await find(cniPlugin('host-local', 'ipam/host-local')),
    pause: await find(ownProgram('pause')),
    workload: await find(ownProgram('workload')),
  };
}

function containerdTool(name: 'containerd' | 'containerd-shim-runc-v2' | 'ctr'): Tool {
  const moduleFolder = join(MODULES, 'containerd');
  return {
    name,
    variable: variableOf(name),
    moduleFolder,
    packagePath: `github.com/containerd/containerd/v2/cmd/${name}`,
    version: pinnedVersion(moduleFolder, 'github.com/containerd/containerd/v2'),
    buildMinutes: 1,
    versionArguments: ['--version'],
    // The configuration that we write is of version 3.
    accepts: ([major]) => major === 2,
    acceptable: '2.0 or newer',
    linkerFlags: [],
  };
}

function runcTool(): Tool {
  const moduleFolder = join(MODULES, 'runc');
  const hasSeccomp = spawnSync('pkg-config', ['--exists', 'libseccomp']).status === 0;
  return {
    name: 'runc',
    variable: variableOf('runc'),
    moduleFolder,
    packagePath: 'github.com/opencontainers/runc',
    version: pinnedVersion(moduleFolder, 'github.com/opencontainers/runc'),
    buildMinutes: 1,
    versionArguments: ['--version'],
    accepts: ([major, minor]) => major === 1 && minor >= 1,
    acceptable: '1.1 or newer',
    linkerFlags: [],
    cgo: {
      buildTags: hasSeccomp ? ['seccomp'] : [],
      remedy: 'runc also needs a C compiler; `apt-get install runc` gives a built one.',
    },
  };
}

function cniPlugin(name: 'bridge' | 'host-local', place: string): Tool {
  const moduleFolder = join(MODULES, 'cni');
  return {
    name: `cni-${name}`,
    variable: variableOf(`cni-${name}`),
    moduleFolder,
    packagePath: `github.com/containernetworking/plugins/plugins/${place}`,
    version: pinnedVersion(moduleFolder, 'github.com/containernetworking/plugins'),
    buildMinutes: 1,
    notInPath: true, // Plugins are not installed there, and iproute2 has a program called bridge.
    ...anyVersion,
  };
}

/** A program of this folder; the digest of its source is its version, so that a change is built again. */
function ownProgram(name: 'pause' | 'workload' | 'runc-without-seccomp'): Tool {
  const source = readFileSync(join(import.meta.dirname, name, 'main.go'));
  return {
    name: `node-${name}`,
    variable: variableOf(`node-${name}`),
    moduleFolder: import.meta.dirname,
    packagePath: `./${name}`,
    version: createHash('sha256').update(source).digest('hex').slice(0, 12),
    buildMinutes: 0.1,
    notInPath: true,
    ...anyVersion,
  };
}

const anyVersion = {
  versionArguments: ['--version'],
  accepts: () => true,
  acceptable: 'the pinned version',
  linkerFlags: [],
} as const;
