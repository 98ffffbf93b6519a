import { canAsk, confirmed } from './confirm.ts';
import { parseTimeout } from './duration.ts';
import type { Invocation } from './invocation.ts';
import { printable } from './output.ts';
import { Problem } from './problem.ts';
import {
  changeMigration,
  conditionOf,
  nameOf,
  readMigration,
  titled,
  type Seen,
} from './secret-migrations.ts';
import { withSession, type Session } from './session.ts';
import { waitFor, type Ended, type Look } from './wait.ts';

/** The flags of `undo`. */
export interface UndoFlags {
  readonly wait?: boolean | undefined;
  readonly timeout?: string | undefined;
  readonly yes?: boolean | undefined;
}

interface How {
  readonly isConfirmed: boolean;
  /** Undefined: does not wait. */
  readonly wait: { readonly timeoutMs: number | undefined } | undefined;
}

/** Asks the operator to take a migration back. Resolves with the exit code. */
export async function undo(invocation: Invocation, name: string, flags: UndoFlags): Promise<number> {
  const timeoutMs = parseTimeout(flags.timeout);
  const how = { isConfirmed: flags.yes === true, wait: flags.wait === true ? { timeoutMs } : undefined };
  return withSession(invocation, async (session) => undoIn(session, name, how));
}

/** The same in a session. */
export async function undoIn(session: Session, name: string, how: How): Promise<number> {
  const { namespace, output } = session;
  const title = `SecretMigration ${nameOf({ namespace, name })}`;
  const { migration } = await readMigration(session, name);
  if (migration.spec.undo === true) {
    output.note(`${title} is being undone already.`);
  } else {
    output.note(`${title}: ${consequencesOf(migration.status.summary)}`);
    if (!how.isConfirmed && !(await isConfirmed(session))) {
      output.note('Nothing was undone.');
      return 1;
    }
    await changeMigration(session, name, () => ({ spec: { undo: true } }));
    output.line(`${titled(name)} undo requested`);
  }
  if (how.wait === undefined) return 0;
  const ended = await waitFor(session, {
    namespace,
    name,
    timeoutMs: how.wait.timeoutMs,
    look: endOfUndo,
    tooLate: `${title} is not undone yet. It goes on without this command.`,
  });
  output.note(ended.text);
  return ended.succeeded ? 0 : 1;
}

async function isConfirmed(session: Session): Promise<boolean> {
  if (canAsk(session)) return confirmed(session, 'Take it back?');
  throw new Problem('Nobody can be asked, because this is not a terminal: confirm with -y.');
}

function consequencesOf(summary: Seen['migration']['status']['summary']): string {
  if (summary === undefined) return 'nothing was moved yet.';
  const { removed, verified } = summary;
  return `${removed} removed keys come back at the source, and ${removed + verified} copies that nobody changed since are taken back at the destination. What cannot be undone stays, and its row says why.`;
}

/** Also where something is left that the operator tries again: a person must look at it. */
const ENDS: ReadonlySet<string> = new Set(['Undone', 'UndoIncomplete']);

function endOfUndo({ migration }: Seen): Look<Ended> {
  const ready = conditionOf(migration, 'Ready');
  if (ready === undefined) return {};
  const text = printable(`${ready.reason}: ${ready.message}`);
  if (ENDS.has(ready.reason)) return { done: { succeeded: ready.status === 'True', text } };
  const isStalled = conditionOf(migration, 'Stalled')?.status === 'True';
  if (ready.status === 'False' && isStalled) return { done: { succeeded: false, text } };
  return { says: `${ready.reason} ${migration.status.progress ?? ''}`.trimEnd() };
}
