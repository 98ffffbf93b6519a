import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { TypedFlags } from '../typed-flags.ts';

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
    ['Stop a pipeline when there is anything to do', 'plan -f migration.yaml || exit 1'],
  ]).action(
    carry(
      async ({ plan }, invocation, name, options) => {
        const flags = new TypedFlags(options);
        return plan(invocation, typeof name === 'string' ? name : undefined, {
          filename: flags.text('filename'),
          output: flags.text('output'),
          timeout: flags.text('timeout'),
          namespace: flags.text('namespace'),
        });
      },
      async () => import('../plan/carry-out.ts'),
    ),
  );
}
