import { recordedOutcome } from '#src/core/outcome.ts';
import { nameIsSelected } from '#src/core/selection.ts';
import { recordedBase } from '#src/core/sync/base.ts';
import { Deadline } from '#src/io/deadline.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { Inventory } from '../plan/inventory.ts';
import { inventoryInTime, planningOf, type Planning } from '../plan/make-plan.ts';
import type { PlannedDocument } from '../plan/plan.ts';
import { ListedVersions } from './listed-versions.ts';
import { unchangedSince } from './unchanged.ts';

/**
 * Plans a pass: the whole selection without what is certainly in step, or the documents that may have changed (`only`). Each
 * step follows from both sides, so a decision is only what was read at the source. Changes nothing. Throws as `startPlan`.
 */
export async function planPass(given: PlanInputs): Promise<Planning> {
  const shown = skipsKnown(given) ? new ListedVersions(given) : undefined;
  const inputs: PlanInputs = {
    ...given,
    onVersion: shown && ((side, address, version) => shown.note(side, address, version)),
  };
  const inventory = withKnown(inputs, await inventoryInTime(inputs));
  const still = shown === undefined ? NONE : await stillInStep(inputs, inventory.documents, shown);
  const documents = inventory.documents.filter(({ name }) => !still.has(name));
  const unread = [...inputs.prior.values()].filter(({ name }) => still.has(name));
  const refused = [...inventory.refused, ...unread.map(recordedOutcome)];
  return planningOf(inputs, { ...inventory, documents, refused }, async (document, reads) =>
    Promise.resolve({ document, step: undefined, inStep: reads }),
  );
}

/** Documents that the source no longer lists are read too if both sides were proven equal: the other side may follow. */
function withKnown(inputs: PlanInputs, inventory: Inventory): Inventory {
  const known = new Map(
    inventory.unlisted.flatMap((name) => knownIn(inputs, name)).map((each) => [each.name, each]),
  );
  for (const name of known.keys()) inventory.count.discover(name);
  return {
    ...inventory,
    unlisted: inventory.unlisted.filter((name) => !known.has(name)),
    documents: [...inventory.documents, ...known.values()],
  };
}

/** The document of this name if both sides were proven equal; none if they were not, or it is not selected. */
function knownIn(
  { intent: { route, selection }, prior }: Pick<PlanInputs, 'intent' | 'prior'>,
  name: string,
): readonly PlannedDocument[] {
  const record = prior.get(name);
  const destination = record?.destination?.path;
  if (destination === undefined || !nameIsSelected(selection, name)) return [];
  if (recordedBase(record, destination) === undefined) return [];
  return [{ name, source: route.sourceOf(name), destination, isNew: false, isUnlisted: true }];
}

const NONE: ReadonlySet<string> = new Set();

/** True for a whole pass of rows of this very spec. */
function skipsKnown({ only, trustsVersions }: Pick<PlanInputs, 'only' | 'trustsVersions'>): boolean {
  return only === undefined && trustsVersions;
}

/** The documents that a whole pass need not read. */
async function stillInStep(
  inputs: PlanInputs,
  documents: readonly PlannedDocument[],
  shown: ListedVersions,
): Promise<ReadonlySet<string>> {
  const { clock, signal } = inputs;
  using time = new Deadline(clock, DEADLINES_MS.list, signal, { op: 'engine.list' });
  return await unchangedSince({ ...inputs, signal: time.signal }, documents, shown);
}
