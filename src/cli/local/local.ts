import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { readyOf } from '#src/controllers/conditions.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';
import { formatOf, printDocument } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { Problem } from '../problem.ts';
import { rowsOf, withRows } from './rows.ts';
import { isComplete, runToEnd, type RunEnd } from './run.ts';
import { openSession } from './session.ts';
import { Progress, showEnd } from './show.ts';

/** The flags of `migrate --local`, as they are typed. */
export interface LocalFlags {
  readonly filename?: string | undefined;
  readonly credential?: readonly string[] | undefined;
  readonly state?: string | undefined;
  readonly directoryRoot?: string | undefined;
  readonly allowInsecureHttp?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly wait?: boolean | undefined;
  readonly output?: string | undefined;
}

const EXIT_FAILURE = 1;
/** `plan`: there is something to do, as `kubectl diff` and `terraform plan -detailed-exitcode`. */
const EXIT_CHANGES = 2;

/** Runs one migration in this process. Resolves with the exit code: 0 when it is complete. Throws `Problem`. */
export async function runLocal(invocation: Invocation, flags: LocalFlags): Promise<number> {
  const { migration } = await carryOut(invocation, flags);
  return isComplete(migration) ? 0 : EXIT_FAILURE;
}

/** Shows what a run would do. Resolves with 0 for nothing, 2 for something, 1 for a plan that a run could not carry out. */
export async function planLocal(invocation: Invocation, flags: LocalFlags): Promise<number> {
  const { migration } = await carryOut(invocation, { ...flags, dryRun: true });
  if (!isComplete(migration)) return EXIT_FAILURE;
  const { create = 0, overwrite = 0, remove = 0 } = migration.status.plan ?? {};
  return create + overwrite + remove > 0 ? EXIT_CHANGES : 0;
}

async function carryOut(invocation: Invocation, flags: LocalFlags): Promise<RunEnd> {
  const {
    allowInsecureHttp = false,
    credential = [],
    directoryRoot,
    dryRun = false,
    state,
    wait = false,
  } = flags;
  const { filename: file } = flags;
  const format = formatOf(flags.output);
  if (file === undefined)
    throw new Problem('Name the file of the migration: -f migration.yaml, or -f - for the standard input.');
  const progress = new Progress(invocation);
  await using opened = new AsyncDisposableStack();
  const session = await openSession(
    invocation,
    {
      file,
      credential,
      directoryRoot,
      state,
      allowInsecureHttp,
      dryRun,
      onProgress: (migration) => progress.show(migration),
    },
    opened,
  );
  const end = await runToEnd(session, { wait, signal: invocation.signal }).finally(() => progress.end());
  const { migration } = end;
  const rows = rowsOf(migration, session.objects);
  const { output } = invocation;
  if (format === undefined) showEnd(output, migration, rows);
  else await printDocument(output, withRows(migration, rows), format);
  hint(invocation, session.folder, end);
  return end;
}

/** What to do next; nothing after a run that is complete. */
function hint({ clock, output }: Invocation, folder: string | undefined, end: RunEnd): void {
  const { againAfterMs, isStopped, migration } = end;
  if (folder === undefined || isComplete(migration)) return;
  const where = `Its rows are in ${folder}.`;
  if (isStopped) {
    output.note(`The run was stopped before its end. ${where} Run the same command to go on.`);
    return;
  }
  if (isSoaking(migration) && againAfterMs !== undefined) {
    const at = toKubernetesTime(clock.now() + againAfterMs);
    output.note(`Sources soak until ${at}. ${where} Run the same command again after that, or add --wait.`);
    return;
  }
  output.note(
    `The migration is not complete. ${where} Run the same command again when what the rows say is done.`,
  );
}

function isSoaking({ status }: SecretMigration): boolean {
  return readyOf(status)?.reason === 'AwaitingSoak';
}
