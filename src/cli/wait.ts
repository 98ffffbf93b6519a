import { errorOf, type ErrorCode } from '#src/errors.ts';
import { printable } from './output.ts';
import { Problem } from './problem.ts';
import { conditionOf, migrationOf, nameOf, type Seen } from './secret-migrations.ts';
import type { Session } from './session.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 1000;
/** Reads in a row that may fail: a wait of hours must survive a restart of the API server. */
const MOST_FAILURES = 20;

/** Milliseconds without an operator before a person is told. */
const PATIENCE_MS = 15_000;
const NO_OPERATOR = 'No operator has looked at it yet. Does one run? See kubectl keyferry doctor.';

/** What failed reads say that may pass. */
const MOMENTARY: ReadonlySet<ErrorCode> = new Set([
  'BACKEND_UNREACHABLE',
  'DEADLINE',
  'RATE_LIMITED',
  'SERVER_ERROR',
]);

/** What one look at a SecretMigration says: the wait is over, or how far it is. */
export type Look<Result> = { readonly done: Result } | { readonly says?: string | undefined };

export interface Wait<Result> {
  readonly namespace: string;
  readonly name: string;
  /** Undefined: without an end. */
  readonly timeoutMs: number | undefined;
  readonly look: (seen: Seen) => Look<Result>;
  /** The text of the `Problem` when the time is over. */
  readonly tooLate: string;
}

/**
 * Looks at a SecretMigration until the wait is over. What a look says is a line on stderr, once. Throws `Problem` when the
 * time is over or the SecretMigration is gone, and the reason of the signal at Ctrl-C.
 */
export async function waitFor<Result>(session: Session, wait: Wait<Result>): Promise<Result> {
  const { clock, signal } = session;
  const { timeoutMs = Number.POSITIVE_INFINITY, tooLate } = wait;
  const startMs = clock.monotonic();
  const elapsedMs = (): number => clock.monotonic() - startMs;
  const say = sayingOnce(session);
  let pauseMs = FIRST_PAUSE_MS;
  let failures = 0;
  for (;;) {
    const look = await lookOnce(session, wait, elapsedMs() > PATIENCE_MS);
    failures = look === undefined ? failures + 1 : 0;
    if (failures > MOST_FAILURES) throw new Problem(`The API server does not answer any more. ${tooLate}`);
    if (look !== undefined && 'done' in look) return look.done;
    say(look === undefined ? 'The API server does not answer; trying again.' : look.says);
    if (elapsedMs() >= timeoutMs) throw new Problem(tooLate);
    await clock.sleep(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
  }
}

/** Notes what is new. */
function sayingOnce({ output }: Session): (says: string | undefined) => void {
  let said: string | undefined;
  return (says) => {
    if (says === undefined || says === said) return;
    said = says;
    output.note(says);
  };
}

/** Undefined if the API server did not answer. */
async function lookOnce<Result>(
  { objects }: Session,
  { look, name, namespace }: Wait<Result>,
  isLate: boolean,
): Promise<Look<Result> | undefined> {
  try {
    const object = await objects.find('SecretMigration', { namespace, name });
    if (object === undefined)
      throw new Problem(`SecretMigration ${nameOf({ namespace, name })} was deleted meanwhile.`);
    const seen = { object, migration: migrationOf(object) };
    const { metadata, status } = seen.migration;
    const found = look(seen);
    if ('done' in found || !isLate || status.observedGeneration === metadata.generation) return found;
    return { says: found.says ?? NO_OPERATOR };
  } catch (thrown) {
    if (thrown instanceof Problem || !MOMENTARY.has(errorOf(thrown).code)) throw thrown;
    return undefined;
  }
}

/** How a run ended, for the exit code of `--wait`. */
export interface Ended {
  readonly succeeded: boolean;
  readonly text: string;
}

/** The end of the work on this generation, or how far it is. A run that the operator tries again by itself has not ended. */
export function endOfRun({ migration }: Seen): Look<Ended> {
  const ready = conditionOf(migration, 'Ready');
  if (ready === undefined) return {};
  const { message, reason, status } = ready;
  const text = printable(`${reason}: ${message}`);
  if (status === 'True') return { done: { succeeded: true, text } };
  const isStalled = conditionOf(migration, 'Stalled')?.status === 'True';
  if (status === 'False' && (isStalled || reason === 'ConflictsFound'))
    return { done: { succeeded: false, text } };
  const { progress } = migration.status;
  if (reason === 'AwaitingApproval')
    return { says: `It waits for an approval: kubectl keyferry approve ${migration.metadata.name}` };
  if (reason === 'Progressing') return { says: `${progress ?? '0/0'} keys` };
  return { says: text };
}
