import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

const PROGRAMS = ['unshare', 'nsenter', 'mount', 'ip', 'tar', 'sh'] as const;
const CONTROLLERS = ['cpu', 'memory', 'pids'] as const;
/** machine.sh puts empty file systems over them. */
const HIDDEN = ['/run', '/var/run', '/var/log'] as const;

/** In one sentence why this machine cannot run a node, or undefined when it can. Changes nothing. */
export function nodeObstacle(): string | undefined {
  const checks = [notLinux, notRoot, missingProgram, missingCgroups, hiddenFolder, missingKernelPart];
  for (const check of checks) {
    const obstacle = check();
    if (obstacle !== undefined) return obstacle;
  }
  return undefined;
}

function notLinux(): string | undefined {
  return process.platform === 'linux'
    ? undefined
    : `A node needs Linux, and this is ${process.platform}: run it in a Linux virtual machine.`;
}

function notRoot(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'A node needs root: run it with sudo.';
}

function missingProgram(): string | undefined {
  const missing = PROGRAMS.find((name) => spawnSync(name, ['--version']).error !== undefined);
  return missing === undefined
    ? undefined
    : `A node needs ${missing} in PATH: install util-linux, iproute2 and tar.`;
}

function missingCgroups(): string | undefined {
  const unified = '/sys/fs/cgroup/cgroup.controllers';
  const available = existsSync(unified)
    ? readFileSync(unified, 'utf8').trim().split(' ')
    : CONTROLLERS.filter((name) => existsSync(`/sys/fs/cgroup/${name}/cgroup.procs`));
  const missing = CONTROLLERS.find((name) => !available.includes(name));
  return missing === undefined
    ? undefined
    : `A node needs the ${missing} controller of cgroups below /sys/fs/cgroup: mount cgroups, or run it in a container that is privileged.`;
}

function hiddenFolder(): string | undefined {
  const hidden = HIDDEN.find((folder) => `${tmpdir()}/`.startsWith(`${folder}/`));
  return hidden === undefined
    ? undefined
    : `A node hides ${hidden} from itself: set TMPDIR to a folder elsewhere.`;
}

/** Tries it, in namespaces that end with the command. */
function missingKernelPart(): string | undefined {
  const steps: readonly (readonly [what: string, command: string])[] = [
    ['mount, network and process namespaces', ':'],
    ['mounts in a namespace of its own', 'mount -t proc proc /proc && mount -t tmpfs tmpfs /run'],
    [
      'the overlay file system',
      'mount -t tmpfs tmpfs /run && mkdir /run/u /run/w && mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/run/u,workdir=/run/w /var/lib',
    ],
    ['network bridges', 'ip link add kf0 type bridge'],
    ['pairs of virtual network devices (veth)', 'ip link add kf0 type veth peer name kf1'],
  ];
  const missing = steps.find(([, command]) => {
    const namespaces = ['--mount', '--net', '--pid', '--fork'];
    return spawnSync('unshare', [...namespaces, 'sh', '-c', command]).status !== 0;
  });
  return missing === undefined
    ? undefined
    : `A node needs ${missing[0]}, which this kernel or container does not allow: run it as root on a machine of its own.`;
}

// `make test-node`: that sentence and nothing else, before anything is built.
if (import.meta.main) {
  const obstacle = nodeObstacle();
  if (obstacle !== undefined) {
    process.stderr.write(`${obstacle}\n`);
    process.exitCode = 1;
  }
}
