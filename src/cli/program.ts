import { basename } from 'node:path';
import { Command, CommanderError } from 'commander';
import { declareBackend } from './commands/backend.ts';
import { declareCompletion } from './commands/completion.ts';
import { declareDoctor } from './commands/doctor.ts';
import { declareExplain } from './commands/explain.ts';
import { declareStatus } from './commands/status.ts';
import { declareApprove } from './commands/approve.ts';
import { declareMigrate } from './commands/migrate.ts';
import { declarePlan } from './commands/plan.ts';
import { declareResolve } from './commands/resolve.ts';
import { declareRetry } from './commands/retry.ts';
import { declareReport } from './commands/report.ts';
import { declareSuspend } from './commands/suspend.ts';
import { declareUndo } from './commands/undo.ts';
import { examplesOf, globalFlagsOf, type Carry } from './declare.ts';
import { textOf } from './failure.ts';
import type { Invocation } from './invocation.ts';

/** As kubectl: any failure. */
const EXIT_FAILURE = 1;

/** Of the scripts for shells and of kubectl, as cobra names them; the second without what each candidate is for. */
const ASKS_FOR_COMPLETION: ReadonlySet<string> = new Set(['__complete', '__completeNoDesc']);

export type Surroundings = Omit<Invocation, 'flags'>;

/** `kubectl keyferry` when kubectl runs this file as its plugin, else `keyferry`. */
export function nameOfProgram(file: string): string {
  return basename(file).startsWith('kubectl-') ? 'kubectl keyferry' : 'keyferry';
}

/**
 * Carries out one command line, without the name of the program; resolves with the exit code. Never rejects: what went
 * wrong is one line on stderr.
 */
export async function runProgram(
  argv: readonly string[],
  surroundings: Surroundings,
  name: string,
): Promise<number> {
  let exitCode = 0;
  const carry: Carry =
    (run, load) =>
    async (...typed) => {
      // Commander appends the flags and the command to the arguments.
      const options = typed.at(-2);
      const flags = globalFlagsOf(isRecord(options) ? options : {});
      exitCode = await run(await load(), { ...surroundings, flags }, ...typed.slice(0, -1));
    };
  try {
    const program = createProgram(name, surroundings, carry);
    const [first, ...words] = argv;
    // Its arguments are the beginning of a command line, which commander would refuse.
    if (first !== undefined && ASKS_FOR_COMPLETION.has(first)) {
      const { completeLine } = await import('./completion/complete.ts');
      return await completeLine(program, words, { ...surroundings, describes: first === '__complete' });
    }
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (failure) {
    if (failure instanceof CommanderError) return failure.exitCode;
    if (surroundings.signal.aborted) return EXIT_FAILURE;
    surroundings.output.note(`${name}: ${textOf(failure)}`);
    return EXIT_FAILURE;
  }
}

/** All commands; nothing of what carries them out is loaded yet. */
export function createProgram(
  name: string,
  { output, streams, version }: Pick<Surroundings, 'output' | 'streams' | 'version'>,
  carry: Carry,
): Command {
  const program = new Command(name)
    .description(
      'Move secret values between Kubernetes, OpenBao and directories, and see for every key where it stands',
    )
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(text),
      outputError: (text, write) => write(`${name}: ${withoutValue(text.replace(/^error: /, ''))}`),
      getOutHelpWidth: () => output.columns || 100,
    })
    .configureHelp({ formatHelp: (command, helper) => helpOf(name, command, helper) });
  // command.ts carries it out: it has flags of its own.
  program.command('operator').description('Run the operator in this process; see keyferry operator --help');
  declareStatus(program, carry);
  declareExplain(program, carry);
  declarePlan(program, carry);
  declareApprove(program, carry);
  declareMigrate(program, carry);
  declareRetry(program, carry);
  declareSuspend(program, carry);
  declareResolve(program, carry);
  declareUndo(program, carry);
  declareBackend(program, carry);
  declareDoctor(program, carry);
  declareCompletion(program, carry);
  declareReport(program, carry);
  for (const command of program.commands) inherit(program, command);
  return program;
}

/** Commander repeats unknown flags and surplus arguments as they were typed: one can be a secret for standard input. */
function withoutValue(text: string): string {
  return text
    .replace(/(unknown option '[^'=]*)=[^']*'/, "$1'")
    .replace(/(too many arguments[^:]*): .*/s, '$1.\n');
}

/** Commander hands settings on only to commands that are declared after them. */
function inherit(program: Command, command: Command): void {
  command.copyInheritedSettings(program).helpOption('-h, --help', 'print this help').helpCommand(false);
  for (const below of command.commands) inherit(program, below);
}

/** Description, examples, arguments, commands, flags, usage: in this order. */
function helpOf(name: string, command: Command, helper: ReturnType<Command['createHelp']>): string {
  const lines = [command.description(), ''];
  const examples = examplesOf(command);
  if (examples.length > 0) lines.push('Examples:');
  for (const [sentence, line] of examples) lines.push(`  # ${sentence}`, `  ${name} ${line}`, '');
  const section = (title: string, entries: readonly (readonly [string, string])[]): void => {
    if (entries.length === 0) return;
    const width = Math.max(...entries.map(([term]) => term.length));
    lines.push(
      `${title}:`,
      ...entries.map(([term, text]) => `  ${term.padEnd(width)}   ${text}`.trimEnd()),
      '',
    );
  };
  section(
    'Commands',
    helper.visibleCommands(command).map((each) => [each.name(), each.description()]),
  );
  section(
    'Arguments',
    helper.visibleArguments(command).map((each) => [helper.argumentTerm(each), each.description]),
  );
  section(
    'Flags',
    helper.visibleOptions(command).map((each) => [helper.optionTerm(each), helper.optionDescription(each)]),
  );
  lines.push('Usage:', `  ${helper.commandUsage(command)}`, '');
  return lines.join('\n');
}

function isRecord(thing: unknown): thing is Readonly<Record<string, unknown>> {
  return typeof thing === 'object' && thing !== null;
}
