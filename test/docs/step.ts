import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { difference, trimmed } from './blocks/compare.ts';
import type { Step } from './blocks/page.ts';
import type { Shell } from './shell.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface StepContext {
  readonly shell: Shell;
  /** What the page says → what the harness has. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Where an output is another one: return what to write into the page, instead of failing. Look at it before you commit it. */
  readonly updates?: boolean;
}

/** Output for a page. */
export interface Edit {
  readonly step: Step;
  readonly lines: readonly string[];
}

/**
 * Runs a step. Throws with the page, the line and the output when its command fails, does not fail although the page says so, or
 * prints something else than the page shows; then with a diff.
 */
export async function runStep(file: string, step: Step, context: StepContext): Promise<readonly Edit[]> {
  const { shell, aliases, updates = process.env['KEYFERRY_DOCS'] === 'update' } = context;
  const pairs = Object.entries(aliases);
  const text = pairs.reduce((said, [name, real]) => said.replaceAll(name, real), step.text);
  const { code, output } = await shell.run(text, { mayFail: step.fails });
  const shown = pairs.reduce((printed, [name, real]) => printed.replaceAll(real, name), output);
  const fail = (problem: string): never => {
    throw new Error(`${file}:${step.line}: ${problem}\n$ ${step.text}\n${shown}`);
  };
  if (step.fails && code === 0) fail('the page says that this fails, but it does not');
  if (!step.fails && code !== 0) fail(`this ended with exit code ${code}`);
  if (step.expected === undefined) return [];
  const lines = shown.split('\n').map((line) => line.trimEnd());
  const diff = difference(step.expected, lines);
  if (diff === undefined) return [];
  if (updates) return [{ step, lines: trimmed(lines) }];
  return fail(`the output is another one (- page, + output)\n${diff}\n\nThe command and all of its output:`);
}

/** Puts real output into a page, from the end to the beginning. */
export function writeOutputs(file: string, edits: readonly Edit[]): void {
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
  for (const { step, lines: output } of [...edits].reverse()) {
    const first = step.line - 1 + step.text.split('\n').length;
    lines.splice(first, step.expected?.length ?? 0, ...output);
  }
  writeFileSync(join(ROOT, file), lines.join('\n'));
}
