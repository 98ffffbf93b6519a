import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { typedFlags } from '../typed-flags.ts';
import { outputOption } from './backend.ts';

/** `doctor`. */
export function declareDoctor(program: Command, carry: Carry): void {
  const doctor = program
    .command('doctor')
    .description(
      'Look for what does not work and common mistakes; each finding has the command that mends it',
    )
    .option('--namespace-of-operator <name>', 'where the operator runs; default: keyferry-system')
    .addOption(outputOption('json', 'yaml'));
  withExamples(withGlobalFlags(doctor), [
    ['Look at the cluster, and at your rights in a namespace', 'doctor -n shop'],
    ['List the problems for a script; exit code 1 if there are any', 'doctor -o json'],
  ]).action(
    carry(
      async ({ runDoctor }, invocation, options) => runDoctor(invocation, typedFlags(options)),
      async () => import('../doctor/doctor.ts'),
    ),
  );
}
