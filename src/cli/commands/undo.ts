import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { isSet, textOf, typedFlags } from '../typed-flags.ts';

/** `undo NAME`. */
export function declareUndo(program: Command, carry: Carry): void {
  const command = program
    .command('undo')
    .argument('<name>', 'SecretMigration to take back')
    .description('Take a migration back: sources come back, and copies that nobody changed since go')
    .option('--wait', 'wait for its end; exit code 1 if something cannot be undone')
    .option('--timeout <duration>', 'wait at most so long; 0: without an end', '0')
    .option('-y, --yes', 'do not ask');
  withExamples(withGlobalFlags(command), [
    ['Take a migration back', 'undo payments'],
    ['Take it back in a script, and wait for the end', 'undo payments -y --wait'],
  ]).action(
    carry(
      async ({ undo }, invocation, name, options) => {
        const flags = typedFlags(options);
        return undo(invocation, String(name), {
          wait: isSet(flags, 'wait'),
          timeout: textOf(flags, 'timeout'),
          yes: isSet(flags, 'yes'),
        });
      },
      async () => import('../undo.ts'),
    ),
  );
}
