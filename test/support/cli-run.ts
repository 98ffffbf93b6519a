import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Cluster } from '#test/cluster/cluster.ts';
import { OPERATOR_BUNDLE } from './operator-process.ts';

/** What a command of people printed, and what other processes of the machine could see of it. */
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Its arguments and its environment while it ran, as /proc has them. */
  readonly visible: string;
}

export interface CliOptions {
  /** Written to its standard input, once the process runs. */
  readonly input?: string;
  /** Default: that of an administrator. */
  readonly kubeconfig?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Another name of the program, such as a link to it. */
  readonly program?: string;
}

/** Runs a command of the bundle that ships as a process of its own, in a pipe. */
export async function runCli(
  cluster: Cluster,
  args: readonly string[],
  { input, kubeconfig, environment = {}, program = OPERATOR_BUNDLE }: CliOptions = {},
): Promise<CliResult> {
  const child = spawn(program, args, {
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      HOME: cluster.folder,
      KUBECONFIG: kubeconfig ?? cluster.kubeconfigPath,
      ...environment,
    },
  });
  const [stdout, stderr] = [collected(child.stdout), collected(child.stderr)];
  child.stdin.on('error', () => undefined); // It may end before it reads its input.
  await once(child, 'spawn');
  const visible = visibleOf(child.pid);
  child.stdin.end(input ?? '');
  const [code]: (number | null)[] = await once(child, 'close');
  return { code: code ?? null, stdout: stdout(), stderr: stderr(), visible: visible + visibleOf(child.pid) };
}

function collected(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

/** Empty after its end, and where there is no /proc. */
function visibleOf(pid: number | undefined): string {
  return ['cmdline', 'environ'].map((file) => readOrNothing(`/proc/${pid}/${file}`)).join('\0');
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
