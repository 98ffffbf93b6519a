import { TEMPORARY_LABEL } from '#src/api/group.ts';
import { explain } from '#src/errors/explain.ts';
import { errorOf, hasCode } from '#src/errors.ts';
import { isJsonObject } from '#src/kube/json.ts';
import type { ObjectName } from '#src/kube/resource.ts';
import { printable } from '../output.ts';
import type { NewOwnObject } from '../own-objects.ts';
import { Problem } from '../problem.ts';
import { conditionOf, nameOf, type Seen } from '../secret-migrations.ts';
import type { Session } from '../session.ts';
import { waitFor, type Look } from '../wait.ts';
import type { Table } from '../rows.ts';
import { tableOf } from './rows.ts';

/*
 * The operator plans, with its own rights and from its own network: a temporary SecretMigration with dryRun asks it to. It
 * writes to no backend, and no other migration waits for it (`refuseCrossings`).
 */

/** A migration to plan: as a file has it, or as the server has it. */
export interface Planned {
  readonly namespace: string;
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface DryRun {
  readonly seen: Seen;
  readonly table: Table;
}

/** Milliseconds for which a trouble that the operator tries again is waited for. */
const PATIENCE_MS = 15_000;
/** Milliseconds for the deletion, also after Ctrl-C. */
const TIDY_MS = 10_000;
/** Milliseconds in which a request that was cut off arrives. */
const LATE_MS = 1000;
/** An object name has at most 253 characters. */
const MAX_BASE = 240;
const SUFFIX_LENGTH = 5;
/** Rows are the result, also where documents fail. */
const WITH_ROWS: ReadonlySet<string> = new Set(['ConflictsFound', 'PartiallyFailed']);

/**
 * Lets the operator plan this migration. The temporary SecretMigration is deleted in every ending. Throws `Problem` where the
 * operator makes no plan, what the API server refuses, and the reason of the signal at Ctrl-C.
 */
export async function dryRunOf(
  session: Session,
  planned: Planned,
  timeoutMs: number | undefined,
): Promise<DryRun> {
  const metadata = {
    namespace: planned.namespace,
    name: temporaryName(planned.name, session.random),
    // No label of the original: a controller that follows one would take this for its own object.
    labels: { [TEMPORARY_LABEL]: 'plan' },
  };
  await create(session, { metadata, spec: dryRunSpec(planned.spec) });
  try {
    const seen = await waitFor(session, {
      ...metadata,
      timeoutMs,
      look: planLook(session),
      tooLate: `The operator made no plan of ${nameOf(planned)} in time. See its conditions with keyferry doctor, or allow more with --timeout.`,
    });
    return { seen, table: await tableOf(session, seen) };
  } finally {
    await tidyUp(session, metadata);
  }
}

async function create(session: Session, object: NewOwnObject): Promise<void> {
  const { name, namespace } = object.metadata;
  try {
    await session.objects.create('SecretMigration', object);
  } catch (thrown) {
    if (!wasRefused(thrown)) await tidyUp(session, { name, namespace }, 'uncertain');
    throw thrown;
  }
}

/** True if nothing can have been created: then another object may have the name. */
function wasRefused(thrown: unknown): boolean {
  if (thrown instanceof Problem) return false;
  const { code, indeterminate, op } = errorOf(thrown);
  return op === 'kube.create' && !indeterminate && code !== 'DEADLINE' && code !== 'BACKEND_UNREACHABLE';
}

/** `<name>-plan-x7k2f` */
export function temporaryName(base: string, random: () => number): string {
  const suffix = Math.floor(random() * 36 ** SUFFIX_LENGTH).toString(36);
  return `${base.slice(0, MAX_BASE).replace(/[-.]+$/, '')}-plan-${suffix.padStart(SUFFIX_LENGTH, '0')}`;
}

/** The same, but it only looks; what belongs to the one run of the original stays out. */
export function dryRunSpec(spec: Planned['spec']): Readonly<Record<string, unknown>> {
  const { approval: _approval, suspend: _suspend, undo: _undo, ...rest } = spec;
  return { ...rest, dryRun: true };
}

/** `uncertain`: a request that was cut off can still arrive, so what is absent is looked for once more. */
async function tidyUp(
  { clock, objects, output }: Session,
  { name, namespace }: ObjectName,
  state: 'created' | 'uncertain' = 'created',
): Promise<void> {
  const signal = AbortSignal.timeout(TIDY_MS);
  const remove = async (): Promise<void> =>
    objects.until(signal).remove('SecretMigration', { namespace, name });
  try {
    await remove().catch(async (thrown: unknown) => {
      if (state === 'created' || !hasCode(thrown, 'NOT_FOUND')) throw thrown;
      await clock.sleep(LATE_MS, signal);
      await remove();
    });
  } catch (thrown) {
    if (hasCode(thrown, 'NOT_FOUND')) return;
    output.note(
      `The temporary SecretMigration ${nameOf({ namespace, name })} could not be deleted: ${explain(thrown)} It changes nothing; delete it: kubectl delete secretmigration ${name} -n ${namespace ?? ''}`,
    );
  }
}

/** When there is a plan, or certainly none. */
function planLook({ clock }: Pick<Session, 'clock'>): (seen: Seen) => Look<Seen> {
  let troubledSinceMs: number | undefined;
  return (seen) => {
    const ready = conditionOf(seen.migration, 'Ready');
    if (ready === undefined) return {};
    if (ready.status === 'True' || WITH_ROWS.has(ready.reason)) return { done: seen };
    if (ready.status === 'Unknown') {
      troubledSinceMs = undefined;
      return {};
    }
    troubledSinceMs ??= clock.monotonic();
    const text = printable(`${ready.reason}: ${ready.message}`);
    if (isFinal(seen) || clock.monotonic() - troubledSinceMs > PATIENCE_MS) throw new Problem(text);
    return { says: text };
  };
}

/** True if waiting does not help. */
function isFinal({ migration }: Seen): boolean {
  if (conditionOf(migration, 'Stalled')?.status === 'True') return true;
  return conditionOf(migration, 'Ready')?.reason === 'NothingSelected';
}

/** The spec of an object of the API. */
export function specOf(object: unknown): Planned['spec'] {
  const spec = isJsonObject(object) ? object['spec'] : undefined;
  return isJsonObject(spec) ? spec : {};
}
