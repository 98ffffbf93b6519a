import type { Driver } from '#src/backends/driver.ts';
import type { Document, Expectation, Version } from '#src/core/document.ts';
import { otherSide } from '#src/core/sync/observed.ts';
import { IMMUTABLE } from '#src/core/sync/said.ts';
import type { RestoreStep, WriteStep } from '#src/core/sync/three-way.ts';
import { errorOf, isAbort, OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { make, type Made } from '../apply/make.ts';
import type { Copied } from '../apply/proof.ts';
import { completing } from '../apply/run-permit.ts';
import { readWritten } from '../apply/verify.ts';
import { failedOutcome } from '../failure.ts';
import type { PlannedDocument } from '../plan/plan.ts';
import { documentIn } from './observe.ts';
import { fixed, isFixed, keepingCopy } from './recreate.ts';
import { keepFirst, refusalOfRestore } from './restore.ts';
import type { Rows, Seen } from './rows.ts';
import { desiredAt } from './way.ts';

/** What became of a write. */
export type Written =
  | Copied
  /** Nothing is certain: both sides are to be read again. `version` was stored, and something was stored after it. */
  | {
      readonly undecided: OperatorError | undefined;
      readonly version?: Version;
      /** The copy of a document that may have been deleted and not created again. */
      readonly kept?: string | undefined;
    };

/** What one document needs to be written. */
export interface Writing {
  readonly inputs: ApplyInputs;
  readonly document: PlannedDocument;
  readonly rows: Rows;
  readonly seen: Seen;
  /** The kept copy of what an earlier try deleted. */
  readonly backup?: string | undefined;
}

interface Wanted {
  readonly desired: Document;
  /** What is there is immutable: it is deleted and created again. */
  readonly recreates?: true | undefined;
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
  if (!isFixed(inputs, to, current)) return keepAndWrite(writing, step, { desired });
  if (inputs.intent.sync?.recreatesImmutable !== true)
    return { outcome: rows.left(seen, { kind: 'conflict', ...IMMUTABLE }) };
  return keepAndWrite(writing, keepingCopy(step), { desired: fixed(desired), recreates: true });
}

async function keepAndWrite(writing: Writing, step: WriteStep, wanted: Wanted): Promise<Written> {
  if (step.kind === 'write') return writeAndProve(writing, step, { ...wanted, backup: writing.backup });
  const kept = await keep(writing, step);
  return 'outcome' in kept ? kept : writeAndProve(writing, step, { ...wanted, ...kept });
}

/** Makes sure that what is overwritten stays readable, and that a row says where, before it is overwritten. */
async function keep(
  { document, inputs, rows, seen }: Writing,
  step: RestoreStep,
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
  { backup, desired, recreates }: Wanted & { readonly backup: string | undefined },
): Promise<Written> {
  const { logger, permit } = inputs;
  const driver = inputs[step.to];
  let version: Version | undefined;
  try {
    const made = await send(driver, { desired, recreates, expect: step.expect }, completing(permit));
    ({ version } = made);
    // What became of the write is read also after a stop.
    const stored = await readWritten(driver, { desired, ...made }, permit.toComplete.signal);
    if (replaces(step, backup))
      inputs.onChanged({ side: step.to, address: desired.address, version: stored.version });
    return rows.written(seen, step, { stored, backup });
  } catch (failure) {
    if (isAbort(failure, permit.toComplete.signal)) throw failure;
    const undecided = errorOf(failure);
    // The row names the copy: what was deleted may not have been created again.
    if (!isUndecided(undecided) && recreates === true && step.kind === 'restore')
      return { outcome: failedOutcome(rows.announcing(seen, step, backup), failure), failure };
    if (!isUndecided(undecided)) throw failure;
    logger.debug('write undecided, reading again', { path: desired.address, code: undecided.code });
    return {
      undecided,
      ...(version === undefined ? {} : { version }),
      kept: recreates === true ? backup : undefined,
    };
  }
}

/** An absent document that has a kept copy was there before, with another value. */
function replaces({ expect }: WriteStep, backup: string | undefined): boolean {
  return expect !== 'absent' || backup !== undefined;
}

async function send(
  driver: Driver,
  { desired, expect, recreates }: Wanted & { readonly expect: Expectation },
  permit: Permit,
): Promise<Made> {
  if (recreates !== true || expect === 'absent') return make(driver, { desired, expect }, permit);
  if (driver.recreate !== undefined) return { version: await driver.recreate(desired, expect, permit) };
  throw new OperatorError('CAPABILITY_MISSING', { op: 'engine.sync', target: desired.address });
}

/** Another writer was faster, or there was no reply. */
function isUndecided({ code, indeterminate }: OperatorError): boolean {
  return indeterminate || code === 'ALREADY_EXISTS' || code === 'VERSION_CONFLICT';
}
