import type { Invocation } from './invocation.ts';
import { changeMigration, titled } from './secret-migrations.ts';
import { withSession } from './session.ts';

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
  return withSession(invocation, async (session) => {
    await changeMigration(session, name, () => ({ spec: { suspend } }));
    session.output.line(`${titled(name)} ${says}`);
    return 0;
  });
}
