import { RESOLVE_ANNOTATION } from '#src/api/group.ts';
import { authorityOf } from '#src/engine/plan/sync-intent.ts';
import { canAsk, confirmed } from '../confirm.ts';
import type { Invocation } from '../invocation.ts';
import { printable } from '../output.ts';
import { tableOf as rowsOf } from '../plan/rows.ts';
import { Problem } from '../problem.ts';
import { changeMigration, nameOf, readMigration, titled, type Seen } from '../secret-migrations.ts';
import { withSession, type Session } from '../session.ts';
import { tableOf } from '../table.ts';
import { annotationWith, contestedIn, type Contested, type Side } from './choices.ts';

/** The flags of `resolve`. */
export interface ResolveFlags {
  readonly keep?: string | undefined;
  readonly all?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

/** Says which side wins conflicts of a migration in mode Sync. Resolves with the exit code. */
export async function resolve(
  invocation: Invocation,
  { keys, name }: { readonly name: string; readonly keys: readonly string[] },
  flags: ResolveFlags,
): Promise<number> {
  const { all, keep, yes } = flags;
  if (keep !== 'source' && keep !== 'destination')
    throw new Problem('--keep: write source or destination, the side whose value stays.');
  if (keys.length > 0 === (all === true))
    throw new Problem('Name the documents in conflict, or all of them with --all.');
  const choice = { winner: keep, named: all === true ? 'all' : keys, isConfirmed: yes === true } as const;
  return withSession(invocation, async (session) => resolveIn(session, name, choice));
}

export interface Choice {
  readonly winner: Side;
  readonly named: readonly string[] | 'all';
  readonly isConfirmed: boolean;
}

/** The same in a session. */
export async function resolveIn(session: Session, name: string, choice: Choice): Promise<number> {
  const { output } = session;
  const seen = await readMigration(session, name);
  requireSync(seen);
  const { isComplete, rows } = await rowsOf(session, seen);
  if (!isComplete)
    throw new Problem('Rows of the table are missing; request a run first: kubectl keyferry retry.');
  const contested = contestedIn(rows, choice.named);
  output.note(consequences(seen, contested, choice.winner));
  if (!choice.isConfirmed && canAsk(session) && !(await confirmed(session, 'Resolve as shown?'))) {
    output.note('Nothing was resolved.');
    return 1;
  }
  await changeMigration(session, name, ({ migration }) => ({
    metadata: {
      annotations: {
        // The versions are those that were shown: the operator refuses others.
        [RESOLVE_ANNOTATION]: annotationWith(migration.metadata.annotations?.[RESOLVE_ANNOTATION], {
          contested,
          rows,
          winner: choice.winner,
        }),
      },
    },
  }));
  const number = contested.length === 1 ? '1 document' : `${contested.length} documents`;
  output.line(`${titled(name)} resolved (${number}, the ${choice.winner} wins)`);
  return 0;
}

function requireSync({ migration: { metadata, spec } }: Seen): void {
  if (spec.mode === 'Sync') return;
  throw new Problem(
    `SecretMigration ${nameOf(metadata)} is not in mode Sync. In mode Once, spec.conflictPolicy says what happens to a destination that differs, or make both sides equal and request a run: kubectl keyferry retry ${metadata.name}`,
  );
}

/** What is replaced: names and versions, never values. */
function consequences({ migration }: Seen, contested: readonly Contested[], winner: Side): string {
  const loser = winner === 'source' ? 'destination' : 'source';
  // src/core/sync/resolution.ts: a source that leads is only read.
  const isAccepted = loser === 'source' && authorityOf(migration.spec) === 'Source';
  const rows = contested.map(({ destination, name, reason, seen }) => [
    printable(name),
    printable(destination),
    printable(reason),
    versionOf(seen[winner]),
    versionOf(seen[loser]),
  ]);
  const fate = isAccepted ? 'STAYS' : 'REPLACED';
  const head = [`KEPT (${winner.toUpperCase()})`, `${fate} (${loser.toUpperCase()})`];
  const table = tableOf(['DOCUMENT', 'DESTINATION', 'CONFLICT', ...head], rows);
  return `${table}\n${isAccepted ? ACCEPTED : KEPT_FIRST}`;
}

const ACCEPTED =
  'The source leads (spec.sync.authority), so nothing is written: the difference is accepted until one of the sides changes.';
const KEPT_FIRST =
  'What is replaced is kept first: in the history of its store, or as a kept copy. Where the side that wins has nothing, nothing is removed.';

function versionOf(version: string | undefined): string {
  return version === undefined ? 'nothing there' : `version ${printable(version)}`;
}
