import { removesSources } from '#src/engine/plan/compile.ts';
import { DEADLINES_MS } from '#src/engine/deadlines.ts';
import { releaseClaims } from '#src/engine/run.ts';
import { Deadline } from '#src/io/deadline.ts';
import { openJournal, permitOf, type Attempt, type MigrationParts } from './attempt.ts';

/*
 * A claim is `<uid of the migration>.<run>`, at most 63 characters: the limit of a label.
 *
 * A run releases every claim of its migration that is not its own. So the removal of a process that sleeps fails from the
 * moment when another process, another generation of the spec or a suspension has released its claim.
 */

const SEPARATOR = '.';
/** The first four groups of a UUID. */
const RUN_LENGTH = 23;

/** A run that claims. */
interface Claiming extends Pick<Attempt, 'migration'> {
  readonly context: Pick<Attempt['context'], 'reconcileId'>;
}

/** What tells which migrations there are. */
interface Knowing {
  readonly parts: Pick<MigrationParts, 'cache' | 'knowsAllMigrations'>;
}

/** The name under which the run of this attempt claims sources. */
export function claimOf({ migration, context }: Claiming): string {
  return `${migration.metadata.uid}${SEPARATOR}${context.reconcileId.slice(0, RUN_LENGTH)}`;
}

/** True for a claim of this migration by another run, and for one of a migration that no longer exists. */
export function isStaleClaim(attempt: Claiming & Knowing, by: string): boolean {
  const { parts, migration } = attempt;
  const [uid = ''] = by.split(SEPARATOR);
  if (uid === migration.metadata.uid) return by !== claimOf(attempt);
  if (!parts.knowsAllMigrations) return false;
  for (const { metadata } of parts.cache.values()) if (metadata.uid === uid) return false;
  return true;
}

/** Releases all claims of a migration that is suspended. Throws what its source throws. */
export async function releaseSuspended(attempt: Attempt): Promise<void> {
  const { parts, migration, stop } = attempt;
  const { namespace, name, uid } = migration.metadata;
  using time = Deadline.unpausable(parts.clock, DEADLINES_MS.gather, stop.signal, {
    op: 'migration.release',
  });
  const { signal } = time;
  const backend = await parts.backends.findSource(migration, signal);
  if (backend === undefined) return;
  await using source = await parts.pool.acquire(backend, { namespace, name, uid });
  await releaseClaims({
    source: source.driver,
    claimed: async () => claimedNames(attempt),
    isStaleClaim: (by) => isStaleClaim(attempt, by),
    permit: { ...permitOf(attempt), signal },
    intent: { removesSources: removesSources(migration) },
  });
}

/** What runs of this migration can have claimed. Only stores of single names have claims: there a name is an address. */
async function claimedNames(attempt: Attempt): Promise<readonly string[]> {
  const { names = [] } = attempt.migration.spec.select;
  return [...names, ...(await openJournal(attempt)).prior.keys()];
}
