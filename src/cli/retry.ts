import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { parseTimeout } from './duration.ts';
import type { Invocation } from './invocation.ts';
import { changeMigration, conditionOf, nameOf, titled, type Seen } from './secret-migrations.ts';
import { withSession, type Session } from './session.ts';
import { endOfRun, waitFor, type Ended, type Look } from './wait.ts';

/** The flags of `retry`. */
export interface RetryFlags {
  readonly wait?: boolean | undefined;
  readonly timeout?: string | undefined;
}

/** Requests a run. Resolves with the exit code; with `--wait`, 1 if the run does not succeed. */
export async function retry(invocation: Invocation, name: string, flags: RetryFlags): Promise<number> {
  const timeoutMs = parseTimeout(flags.timeout);
  return withSession(invocation, async (session) =>
    retryIn(session, name, flags.wait === true ? { timeoutMs } : undefined),
  );
}

/** The same in a session; waits if it is told how long. */
export async function retryIn(
  session: Session,
  name: string,
  wait: { readonly timeoutMs: number | undefined } | undefined,
): Promise<number> {
  const { clock, namespace, output } = session;
  const token = new Date(clock.now()).toISOString();
  let isSuspended = false;
  await changeMigration(session, name, ({ migration }) => {
    isSuspended = migration.spec.suspend;
    return { metadata: { annotations: { [RECONCILE_REQUESTED_ANNOTATION]: token } } };
  });
  output.line(`${titled(name)} run requested`);
  if (isSuspended)
    output.note(`It is suspended: the run starts after kubectl keyferry resume ${name} -n ${namespace}`);
  if (wait === undefined) return 0;
  const ended = await waitFor(session, {
    namespace,
    name,
    timeoutMs: wait.timeoutMs,
    look: (seen) => endOfRequest(seen, token),
    tooLate: `SecretMigration ${nameOf({ namespace, name })} has not ended the requested run in time. It goes on without this command.`,
  });
  output.note(ended.text);
  return ended.succeeded ? 0 : 1;
}

/** The verdict counts once the status echoes the token of the request. A run that waits for a soak has ended. */
function endOfRequest(seen: Seen, token: string): Look<Ended> {
  const look = endOfRun(seen);
  if (seen.migration.status.lastHandledReconcileAt !== token) return 'done' in look ? {} : look;
  if ('done' in look) return look;
  // The echo of a suspended migration answers no run.
  if (conditionOf(seen.migration, 'Suspended')?.status === 'True') return look;
  const ready = conditionOf(seen.migration, 'Ready');
  return { done: { succeeded: ready?.status !== 'False', text: look.says ?? 'The run has ended.' } };
}
