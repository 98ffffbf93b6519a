import type { Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';

/** `explain NAME KEY`. */
export function declareExplain(program: Command, carry: Carry): void {
  const explain = program
    .command('explain')
    .argument('<name>', 'SecretMigration')
    .argument('<key>', 'a document as in the column NAME of status, or document/key')
    .description('Say why a key is where it is, what happens next, and what to do');
  withExamples(withGlobalFlags(explain), [
    ['Why is the document db not moved?', 'explain payments db'],
    ['The same of one key', 'explain payments db/password'],
  ]).action(
    carry(
      async ({ explainKey }, invocation, name, key) =>
        explainKey(invocation, { name: String(name), key: String(key) }),
      async () => import('../explain/explain.ts'),
    ),
  );
}
