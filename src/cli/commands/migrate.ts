import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import type { MigrateFlags } from '../migrate/carry-out.ts';
import { Problem } from '../problem.ts';
import { localFlagsOf, withLocalFlags } from './local-flags.ts';
import { isSet, textOf, textsOf, typedFlags, type TypedFlags } from '../typed-flags.ts';

/** `migrate --from A --to B`, and `migrate -f FILE --local`. */
export function declareMigrate(program: Command, carry: Carry): void {
  const command = program
    .command('migrate')
    .description(
      'Create a SecretMigration from flags; the sources stay, unless --delete-source says otherwise. With --local: run one from a file in this process',
    )
    .option('--from <backend>', 'SecretBackend, or clustersecretbackend/<name>, that has the values')
    .option('--to <backend>', 'SecretBackend, or clustersecretbackend/<name>, that gets them')
    .option('--names <names>', 'exactly these documents, with commas between them; can be repeated', listOf)
    .option('-l, --selector <labels>', 'Secrets with these labels, as kubectl -l')
    .option('--prefix <text>', 'documents whose names begin with it')
    .option('--all', 'all documents')
    .option('--exclude <names>', 'but not these; a "*" at the end excludes a prefix', listOf)
    .option('--keep-source', 'the sources stay (default)')
    .option('--delete-source', 'remove each source when its copy is proven')
    .option('--mode <mode>', 'Once, or Sync: then carry each later change over (default Once)')
    .option('--name <name>', 'name of the SecretMigration (default <from>-to-<to>)')
    .option('--dry-run', 'show what the operator would do, as plan does')
    .option('--wait', 'wait for its end; exit code 1 if it does not succeed')
    .option('--timeout <duration>', 'wait at most so long; 0: without an end', '0')
    .option('-o, --output <format>', 'print the manifest as json or yaml, and create nothing')
    .option('-y, --yes', 'do not ask')
    .option(
      '-f, --filename <file>',
      'with --local: a SecretMigration and its backends; - is the standard input',
    );
  withExamples(withGlobalFlags(withLocalFlags(command)), [
    ['Copy two Secrets', 'migrate --from kubernetes --to openbao --names api-key,database'],
    ['See what would happen', 'migrate --from kubernetes --to openbao --selector team=payments --dry-run'],
    [
      'Move them, and wait',
      'migrate --from kubernetes --to openbao --selector team=payments --delete-source --wait',
    ],
    ['Write the manifest', 'migrate --from kubernetes --to openbao --all -o yaml > migration.yaml'],
    ['Without an operator: see what would happen', 'migrate -f migration.yaml --local --dry-run'],
    [
      'Carry it out, with the token of one backend from a variable',
      'migrate -f migration.yaml --local --credential bao=env:CI_TOKEN',
    ],
  ]).action(
    carry(
      async (load, invocation, options) => {
        const flags = typedFlags(options);
        const local = localFlagsOf(flags);
        if (local !== undefined) return (await load.local()).runLocal(invocation, local);
        if (textOf(flags, 'filename') !== undefined) throw new Problem(FILE_WITHOUT_LOCAL);
        return (await load.cluster()).migrate(invocation, flagsOf(flags));
      },
      async () => Promise.resolve(LOAD),
    ),
  );
}

/** Only one of them is needed. */
const LOAD = {
  local: async () => import('../local/local.ts'),
  cluster: async () => import('../migrate/carry-out.ts'),
};

const FILE_WITHOUT_LOCAL =
  'The operator carries out what is in the cluster: kubectl apply -f FILE. To run it in this process instead, add --local.';

function flagsOf(flags: TypedFlags): MigrateFlags {
  return {
    from: textOf(flags, 'from'),
    to: textOf(flags, 'to'),
    names: textsOf(flags, 'names'),
    selector: textOf(flags, 'selector'),
    prefix: textOf(flags, 'prefix'),
    all: isSet(flags, 'all'),
    exclude: textsOf(flags, 'exclude'),
    keepSource: isSet(flags, 'keepSource'),
    deleteSource: isSet(flags, 'deleteSource'),
    mode: textOf(flags, 'mode'),
    name: textOf(flags, 'name'),
    dryRun: isSet(flags, 'dryRun'),
    wait: isSet(flags, 'wait'),
    timeout: textOf(flags, 'timeout'),
    output: textOf(flags, 'output'),
    yes: isSet(flags, 'yes'),
    namespace: textOf(flags, 'namespace'),
  };
}

/** `a,b`, and what earlier flags of this name have. */
function listOf(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').map((name) => name.trim())].filter((name) => name !== '');
}
