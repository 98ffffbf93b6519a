import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { findTools, versionOutput } from '../binaries.ts';
import type { Report } from '../build.ts';
import { digestOf, kubernetesTool, pinnedVersion, variableOf, type Tool } from '../tools.ts';

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
  const tools = [
    runcTool(),
    kubernetesTool('kube-scheduler', 1),
    kubernetesTool('kubelet', 2),
    containerdTool('containerd'),
    containerdTool('containerd-shim-runc-v2'),
    containerdTool('ctr'),
    ownProgram('runc-without-seccomp'),
    cniPlugin('bridge', 'main/bridge'),
    cniPlugin('host-local', 'ipam/host-local'),
    ownProgram('pause'),
    ownProgram('workload'),
  ];
  const found = await findTools(tools, report, environment);
  return {
    scheduler: found('kube-scheduler'),
    kubelet: found('kubelet'),
    containerd: found('containerd'),
    shim: found('containerd-shim-runc-v2'),
    ctr: found('ctr'),
    runc: found('runc'),
    hasSeccomp: (await versionOutput(found('runc'), ['--version'])).includes('libseccomp'),
    runcWithoutSeccomp: found('node-runc-without-seccomp'),
    bridge: found('cni-bridge'),
    hostLocal: found('cni-host-local'),
    pause: found('node-pause'),
    workload: found('node-workload'),
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
  return {
    name: `node-${name}`,
    variable: variableOf(`node-${name}`),
    moduleFolder: import.meta.dirname,
    packagePath: `./${name}`,
    version: digestOf(join(import.meta.dirname, name), ['main.go']),
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
