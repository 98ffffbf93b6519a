import type { ReadResult } from '#src/core/document.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { followingEnded } from '#src/core/sync/said.ts';
import type { SyncStep } from '#src/core/sync/three-way.ts';
import type { Clock } from '#src/ports.ts';
import { areNamesOfOneFolder } from '../plan/ends.ts';
import { activeFallback, fallbackHasEnded, oldAddressOf, wasReadUnderItsName } from '../plan/fallback.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { SyncIntent } from '../plan/intent.ts';
import { SOURCE_MISSING } from '../plan/missing.ts';
import type { PlannedDocument, PlannedStep } from '../plan/plan.ts';

/*
 * Old and new names while programs change from one to the other. Two kinds: the source has both names (`source.fallback`),
 * or they are the two sides of the migration. In both, what was deleted under its new name is not brought back from the old
 * one, and all of it ends at a time that the spec says.
 */

type Window = Pick<PlanInputs, 'intent' | 'clock' | 'prior'>;

/** Where the source of a document is now, and what was read there. */
export interface Located {
  readonly document: PlannedDocument;
  readonly read: ReadResult;
}

/**
 * The document as it is under its own name, or under its old one while it is absent there and the fallback is active.
 * `ended`: it was last read under its old name, which is not read any more. Throws what the read throws.
 */
export async function locate(
  inputs: Window & Pick<PlanInputs, 'source' | 'signal'>,
  document: PlannedDocument,
  atOwn: ReadResult,
): Promise<Located | 'ended'> {
  const { name } = document;
  if (atOwn.state !== 'absent') return { document, read: atOwn };
  const old = oldAddressOf(inputs, name);
  if (old !== undefined)
    return {
      document: { ...document, source: old, isAtOldSource: true },
      read: await inputs.source.read(old, inputs.signal),
    };
  const wasAtOld = inputs.prior.get(name)?.source?.path !== undefined;
  return wasAtOld ? 'ended' : { document, read: atOwn };
}

/** The row of a document that has only its old name still, after the fallback. */
export function missingSince(inputs: Window, row: Omit<Outcome, 'state'>): Outcome {
  const { message: said, reason } = SOURCE_MISSING;
  const message = [said, fallbackHasEnded(inputs)].filter((part) => part !== undefined).join(' ');
  return { ...row, state: 'Failed', reason, message, retry: 'later' };
}

/** The policy for a pair of names in one folder. */
export function withNames(inputs: Pick<PlanInputs, 'source' | 'destination'>, sync: SyncIntent): SyncIntent {
  return areNamesOfOneFolder(inputs) ? { ...sync, revives: false } : sync;
}

/** True when a value came from an old name; `oldSource` is the old address of its source. */
export function isFromOldName(
  { revives }: Pick<SyncIntent, 'revives'>,
  oldSource: string | undefined,
): boolean {
  return revives === false || oldSource !== undefined;
}

/** True when a document that is gone at both sides needs its row, so that an old name does not bring it back. */
export function isRemembered(inputs: Window, sync: SyncIntent, { name }: PlannedDocument): boolean {
  if (sync.revives === false) return !hasEnded(inputs, sync);
  return activeFallback(inputs) !== undefined && wasReadUnderItsName(inputs, name);
}

function hasEnded({ clock }: { readonly clock: Pick<Clock, 'now'> }, { untilMs }: SyncIntent): boolean {
  return untilMs !== undefined && clock.now() >= untilMs;
}

/** The step, or after `sync.untilTime` why nothing is written. */
export function inItsTime(inputs: Pick<PlanInputs, 'clock'>, sync: SyncIntent, step: SyncStep): SyncStep {
  const { untilMs } = sync;
  if (untilMs === undefined || !hasEnded(inputs, sync)) return step;
  const { kind } = step;
  if (kind === 'nothing' || kind === 'moveBase' || kind === 'keep') return step;
  return { kind: 'keep', ...followingEnded(untilMs) };
}

/** After `sync.untilTime`, the row of a document that would be copied for the first time. */
export function refusedCopy(
  inputs: Pick<PlanInputs, 'clock'>,
  sync: SyncIntent,
  step: PlannedStep,
): Outcome | undefined {
  const { untilMs } = sync;
  if (untilMs === undefined || !hasEnded(inputs, sync)) return undefined;
  if (step.kind !== 'create' && step.kind !== 'overwrite') return undefined;
  return { ...step.row, state: 'Skipped', ...followingEnded(untilMs) };
}
