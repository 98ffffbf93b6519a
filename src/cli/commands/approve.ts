import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { isSet, textOf, typedFlags } from '../typed-flags.ts';

/** `approve NAME`. */
export function declareApprove(program: Command, carry: Carry): void {
  const command = program
    .command('approve')
    .argument('<name>', 'SecretMigration that waits for an approval')
    .description('Release exactly the plan that a SecretMigration waits with')
    .option('--digest <digest>', 'approve only the plan with this digest; no question in a pipe')
    .option('-y, --yes', 'do not ask');
  withExamples(withGlobalFlags(command), [
    ['Look at the plan, then approve it', 'approve payments'],
    ['Approve in a pipeline the plan that a person has read', 'approve payments --digest "$DIGEST"'],
  ]).action(
    carry(
      async ({ approve }, invocation, name, options) => {
        const flags = typedFlags(options);
        return approve(invocation, String(name), {
          digest: textOf(flags, 'digest'),
          yes: isSet(flags, 'yes'),
        });
      },
      async () => import('../approve.ts'),
    ),
  );
}
