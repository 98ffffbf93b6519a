import type { Address } from '#src/core/document.ts';
import { recordedOutcome, type Outcome } from '#src/core/outcome.ts';
import { repeatable } from '#src/core/repeatable.ts';
import { nameIsSelected } from '#src/core/selection.ts';
import { recordedBase } from '#src/core/sync/base.ts';
import { Deadline } from '#src/io/deadline.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { MARKS, type Documents } from '../plan/documents.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { Inventory } from '../plan/inventory.ts';
import { inventoryInTime, planningOf, type Planning } from '../plan/make-plan.ts';
import { ListedVersions } from './listed-versions.ts';
import { markUnchanged } from './unchanged.ts';

/**
 * Plans a pass: the whole selection without what is certainly in step, or the documents that may have changed (`only`). Each
 * step follows from both sides, so a decision is only what was read at the source. Changes nothing. Throws as `startPlan`.
 */
export async function planPass(given: PlanInputs): Promise<Planning> {
  const shown = skipsKnown(given) ? new ListedVersions(given) : undefined;
  const inputs: PlanInputs = {
    ...given,
    onVersion: shown && ((side, name, version) => shown.note(side, name, version)),
  };
  const inventory = await inventoryInTime(inputs);
  const { documents } = inventory;
  selectKnown(inputs, inventory);
  if (shown !== undefined) await leaveInStep(inputs, documents, shown);
  const refused = repeatable(() => refusedAndInStep(inputs, inventory));
  return planningOf(inputs, { ...inventory, refused }, async (document, reads) =>
    Promise.resolve({ document, step: undefined, inStep: reads }),
  );
}

/** The rows of what is certainly in step stay as they are. */
function* refusedAndInStep(
  { prior }: Pick<PlanInputs, 'prior'>,
  { documents, refused }: Inventory,
): Generator<Outcome> {
  yield* refused;
  for (const row of prior.values()) if (documents.isNamed(row.name, MARKS.inStep)) yield recordedOutcome(row);
}

/** Documents that the source no longer lists are read too if both sides were proven equal: the other side may follow. */
function selectKnown(inputs: PlanInputs, { count, documents, unlisted }: Inventory): void {
  for (const name of unlisted) {
    const destination = destinationOfKnown(inputs, name);
    if (destination !== undefined) documents.selectUnlisted(count.discover(name), destination);
  }
}

/** Where the document of this name is if both sides were proven equal; undefined if they were not, or it is not selected. */
function destinationOfKnown(
  { intent: { selection }, prior }: Pick<PlanInputs, 'intent' | 'prior'>,
  name: string,
): Address | undefined {
  const record = prior.get(name);
  const destination = record?.destination?.path;
  if (destination === undefined || !nameIsSelected(selection, name)) return undefined;
  return recordedBase(record, destination) === undefined ? undefined : destination;
}

/** True for a whole pass of rows of this very spec. */
function skipsKnown({ only, trustsVersions }: Pick<PlanInputs, 'only' | 'trustsVersions'>): boolean {
  return only === undefined && trustsVersions;
}

/** Drops the documents that a whole pass need not read. */
async function leaveInStep(inputs: PlanInputs, documents: Documents, shown: ListedVersions): Promise<void> {
  const { clock, signal } = inputs;
  using time = new Deadline(clock, DEADLINES_MS.list, signal, { op: 'engine.list' });
  await markUnchanged({ ...inputs, signal: time.signal }, documents, shown);
  for (const item of documents.with(MARKS.inStep)) documents.drop(item);
}
