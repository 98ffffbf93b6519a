import { explain } from '#src/errors/explain.ts';
import { hasCode } from '#src/errors.ts';
import { canAsk, confirmed } from './confirm.ts';
import type { Invocation } from './invocation.ts';
import { APPROVING_MANAGER } from './own-objects.ts';
import { printable } from './output.ts';
import { awaitsApproval } from './plan/carry-out.ts';
import { shownPlan } from './plan/plan.ts';
import { summaryOf } from './plan/print.ts';
import { tableOf } from './plan/rows.ts';
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

/** The flags of `approve`. */
export interface ApproveFlags {
  readonly digest?: string | undefined;
  readonly yes?: boolean | undefined;
}

/** Releases exactly the plan that the status shows. Resolves with the exit code. */
export async function approve(invocation: Invocation, name: string, flags: ApproveFlags): Promise<number> {
  return withSession(invocation, async (session) => approveIn(session, name, flags));
}

/** The same in a session. */
export async function approveIn(session: Session, name: string, flags: ApproveFlags): Promise<number> {
  const { namespace, output } = session;
  const seen = await readMigration(session, name);
  const digest = digestToApprove(seen, flags.digest);
  const { documents, ...rest } = shownPlan({ name, namespace, seen, table: await tableOf(session, seen) });
  output.note(`SecretMigration ${nameOf({ namespace, name })}. ${summaryOf({ documents, ...rest })}`);
  output.note(`Each document of it: kubectl keyferry plan ${name} -n ${namespace}`);
  if (flags.yes !== true && !(await isConfirmed(session, flags))) {
    output.note('Nothing was approved.');
    return 1;
  }
  try {
    const approved = (current: Seen) => {
      // What is approved is what was shown, whatever the operator planned since.
      digestToApprove(current, digest);
      return { spec: { approval: { digest } } };
    };
    await changeMigration(session, name, approved, APPROVING_MANAGER);
  } catch (thrown) {
    throw hasCode(thrown, 'ADMISSION_DENIED') ? withoutRight(thrown, namespace) : thrown;
  }
  output.line(`${titled(name)} approved`);
  return 0;
}

async function isConfirmed(session: Session, { digest }: ApproveFlags): Promise<boolean> {
  if (canAsk(session)) return confirmed(session, 'Approve this plan?');
  if (digest !== undefined) return true;
  throw new Problem(
    'Nobody can be asked, because this is not a terminal. Name the plan with --digest, or approve the one that is shown with -y.',
  );
}

/** The digest of the plan that waits. Throws `Problem` where there is nothing to approve, or something else. */
function digestToApprove(seen: Seen, wanted: string | undefined): string {
  const { migration } = seen;
  const title = `SecretMigration ${nameOf(migration.metadata)}`;
  const digest = migration.status.plan?.digest;
  if (digest !== undefined && migration.spec.approval?.digest === digest)
    throw new Problem(`${title} is approved already.`);
  if (!awaitsApproval(seen) || digest === undefined)
    throw new Problem(`${title} has no plan that waits for an approval. ${whyNot(seen)}`);
  if (wanted !== undefined && wanted !== digest)
    throw new Problem(
      `${title} has another plan than the one to approve: its digest is ${printable(digest)}. Nothing was approved. Look at it: kubectl keyferry plan ${migration.metadata.name} -n ${migration.metadata.namespace}`,
    );
  return digest;
}

function whyNot({ migration }: Seen): string {
  const { approval, dryRun } = migration.spec;
  if (dryRun) return 'It is a dry run: set spec.dryRun to false first.';
  if (approval?.required !== true) return 'It needs none: spec.approval.required is not true.';
  const ready = conditionOf(migration, 'Ready');
  return ready === undefined
    ? 'The operator has not planned this version of its spec yet; try again in a moment.'
    : `It is ${printable(`${ready.reason}: ${ready.message}`)}`;
}

function withoutRight(thrown: unknown, namespace: string): Problem {
  return new Problem(
    `${explain(thrown)} Who approves needs the verb "approve" on secretmigrations.keyferry.io in the namespace ${namespace}, which the ClusterRole keyferry-approve gives. Do you have it? kubectl auth can-i approve secretmigrations.keyferry.io -n ${namespace}`,
  );
}
