import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { withBuildLock } from './build-lock.ts';
import { isExecutable } from './executable.ts';
import type { Tool } from './tools.ts';

/** Where progress goes; one line a call, without a newline. */
export type Report = (line: string) => void;

const KEPT_OUTPUT_LINES = 25;

/**
 * Builds the tool from its pinned module into `target`, unless another process does so first.
 * Throws with the last lines of the compiler's output and what to do about it.
 */
export async function buildTool(
  tool: Tool,
  target: string,
  report: Report,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const announceWait = (holder: number): void =>
    report(`${tool.name} v${tool.version}: process ${holder} is building it, waiting`);
  await withBuildLock(`${target}.lock`, announceWait, async () => {
    if (await isExecutable(target)) return;
    await removePartials(target);
    const partial = `${target}.${process.pid}.partial`;
    try {
      await runGoBuild(tool, partial, environment);
      await rename(partial, target);
    } finally {
      await rm(partial, { force: true });
    }
  });
}

async function removePartials(target: string): Promise<void> {
  const folder = dirname(target);
  for (const name of await readdir(folder)) {
    const isPartial = name.startsWith(`${basename(target)}.`) && name.endsWith('.partial');
    if (isPartial) await rm(join(folder, name), { force: true });
  }
}

async function runGoBuild(tool: Tool, output: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const linkerFlags = ['-s', '-w', ...tool.linkerFlags].join(' ');
  const tags = (tool.cgo?.buildTags ?? []).join(',');
  const args = ['build', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags, '-tags', tags];
  const go = spawn('go', [...args, '-o', output, tool.packagePath], {
    cwd: tool.moduleFolder,
    env: { ...environment, CGO_ENABLED: tool.cgo === undefined ? '0' : '1', GOFLAGS: '-mod=readonly' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let tail: readonly string[] = [];
  const keepTail = (chunk: Buffer): void => {
    tail = [...tail, ...chunk.toString('utf8').split('\n').filter(Boolean)].slice(-KEPT_OUTPUT_LINES);
  };
  go.stdout.on('data', keepTail);
  go.stderr.on('data', keepTail);
  // `close` and not `exit`: the last lines of output, which the error shows, may come after the exit.
  const exitCode = await once(go, 'close').then(
    ([code]: unknown[]) => code,
    (error: unknown) => {
      throw new Error(
        `${tool.name} v${tool.version} must be built, but Go could not be started. ${remedy(tool)}`,
        {
          cause: error,
        },
      );
    },
  );
  if (exitCode === 0) return;
  throw new Error(
    [`Building ${tool.name} v${tool.version} failed. ${remedy(tool)} Last output:`, ...tail].join('\n'),
  );
}

function remedy(tool: Tool): string {
  const ways = [
    'Install Go 1.26 or newer (https://go.dev/dl) with access to a Go module proxy',
    ...(tool.notInPath === true ? [] : [`put ${tool.name} ${tool.acceptable} into PATH`]),
    `or set ${tool.variable} to the path of the program.`,
  ];
  return [ways.join(', '), ...(tool.cgo === undefined ? [] : [tool.cgo.remedy])].join(' ');
}
