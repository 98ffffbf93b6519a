import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface KubectlResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface KubectlOptions {
  /** Written to kubectl's standard input. */
  readonly input?: string | Buffer;
}

export interface KubectlSetup {
  readonly program: string;
  readonly kubeconfig: string;
  /** kubectl keeps its discovery cache below it. */
  readonly home: string;
}

/** Runs kubectl and returns what it printed; a non-zero exit is a result, not an error. */
export async function runKubectl(
  setup: KubectlSetup,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<KubectlResult> {
  const child = spawn(setup.program, args, {
    env: { ...process.env, KUBECONFIG: setup.kubeconfig, HOME: setup.home },
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined); // kubectl may refuse its arguments before it has read its input.
  child.stdin.end(options.input ?? '');
  const [code]: (number | null)[] = await once(child, 'close');
  return {
    stdout: Buffer.concat(stdout).toString('utf8'),
    stderr: Buffer.concat(stderr).toString('utf8'),
    code: code ?? -1,
  };
}
