import type { Command } from 'commander';
import type { LocalFlags } from '../local/local.ts';
import { Problem } from '../problem.ts';
import { isSet, textOf, textsOf, type TypedFlags } from '../typed-flags.ts';

/*
 * `--local`: the command does its work in this process, without an operator.
 */

/** The flags of `migrate --local` and `plan --local`. `-f` and `-o` are those of the command. */
export function withLocalFlags(command: Command): Command {
  return command
    .option('--local', 'in this process, without an operator: the file has the backends too')
    .option(
      '--credential <backend=place>',
      'with --local: where a credential of a backend is: BACKEND=file:PATH, BACKEND=env:NAME or BACKEND/KEY=file:PATH; can be repeated',
      (place: string, before: readonly string[] | undefined) => [...(before ?? []), place],
    )
    .option(
      '--state <folder>',
      'with --local: where the rows stay; default: .keyferry/NAMESPACE/NAME beside the file',
    )
    .option(
      '--directory-root <folder>',
      'with --local: folder that contains the directories of backends; default: this one',
    )
    .option(
      '--allow-insecure-http',
      'with --local: accept a plain http address: values and tokens are sent unencrypted',
    );
}

/** Undefined: without `--local`. Throws `Problem` for flags that exclude each other. */
export function localFlagsOf(flags: TypedFlags): LocalFlags | undefined {
  if (!isSet(flags, 'local')) {
    refuse(flags, ONLY_LOCAL, (flag) => `${flag} needs --local.`);
    return undefined;
  }
  refuse(
    flags,
    NEVER_LOCAL,
    (flag) => `${flag} has no effect with --local: the file says what is migrated. Remove it.`,
  );
  return {
    filename: textOf(flags, 'filename'),
    credential: textsOf(flags, 'credential'),
    state: textOf(flags, 'state'),
    directoryRoot: textOf(flags, 'directoryRoot'),
    allowInsecureHttp: isSet(flags, 'allowInsecureHttp'),
    dryRun: isSet(flags, 'dryRun'),
    wait: isSet(flags, 'wait'),
    output: textOf(flags, 'output'),
  };
}

const ONLY_LOCAL = ['credential', 'state', 'directoryRoot', 'allowInsecureHttp'];
const NEVER_LOCAL = [
  'from',
  'to',
  'names',
  'selector',
  'prefix',
  'all',
  'exclude',
  'keepSource',
  'deleteSource',
  'mode',
  'name',
];

function refuse(flags: TypedFlags, names: readonly string[], why: (flag: string) => string): void {
  const typed = names.find((name) => flags[name] !== undefined);
  if (typed === undefined) return;
  const flag = typed.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new Problem(why(`--${flag}`));
}
