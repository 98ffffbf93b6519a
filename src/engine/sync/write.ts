import type { Document, Version } from '#src/core/document.ts';
import { otherSide } from '#src/core/sync/observed.ts';
import type { SyncStep, WriteStep } from '#src/core/sync/three-way.ts';
import { errorOf, type OperatorError } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import type { Copied } from '../apply/proof.ts';
import { completing } from '../apply/run-permit.ts';
import { readWritten } from '../apply/verify.ts';
import type { PlannedDocument } from '../plan/plan.ts';
import { documentIn } from './observe.ts';
import { keepFirst, refusalOfRestore } from './restore.ts';
import type { Rows, Seen } from './rows.ts';
import { desiredAt } from './way.ts';

/** What became of a write. */
export type Written =
  | Copied
  /** Nothing is certain: both sides are to be read again. `version` was stored, and something was stored after it. */
  | { readonly undecided: OperatorError | undefined; readonly version?: Version };

type Restore = Extract<SyncStep, { kind: 'restore' }>;

/** What one document needs to be written. */
export interface Writing {
  readonly inputs: ApplyInputs;
  readonly document: PlannedDocument;
  readonly rows: Rows;
  readonly seen: Seen;
}

/** Carries out one write and reads it back. Throws a failure after which nothing was written. */
export async function writeSide(writing: Writing, step: WriteStep): Promise<Written> {
  const { document, inputs, rows, seen } = writing;
  const { to } = step;
  const from = documentIn(seen.reads[otherSide(to)]);
  if (from === undefined) return { undecided: undefined };
  const current = documentIn(seen.reads[to]);
  const { document: desired, refusal } = desiredAt(inputs, document, { to, from, current });
  if (refusal !== undefined) return { outcome: rows.refused(seen, refusal) };
  if (step.kind === 'write') return writeAndProve(writing, step, { desired, backup: undefined });
  const kept = await keep(writing, step);
  return 'outcome' in kept ? kept : writeAndProve(writing, step, { desired, ...kept });
}

/** Makes sure that what is overwritten stays readable, and that a row says where, before it is overwritten. */
async function keep(
  { document, inputs, rows, seen }: Writing,
  step: Restore,
): Promise<Copied | { readonly backup: string | undefined }> {
  const address = document[step.to];
  const backup = step.keepFirst ? await keepFirst(inputs, step, address) : undefined;
  const refusal = step.keepFirst ? undefined : await refusalOfRestore(inputs, step, address);
  if (refusal !== undefined) return { outcome: rows.refused(seen, refusal) };
  await inputs.journal.record(rows.announcing(seen, step, backup));
  await inputs.journal.flush();
  return { backup };
}

async function writeAndProve(
  { inputs, rows, seen }: Writing,
  step: WriteStep,
  { backup, desired }: { readonly desired: Document; readonly backup: string | undefined },
): Promise<Written> {
  const { logger, permit } = inputs;
  const driver = inputs[step.to];
  let version: Version | undefined;
  try {
    version = await driver.write(desired, step.expect, completing(permit));
    // What became of the write is read also after a stop.
    const stored = await readWritten(driver, { desired, version }, permit.toComplete.signal);
    if (step.expect !== 'absent')
      inputs.onChanged({ side: step.to, address: desired.address, version: stored.version });
    return rows.written(seen, step, { stored, backup });
  } catch (failure) {
    const undecided = errorOf(failure);
    if (!isUndecided(undecided)) throw failure;
    logger.debug('write undecided, reading again', { path: desired.address, code: undecided.code });
    return { undecided, ...(version === undefined ? {} : { version }) };
  }
}

/** Another writer was faster, or there was no reply. */
function isUndecided({ code, indeterminate }: OperatorError): boolean {
  return indeterminate || code === 'ALREADY_EXISTS' || code === 'VERSION_CONFLICT';
}
