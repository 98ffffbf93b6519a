import { describe, expect, it } from 'vitest';
import { Progress } from '#test/cluster/progress.ts';

const STEPS = [
  { name: 'etcd', expectedSeconds: 60 },
  { name: 'kube-apiserver', expectedSeconds: 240 },
  { name: 'kubectl', expectedSeconds: 30 },
] as const;

/** Runs all steps, each slower than expected by `factor`, and returns the lines that stay or those of the terminal. */
async function linesOf(output: 'log' | 'terminal', factor: number): Promise<readonly string[]> {
  let seconds = 0;
  const kept: string[] = [];
  const rewritten: string[] = [];
  const progress = new Progress(STEPS, {
    report: (line) => void kept.push(line),
    rewrite: output === 'terminal' ? (line): void => void rewritten.push(line) : undefined,
    now: () => seconds * 1000,
  });
  for (const step of STEPS) {
    await progress.during(step, 'building', async () => {
      seconds += step.expectedSeconds * factor;
      await Promise.resolve();
    });
  }
  return output === 'terminal' ? rewritten : kept;
}

describe('progress', () => {
  it('in a log is one line a step, with the steps left, the time so far and the time left', async () => {
    expect(await linesOf('log', 1)).toEqual([
      'etcd: building; 3 of 3 steps left, 0 s so far, about 5 min 30 s left',
      'kube-apiserver: building; 2 of 3 steps left, 1 min 0 s so far, about 4 min 30 s left',
      'kubectl: building; 1 of 3 steps left, 5 min 0 s so far, about 30 s left',
      '3 programs ready after 5 min 30 s',
    ]);
  });

  it('learns from the steps that are done how slow the machine is', async () => {
    expect((await linesOf('log', 3))[1]).toBe(
      'kube-apiserver: building; 2 of 3 steps left, 3 min 0 s so far, about 13 min 30 s left',
    );
  });

  it('on a terminal is one line, which is gone at the end', async () => {
    const lines = await linesOf('terminal', 1);
    expect(lines.filter((line) => line !== '')).toHaveLength(3);
    expect(lines.at(-1)).toBe('');
  });
});
