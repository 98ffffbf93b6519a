import type { ReadResult } from '#src/core/document.ts';
import { carryOut } from '../apply/copy.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import type { Copied } from '../apply/proof.ts';
import type { SyncIntent } from '../plan/intent.ts';
import type { Decision, PlannedDocument } from '../plan/plan.ts';
import { decideSource } from '../plan/sources.ts';
import { isFromOldName, refusedCopy } from './names.ts';

/** A document that was never proven equal, under its own name, and what was read. */
export interface Unproven {
  readonly document: PlannedDocument;
  readonly atSource: ReadResult;
  /** Undefined: not read yet. */
  readonly atDestination: ReadResult | undefined;
}

/**
 * The first copy. Without a base nothing says which side changed, so a destination is overwritten only where it follows and
 * its store keeps what it had; nor is one written that was deleted where `sync` revives nothing. `left`: the document is no
 * part of the migration.
 */
export async function copyFirst(
  given: ApplyInputs,
  sync: SyncIntent,
  { atDestination, atSource, document }: Unproven,
): Promise<Copied | 'left'> {
  const inputs = guarded(given, sync, atDestination);
  const read = { address: document.source, result: atSource };
  const decision = await decideSource(inputs, document, { read, atDestination });
  if (decision.step === undefined || cameAndWent(inputs, decision)) return 'left';
  const refused = refusedCopy(inputs, sync, decision.step);
  if (refused !== undefined) return { outcome: refused };
  const copied = await carryOut(inputs, decision);
  const { copiedNow, source } = copied.outcome;
  if (copiedNow === true && isFromOldName(sync, source?.path)) given.onFallback();
  return copied;
}

/** The inputs of mode Once, which does not know what follows and what must stay deleted. */
function guarded(
  inputs: ApplyInputs,
  { authority, revives }: Pick<SyncIntent, 'authority' | 'revives'>,
  atDestination: ReadResult | undefined,
): ApplyInputs {
  const { intent, keepsVersions } = inputs;
  const staysDeleted = revives === false && atDestination?.state === 'deleted';
  const mayOverwrite = authority === 'Source' && keepsVersions.destination && !staysDeleted;
  const policyOf: typeof intent.policyOf = (name) => ({ ...intent.policyOf(name), conflictPolicy: 'Fail' });
  return {
    ...inputs,
    ...(mayOverwrite ? {} : { intent: { ...intent, policyOf } }),
    // A read that takes no value, pass after pass, is no use of an old name.
    onFallback: () => undefined,
  };
}

/** It may have changed, and is not there: only a name in the spec is missed. */
function cameAndWent({ intent, only }: Pick<ApplyInputs, 'intent' | 'only'>, { step }: Decision): boolean {
  const isMissing = step?.kind === 'report' && step.outcome.reason === 'SourceMissing';
  return isMissing && only !== undefined && intent.selection.scope.by !== 'names';
}
