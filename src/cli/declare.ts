import type { Command } from 'commander';
import type { GlobalFlags, Invocation } from './invocation.ts';

/*
 * How a command is declared: its words are loaded for every --help, its code only when it is carried out.
 */

/** What a person typed: the arguments of the command, then its flags by name. */
export type Typed = readonly unknown[];

/**
 * Makes the action of a command: loads its code, calls it, and keeps its exit code. `load` must be a function that imports
 * with `import()`, so that other commands do not pay for it.
 */
export type Carry = <Loaded>(
  run: (loaded: Loaded, invocation: Invocation, ...typed: Typed) => Promise<number>,
  load: () => Promise<Loaded>,
) => (...typed: Typed) => Promise<void>;

/** The flags that choose the cluster and the namespace, as in kubectl. */
export function withGlobalFlags(command: Command): Command {
  return command
    .option('--kubeconfig <path>', 'kubeconfig file, or several with ":" between them')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', 'namespace; default: that of the context');
}

/** The flags among the ones that a person typed. */
export function globalFlagsOf(options: Readonly<Record<string, unknown>>): GlobalFlags {
  const { context, kubeconfig, namespace } = options;
  return { context: text(context), kubeconfig: text(kubeconfig), namespace: text(namespace) };
}

function text(option: unknown): string | undefined {
  return typeof option === 'string' ? option : undefined;
}

/** Sentence and command of each example. */
export type Examples = readonly (readonly [string, string])[];

const EXAMPLES = new WeakMap<Command, Examples>();

/** Examples stand first in the help of the command: most people look for a line to copy. */
export function withExamples(command: Command, examples: Examples): Command {
  EXAMPLES.set(command, examples);
  return command;
}

export function examplesOf(command: Command): Examples {
  return EXAMPLES.get(command) ?? [];
}
