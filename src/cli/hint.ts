import type { GlobalFlags } from './invocation.ts';
import { printable } from './output.ts';

/** A command line of ours for a person to copy, for the same cluster and namespace. */
export function commandLine(flags: GlobalFlags, ...words: readonly string[]): string {
  return ['kubectl keyferry', ...words.map(quoted), ...placeOf(flags)].join(' ');
}

/** The same with kubectl itself. */
export function kubectlLine(flags: GlobalFlags, ...words: readonly string[]): string {
  return ['kubectl', ...words.map(quoted), ...placeOf(flags)].join(' ');
}

function placeOf({ context, kubeconfig, namespace }: GlobalFlags): readonly string[] {
  const named = { '-n': namespace, '--context': context, '--kubeconfig': kubeconfig };
  return Object.entries(named).flatMap(([flag, value]) => (value === undefined ? [] : [flag, quoted(value)]));
}

/** As a POSIX shell reads it back. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${printable(word).replaceAll("'", String.raw`'\''`)}'`;
}
