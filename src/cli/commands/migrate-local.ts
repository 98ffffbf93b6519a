import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry, type Examples } from '../declare.ts';

/** The flags of a run without an operator, for `migrate --local` and `plan --local`. `-f` and `-o` are those of the command. */
export function declareLocalFlags(command: Command): Command {
  return command
    .option(
      '--credential <backend=place>',
      'where a credential of a backend is: BACKEND=file:PATH, BACKEND=env:NAME or BACKEND/KEY=file:PATH; can be repeated',
      (place: string, before: readonly string[] | undefined) => [...(before ?? []), place],
    )
    .option('--state <folder>', 'where the rows stay; default: .keyferry/NAMESPACE/NAME beside the file')
    .option(
      '--directory-root <folder>',
      'folder that contains the directories of backends; default: this one',
    )
    .option('--allow-insecure-http', 'accept a plain http address: values and tokens are sent unencrypted')
    .option('--wait', 'stay until the migration is complete, its soak included');
}

export const LOCAL_EXAMPLES: Examples = [
  ['See what a migration between two servers would do', 'migrate-local -f migration.yaml --dry-run'],
  [
    'Carry it out, with the token of one backend from a file',
    'migrate-local -f migration.yaml --credential bao=file:token',
  ],
  [
    'With a token from a variable, for a pipeline',
    'migrate-local -f migration.yaml --credential bao=env:CI_TOKEN -o json',
  ],
];

/** `migrate-local -f FILE`. */
export function declareMigrateLocal(program: Command, carry: Carry): void {
  const command = program
    .command('migrate-local')
    .description('Run one migration in this process, without an operator')
    .option('-f, --filename <file>', 'file with a SecretMigration and its backends; - is the standard input')
    .option('--dry-run', 'read only, and show what would happen')
    .option('-o, --output <format>', 'json or yaml: the SecretMigration with its status and all rows');
  withExamples(withGlobalFlags(declareLocalFlags(command)), LOCAL_EXAMPLES).action(
    carry(async ({ runLocal }, invocation, options) => runLocal(invocation, flagsOf(options)), load),
  );
}

function flagsOf(options: unknown): object {
  return typeof options === 'object' && options !== null ? options : {};
}

const load = async () => import('../local/local.ts');
