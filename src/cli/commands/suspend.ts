import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';

/** `suspend NAME` and `resume NAME`. */
export function declareSuspend(program: Command, carry: Carry): void {
  const suspend = program
    .command('suspend')
    .argument('<name>', 'SecretMigration to pause')
    .description('Pause a SecretMigration before its next document');
  withExamples(withGlobalFlags(suspend), [
    ['Pause a migration', 'suspend payments'],
    ['Pause one of another namespace', 'suspend payments -n shop'],
  ]).action(
    carry(async ({ suspendMigration }, invocation, name) => suspendMigration(invocation, String(name)), load),
  );
  const resume = program
    .command('resume')
    .argument('<name>', 'SecretMigration to go on with')
    .description('Go on with a SecretMigration that is paused');
  withExamples(withGlobalFlags(resume), [['Go on with a migration', 'resume payments']]).action(
    carry(async ({ resumeMigration }, invocation, name) => resumeMigration(invocation, String(name)), load),
  );
}

const load = async () => import('../suspend.ts');
