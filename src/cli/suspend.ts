import { UserCluster } from './cluster.ts';
import type { Invocation } from './invocation.ts';

/** Pauses the migration before its next document. Resolves with the exit code. */
export async function suspendMigration(invocation: Invocation, name: string): Promise<number> {
  return setSuspended(invocation, name, { suspend: true, says: 'suspended' });
}

/** Goes on with the migration. Resolves with the exit code. */
export async function resumeMigration(invocation: Invocation, name: string): Promise<number> {
  return setSuspended(invocation, name, { suspend: false, says: 'resumed' });
}

async function setSuspended(
  invocation: Invocation,
  name: string,
  { suspend, says }: { readonly suspend: boolean; readonly says: string },
): Promise<number> {
  await using cluster = await UserCluster.open(invocation);
  await cluster.change('SecretMigration', name, { spec: { suspend } });
  invocation.output.line(`secretmigration.keyferry.io/${name} ${says}`);
  return 0;
}
