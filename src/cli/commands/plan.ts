import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { Problem } from '../problem.ts';
import { textOf, typedFlags } from '../typed-flags.ts';
import { localFlagsOf, withLocalFlags } from './local-flags.ts';

/** `plan -f FILE` and `plan NAME`. */
export function declarePlan(program: Command, carry: Carry): void {
  const command = program
    .command('plan')
    .argument('[name]', 'SecretMigration that exists')
    .description(
      'Show what the operator would do, and change nothing. Exit code 0: nothing to do, 2: changes or conflicts, 1: an error',
    )
    .option('-f, --filename <file>', 'plan the SecretMigrations of this file; "-" is the standard input')
    .option('-o, --output <format>', 'json or yaml')
    .option('--timeout <duration>', 'wait so long for the plan; 0: without an end', '5m');
  withExamples(withGlobalFlags(withLocalFlags(command)), [
    ['See what a manifest would do, before it is applied', 'plan -f migration.yaml'],
    ['See what waits for an approval', 'plan payments'],
    ['Without an operator', 'plan -f migration.yaml --local'],
    ['In a pipeline: exit code 2 if there is anything to do', 'plan -f migration.yaml -o json'],
  ]).action(
    carry(
      async (load, invocation, name, options) => {
        const flags = typedFlags(options);
        const local = localFlagsOf(flags);
        if (local !== undefined && name !== undefined) throw new Problem(NAME_WITH_LOCAL);
        if (local !== undefined) return (await load.local()).planLocal(invocation, local);
        return (await load.cluster()).plan(invocation, typeof name === 'string' ? name : undefined, {
          filename: textOf(flags, 'filename'),
          output: textOf(flags, 'output'),
          timeout: textOf(flags, 'timeout'),
          namespace: textOf(flags, 'namespace'),
        });
      },
      async () => Promise.resolve(LOAD),
    ),
  );
}

/** Only one of them is needed. */
const LOAD = {
  local: async () => import('../local/local.ts'),
  cluster: async () => import('../plan/carry-out.ts'),
};

const NAME_WITH_LOCAL =
  'With --local there is no cluster to look in: name the file of the migration with -f.';
