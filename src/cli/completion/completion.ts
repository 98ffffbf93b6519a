import type { Invocation } from '../invocation.ts';
import { Problem } from '../problem.ts';
import { SCRIPTS } from './scripts.ts';

/** `completion SHELL`: prints the script. Resolves with the exit code. */
export async function printCompletion({ output }: Invocation, shell: string): Promise<number> {
  const script = new Map(Object.entries(SCRIPTS)).get(shell);
  if (script === undefined)
    throw new Problem(`There is no completion for ${shell}. There is: ${Object.keys(SCRIPTS).join(', ')}.`);
  output.line(script.trimEnd());
  return Promise.resolve(0);
}
