import { spawn, type ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Cluster } from '#test/cluster/cluster.ts';
import { OPERATOR_BUNDLE } from './operator-process.ts';

/** A command of a person that has ended. */
export interface EndedCommand {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<EndedCommand>;
}

export interface CommandOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** What comes from a pipe. Default: nothing. */
  readonly input?: string;
  /** Default: that of the administrator. */
  readonly kubeconfig?: string;
}

/** Starts the bundle as a person does in a pipe, with nothing else in its environment. */
export function startCommand(
  args: readonly string[],
  { cluster, input = '', kubeconfig, namespace }: CommandOptions,
): RunningCommand {
  const child = spawn(OPERATOR_BUNDLE, [...args, '-n', namespace], {
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      KUBECONFIG: kubeconfig ?? cluster.kubeconfigPath,
    },
  });
  child.stdin.end(input);
  const ended = Promise.all([
    new Promise<number | null>((resolve) => void child.once('close', resolve)),
    text(child.stdout),
    text(child.stderr),
  ]).then(([code, out, err]) => ({ code, out, err }));
  return { child, ended };
}

/** The same, until it has ended. */
export async function runCommand(args: readonly string[], options: CommandOptions): Promise<EndedCommand> {
  return await startCommand(args, options).ended;
}

/** The same on a terminal, where a person types `input`; `script` of util-linux makes the terminal. */
export async function runOnTerminal(args: readonly string[], options: CommandOptions): Promise<EndedCommand> {
  const { cluster, input = '', kubeconfig, namespace } = options;
  const line = [OPERATOR_BUNDLE, ...args, '-n', namespace].join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      KUBECONFIG: kubeconfig ?? cluster.kubeconfigPath,
      TERM: 'xterm',
    },
  });
  child.stdin.write(input);
  const out = text(child.stdout);
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  return { code, out: await out, err: '' };
}
