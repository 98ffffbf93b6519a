import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { formatOf } from '../format.ts';
import type { Format } from '../structured.ts';
import { parseTimeout } from '../duration.ts';
import type { Invocation } from '../invocation.ts';
import { Problem } from '../problem.ts';
import { conditionOf, nameOf, readMigration, type Seen } from '../secret-migrations.ts';
import { withSession, type Session } from '../session.ts';
import { dryRunOf, specOf, type Planned } from './dry-run.ts';
import { readManifests } from './manifests.ts';
import { EXIT, exitCodeOf, shownPlan, type ShownPlan } from './plan.ts';
import { printPlan } from './print.ts';
import { tableOf } from './rows.ts';

/** The flags of `plan`. */
export interface PlanFlags {
  readonly filename?: string | undefined;
  readonly output?: string | undefined;
  readonly timeout?: string | undefined;
  readonly namespace?: string | undefined;
}

interface How {
  readonly format: Format | undefined;
  readonly timeoutMs: number | undefined;
}

/** `plan -f FILE` or `plan NAME`. Resolves with 0: nothing to do, 1: a document cannot be planned, 2: changes. */
export async function plan(
  invocation: Invocation,
  name: string | undefined,
  flags: PlanFlags,
): Promise<number> {
  const how = { format: formatOf(flags.output), timeoutMs: parseTimeout(flags.timeout) };
  const { filename } = flags;
  if ((name === undefined) === (filename === undefined))
    throw new Problem('Name one SecretMigration, or a file with -f.');
  return withSession(invocation, async (session) =>
    filename === undefined
      ? planExisting(session, name ?? '', how)
      : planFile(session, { file: filename, namespace: flags.namespace }, how),
  );
}

/** Plans each migration of a file, one after the other. The exit code is that of the worst. */
export async function planFile(
  session: Session,
  { file, namespace }: { readonly file: string; readonly namespace: string | undefined },
  how: How,
): Promise<number> {
  const codes: number[] = [];
  for (const planned of await readManifests(session, file, namespace))
    codes.push(await planNew(session, planned, how));
  return codes.includes(EXIT.failure) ? EXIT.failure : Math.max(...codes);
}

/** Plans a migration that need not exist, and prints it. */
export async function planNew(
  session: Session,
  planned: Planned,
  { format, timeoutMs }: How,
): Promise<number> {
  const { seen, table } = await dryRunOf(session, planned, timeoutMs);
  const { digest: _ofTemporary, ...plan } = shownPlan({ ...planned, seen, table });
  return await show(session, plan, format);
}

/** What the operator would do with a migration that exists. */
export async function planExisting(session: Session, name: string, how: How): Promise<number> {
  const { namespace, output } = session;
  const seen = await readMigration(session, name);
  if (seen.migration.spec.undo === true)
    throw new Problem(
      `SecretMigration ${nameOf({ namespace, name })} is taken back (spec.undo), and there is no plan of that. Its rows say how far it is: kubectl keyferry status ${name} -n ${namespace}`,
    );
  const table = await tableOf(session, seen);
  if (awaitsApproval(seen)) {
    const plan = shownPlan({ name, namespace, seen, table });
    const code = await show(session, plan, how.format);
    output.note(`It waits for an approval: kubectl keyferry approve ${name} -n ${namespace}`);
    return code;
  }
  if (hasCompleted(seen.migration)) {
    output.note(
      `SecretMigration ${nameOf({ namespace, name })} has completed: it does nothing more until its spec changes or a run is requested (kubectl keyferry retry ${name} -n ${namespace}).`,
    );
    return EXIT.nothing;
  }
  if (seen.migration.spec.suspend)
    output.note(`It is suspended, so nothing happens before kubectl keyferry resume ${name} -n ${namespace}`);
  if (seen.migration.spec.mode === 'Sync')
    output.note(
      'In mode Sync this is the plan of a first copy: a document that differs is shown as a conflict, also where the operator follows the change.',
    );
  const settled = new Set(table.rows.filter(({ state }) => state === 'Removed').map((row) => row.name));
  const dryRun = await dryRunOf(session, { namespace, name, spec: specOf(seen.object) }, how.timeoutMs);
  const { digest: _ofTemporary, ...plan } = shownPlan({ name, namespace, settled, ...dryRun });
  return await show(session, plan, how.format);
}

async function show({ output }: Session, plan: ShownPlan, format: Format | undefined): Promise<number> {
  await printPlan(output, plan, format);
  return exitCodeOf(plan);
}

/** True while it waits for an approval of the plan in its status. */
export function awaitsApproval({ migration }: Seen): boolean {
  return conditionOf(migration, 'Ready')?.reason === 'AwaitingApproval';
}

function hasCompleted(migration: SecretMigration): boolean {
  const { dryRun, mode } = migration.spec;
  return mode === 'Once' && !dryRun && conditionOf(migration, 'Succeeded')?.status === 'True';
}
