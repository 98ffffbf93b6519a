import { Option, type Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';

/** `status [NAME]`. */
export function declareStatus(program: Command, carry: Carry): void {
  const status = program
    .command('status')
    .argument('[name]', 'SecretMigration to show with its keys; default: a table of all')
    .description('Show how far migrations are, and where each key stands')
    .option('-A, --all-namespaces', 'migrations of all namespaces')
    .option('-l, --selector <selector>', 'migrations with these labels, for example team=payments')
    .option('-w, --watch', 'follow changes; with a name, until the migration has completed')
    .addOption(
      new Option('-o, --output <format>', 'print in another format').choices([
        'wide',
        'name',
        'json',
        'yaml',
      ]),
    )
    .option('--state <states>', 'only keys in these states: Failed,Conflict')
    .option('--filter <text>', 'only keys with this text in their name, reason or destination')
    .option('--all', 'all keys of a long table, also on a terminal');
  withExamples(withGlobalFlags(status), [
    ['All migrations of the namespace', 'status'],
    ['One migration, with a line for each key, exceptions first', 'status payments'],
    ['Watch it until it has completed', 'status payments -w'],
    ['Only what needs you', 'status payments --state Failed,Conflict'],
    ['All rows for a program, also those of a large migration', 'status payments -o json'],
  ]).action(
    carry(
      async ({ showStatus }, invocation, name, options) =>
        showStatus(invocation, typeof name === 'string' ? name : undefined, options),
      async () => import('../status/status.ts'),
    ),
  );
}
