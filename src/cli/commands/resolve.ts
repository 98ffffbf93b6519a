import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { isSet, textOf, typedFlags } from '../typed-flags.ts';

/** `resolve NAME KEY --keep source|destination`. */
export function declareResolve(program: Command, carry: Carry): void {
  const command = program
    .command('resolve')
    .argument('<name>', 'SecretMigration in mode Sync')
    .argument('[keys...]', 'documents in conflict, by name or as name/key')
    .description('Say which side wins a conflict, for exactly the versions that its row shows')
    .requiredOption('--keep <side>', 'source or destination: the side whose value stays')
    .option('--all', 'every conflict that can be resolved')
    .option('-y, --yes', 'do not ask');
  withExamples(withGlobalFlags(command), [
    ['Keep the value of the source', 'resolve payments api-key --keep source'],
    ['Keep what is at the destination, for all conflicts', 'resolve payments --all --keep destination'],
  ]).action(
    carry(
      async ({ resolve }, invocation, ...typed) => {
        const [name, keys, options] = typed;
        const flags = typedFlags(options);
        return resolve(
          invocation,
          { name: String(name), keys: Array.isArray(keys) ? keys.map(String) : [] },
          { keep: textOf(flags, 'keep'), all: isSet(flags, 'all'), yes: isSet(flags, 'yes') },
        );
      },
      async () => import('../resolve/carry-out.ts'),
    ),
  );
}
