import { hasCode } from '#src/errors.ts';
import { canAsk, confirmed } from '../confirm.ts';
import { parseTimeout } from '../duration.ts';
import { formatOf, printDocument } from '../format.ts';
import type { Invocation } from '../invocation.ts';
import { planNew } from '../plan/carry-out.ts';
import { Problem } from '../problem.ts';
import { nameOf, titled } from '../secret-migrations.ts';
import { withSession, type Session } from '../session.ts';
import { endOfRun, waitFor } from '../wait.ts';
import { requireReady } from './ends.ts';
import { wantedBy, type ManifestFlags, type Wanted } from './manifest.ts';

/** The flags of `migrate`. */
export interface MigrateFlags extends ManifestFlags {
  readonly namespace?: string | undefined;
  readonly output?: string | undefined;
  readonly wait?: boolean | undefined;
  readonly timeout?: string | undefined;
  readonly yes?: boolean | undefined;
}

/** Milliseconds for a dry run, where no flag says it. */
const DRY_RUN_MS = 300_000;

interface How {
  readonly isDryRun: boolean;
  readonly isConfirmed: boolean;
  readonly waits: boolean;
  readonly timeoutMs: number | undefined;
}

/**
 * Creates a SecretMigration from flags. With `-o` it only prints it, and needs no cluster. Resolves with the exit code: with
 * `--wait` 1 if it does not succeed, with `--dry-run` that of `plan`.
 */
export async function migrate(invocation: Invocation, flags: MigrateFlags): Promise<number> {
  const format = formatOf(flags.output);
  const how = {
    isDryRun: flags.dryRun === true,
    isConfirmed: flags.yes === true,
    waits: flags.wait === true,
    timeoutMs: parseTimeout(flags.timeout),
  };
  const wanted = wantedBy(flags, flags.namespace);
  if (format === undefined)
    return withSession(invocation, async (session) => migrateIn(session, wanted, how));
  await printDocument(invocation.output, wanted.manifest, format);
  return 0;
}

/** The same in a session. */
export async function migrateIn(session: Session, wanted: Wanted, how: How): Promise<number> {
  const { namespace, output } = session;
  for (const end of wanted.ends) await requireReady(session, end);
  const { metadata, spec } = wanted.manifest;
  const { name } = metadata;
  const { timeoutMs = DRY_RUN_MS } = how;
  if (how.isDryRun)
    return await planNew(session, { namespace, name, spec }, { format: undefined, timeoutMs });
  if (!(how.isConfirmed || (await isAgreed(session, wanted)))) {
    output.note('Nothing was created.');
    return 1;
  }
  await create(session, wanted);
  if (!wanted.removesSources) output.note('The sources stay as they are.');
  if (how.waits) return await follow(session, name, how.timeoutMs);
  output.note(`See how far it is: kubectl keyferry status ${name} -n ${namespace}`);
  return 0;
}

/** A removal is asked for on a terminal; elsewhere its flag says enough. */
async function isAgreed(session: Session, { removesSources }: Wanted): Promise<boolean> {
  if (!removesSources || !canAsk(session)) return true;
  return await confirmed(session, 'Each source is removed as soon as its copy is proven. Migrate?');
}

async function create({ namespace, objects, output }: Session, { manifest }: Wanted): Promise<void> {
  const { name } = manifest.metadata;
  try {
    await objects.create('SecretMigration', { metadata: { namespace, name }, spec: manifest.spec });
  } catch (thrown) {
    if (!hasCode(thrown, 'ALREADY_EXISTS')) throw thrown;
    throw new Problem(
      `There is a SecretMigration ${nameOf({ namespace, name })} already; nothing was created. Choose another name with --name, or run that one again: kubectl keyferry retry ${name} -n ${namespace}`,
    );
  }
  output.line(`${titled(name)} created`);
}

async function follow(session: Session, name: string, timeoutMs: number | undefined): Promise<number> {
  const { namespace, output } = session;
  const ended = await waitFor(session, {
    namespace,
    name,
    timeoutMs,
    look: endOfRun,
    tooLate: `SecretMigration ${nameOf({ namespace, name })} has not ended in time. It goes on without this command: kubectl keyferry status ${name} -n ${namespace}`,
  });
  output.note(ended.text);
  return ended.succeeded ? 0 : 1;
}
