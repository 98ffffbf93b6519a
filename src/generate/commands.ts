import type { Argument, Command, Option } from 'commander';
import { examplesOf } from '#src/cli/declare.ts';
import { Output } from '#src/cli/output.ts';
import { createProgram } from '#src/cli/program.ts';

const NOTICE = '<!-- Generated from src/cli/commands by `make generate`; do not edit. -->';
const NAME = 'keyferry';
/** Of each command that talks to a cluster; described once. */
const CLUSTER_FLAGS: ReadonlySet<string> = new Set(['kubeconfig', 'context', 'namespace']);

/** docs/commands.md: every command as it is declared. Nothing of what carries them out is loaded. */
export function commandsPage(): string {
  const program = declaredProgram();
  const commands = program.commands
    .flatMap(leavesOf)
    .filter((command) => titleOf(command) !== `${NAME} operator`);
  return `${[
    NOTICE,
    '# Commands',
    'Every command of `keyferry`. As the plugin of kubectl, each is called `kubectl keyferry` instead: ' +
      '[how to install it](install-command-line.md). A command acts with the rights of the user of the kubeconfig. ' +
      'Results go to standard output, hints to standard error. The exit code is 0, or 1 for any failure, as in kubectl. ' +
      '`keyferry operator` runs the operator: `keyferry operator --help` lists its flags.',
    ['| command | what it does |', '| --- | --- |', ...commands.map(rowOf)].join('\n'),
    '## Flags of the cluster',
    'Each command that talks to a cluster has them, as kubectl has. `KUBECONFIG` can list several files, and `NO_COLOR` turns color off.',
    tableOf('flag', clusterFlags(commands)),
    ...commands.flatMap(sectionOf),
  ].join('\n\n')}\n`;
}

/** All commands, declared and never carried out. */
export function declaredProgram(): Command {
  const nowhere = { write: () => undefined };
  const streams = { stdout: nowhere, stderr: nowhere, stdin: (async function* none() {})() };
  const output = new Output(streams, {});
  return createProgram(NAME, { output, streams, version: '' }, () => async () => Promise.resolve());
}

/** The commands that do something: those that have no others below them, or an action of their own. */
function leavesOf(command: Command): readonly Command[] {
  const below = command.createHelp().visibleCommands(command);
  if (below.length === 0) return [command];
  const own = command.registeredArguments.length > 0 ? [command] : [];
  return [...own, ...below.flatMap(leavesOf)];
}

/** `keyferry backend list`. */
function titleOf(command: Command): string {
  return command.parent === null ? command.name() : `${titleOf(command.parent)} ${command.name()}`;
}

function rowOf(command: Command): string {
  const title = titleOf(command);
  return `| [${title}](#${title.replaceAll(' ', '-')}) | ${cell(command.description())} |`;
}

function sectionOf(command: Command): readonly string[] {
  const help = command.createHelp();
  const options = help.visibleOptions(command);
  const own = options.filter((option) => !CLUSTER_FLAGS.has(option.name()) && option.name() !== 'help');
  const flags = own.map((option): Entry => [help.optionTerm(option), help.optionDescription(option)]);
  const values = help
    .visibleArguments(command)
    .map((each: Argument): Entry => [help.argumentTerm(each), each.description]);
  const examples = examplesOf(command).flatMap(([sentence, line]) => [
    `# ${sentence}`,
    `${NAME} ${line}`,
    '',
  ]);
  return [
    `## ${titleOf(command)}`,
    `${cell(command.description())}.`,
    ...(examples.length === 0 ? [] : [['```text', ...examples.slice(0, -1), '```'].join('\n')]),
    `Usage: \`${help.commandUsage(command)}\``,
    ...(values.length === 0 ? [] : [tableOf('argument', values)]),
    ...(flags.length === 0 ? [] : [tableOf('flag', flags)]),
    ...(options.some(isOfCluster) ? ['And the [flags of the cluster](#flags-of-the-cluster).'] : []),
  ];
}

type Entry = readonly [term: string, text: string];

function isOfCluster(option: Option): boolean {
  return CLUSTER_FLAGS.has(option.name());
}

function clusterFlags(commands: readonly Command[]): readonly Entry[] {
  const entries = commands.flatMap((command) => {
    const help = command.createHelp();
    return help
      .visibleOptions(command)
      .filter(isOfCluster)
      .map((option): Entry => [help.optionTerm(option), help.optionDescription(option)]);
  });
  return [...new Map(entries)];
}

function tableOf(what: string, entries: readonly Entry[]): string {
  const rows = entries.map(
    ([term, text]) => `| \`${term.replaceAll('|', String.raw`\|`)}\` | ${cell(text)} |`,
  );
  return [`| ${what} | meaning |`, '| --- | --- |', ...rows].join('\n');
}

/** Text without Markdown, in a table. */
function cell(text: string): string {
  return text.replaceAll(/[<*_|]/g, String.raw`\$&`).replaceAll('\n', ' ');
}
