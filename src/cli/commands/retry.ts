import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { isSet, textOf, typedFlags } from '../typed-flags.ts';

/** `retry NAME`. */
export function declareRetry(program: Command, carry: Carry): void {
  const command = program
    .command('retry')
    .argument('<name>', 'SecretMigration to run now')
    .description('Request a run of a SecretMigration; what is in place is not written again')
    .option('--wait', 'wait for its end; exit code 1 if it does not succeed')
    .option('--timeout <duration>', 'wait at most so long; 0: without an end', '0');
  withExamples(withGlobalFlags(command), [
    ['Run again after a conflict was resolved', 'retry payments'],
    ['Run again, and wait for the end', 'retry payments --wait --timeout 5m'],
  ]).action(
    carry(
      async ({ retry }, invocation, name, options) => {
        const flags = typedFlags(options);
        return retry(invocation, String(name), {
          wait: isSet(flags, 'wait'),
          timeout: textOf(flags, 'timeout'),
        });
      },
      async () => import('../retry.ts'),
    ),
  );
}
