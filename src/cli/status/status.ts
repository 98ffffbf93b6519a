import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { statusFlagsOf, type StatusFlags } from './flags.ts';
import { listMigrations } from './list.ts';
import { showMigration } from './one.ts';

/** `status [NAME]`: one migration with its keys, or a table of migrations. Resolves with the exit code. */
export async function showStatus(
  invocation: Invocation,
  name: string | undefined,
  options: unknown,
): Promise<number> {
  const flags = statusFlagsOf(name, options);
  await using cluster = await UserCluster.open(invocation);
  if (flags.watches) return await watch(invocation, { cluster, name, flags });
  if (name === undefined) return await listMigrations(invocation, cluster, flags);
  return await showMigration(invocation, { cluster, name, flags });
}

/** Loaded only for -w. */
async function watch(
  invocation: Invocation,
  watched: {
    readonly cluster: UserCluster;
    readonly name: string | undefined;
    readonly flags: StatusFlags;
  },
): Promise<number> {
  const { cluster, flags, name } = watched;
  if (name === undefined) {
    const { watchList } = await import('./watch-list.ts');
    return watchList(invocation, cluster, flags);
  }
  const { watchOne } = await import('./watch-one.ts');
  return watchOne(invocation, { cluster, name, flags });
}
