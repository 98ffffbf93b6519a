import { spawnSync } from 'node:child_process';
import type { Engine } from '#src/image/engine.ts';

/** Container engines that kind drives and `make image` builds with, in kind's own order of preference. */
const ENGINES = ['docker', 'podman'] as const satisfies readonly Engine[];

const PROGRAMS: Readonly<Record<string, string>> = {
  go: 'Go 1.26 or newer runs the pinned kind: https://go.dev/dl',
  kubectl: 'https://kubernetes.io/docs/tasks/tools/',
};

/** What `make kind` runs in. */
export interface Requirements {
  readonly engine: string;
}

/** Starts a program and returns whether it ended with success; its output is not shown. */
type Succeeds = (program: string, args: readonly string[]) => boolean;

/** Finds the engine. Throws with everything that is missing and what to do about it. */
export function checkRequirements(succeeds: Succeeds = runsWell): Requirements {
  const engine = ENGINES.find((name) => succeeds(name, ['info']));
  const missing = Object.entries(PROGRAMS)
    .filter(([name]) => !succeeds('sh', ['-c', `command -v ${name}`]))
    .map(([name, remedy]) => `  ${name} is not in PATH. ${remedy}`);
  if (engine !== undefined && missing.length === 0) return { engine };
  const noEngine =
    engine === undefined
      ? [
          '  No container engine answers: docker info and podman info failed. Start one of them.',
          '  Without an engine, "make demo" does the same migrations on servers without pods, and "make test-node" (Linux, root)',
          '  runs them in pods on a real kubelet.',
        ]
      : [];
  throw new Error(['make kind cannot start:', ...noEngine, ...missing].join('\n'));
}

function runsWell(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
}
