import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { textOf, typedFlags } from '../typed-flags.ts';

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
  withExamples(withGlobalFlags(command), [
    ['See what a manifest would do, before it is applied', 'plan -f migration.yaml'],
    ['See what waits for an approval', 'plan payments'],
    ['In a pipeline: exit code 2 if there is anything to do', 'plan -f migration.yaml -o json'],
  ]).action(
    carry(
      async ({ plan }, invocation, name, options) => {
        const flags = typedFlags(options);
        return plan(invocation, typeof name === 'string' ? name : undefined, {
          filename: textOf(flags, 'filename'),
          output: textOf(flags, 'output'),
          timeout: textOf(flags, 'timeout'),
          namespace: textOf(flags, 'namespace'),
        });
      },
      async () => import('../plan/carry-out.ts'),
    ),
  );
}
