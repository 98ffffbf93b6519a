import type { Outcome } from '#src/core/outcome.ts';
import { nameIsSelected } from '#src/core/selection.ts';
import { recordedBase } from '#src/core/sync/base.ts';
import { Deadline } from '#src/io/deadline.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { Inventory } from '../plan/inventory.ts';
import { inventoryInTime, planningOf, type Planning } from '../plan/make-plan.ts';
import type { PlannedDocument } from '../plan/plan.ts';
import { unchangedSince } from './unchanged.ts';

/**
 * Plans a pass: the whole selection without what is certainly in step, or the documents that may have changed (`only`). Each
 * step follows from both sides, so a decision is only what was read at the source. Changes nothing. Throws as `startPlan`.
 */
export async function planPass(inputs: PlanInputs): Promise<Planning> {
  const inventory = withKnown(inputs, await inventoryInTime(inputs));
  const still = await stillInStep(inputs, inventory.documents);
  const documents = inventory.documents.filter(({ name }) => !still.has(name));
  const refused = [...inventory.refused, ...rowsOf(inputs, still)];
  return planningOf(inputs, { ...inventory, documents, refused }, async (document, read) =>
    Promise.resolve({ document, step: undefined, inStep: read }),
  );
}

/** Documents that the source no longer lists are read too if both sides were proven equal: the other side may follow. */
function withKnown(inputs: PlanInputs, inventory: Inventory): Inventory {
  const { intent, prior } = inputs;
  const isKnown = (name: string): boolean => {
    const record = prior.get(name);
    const path = record?.destination?.path;
    if (path === undefined || !nameIsSelected(intent.selection, name)) return false;
    return recordedBase(record, path) !== undefined;
  };
  const known = inventory.unlisted.filter(isKnown);
  for (const name of known) inventory.count.discover(name);
  const documents = known.map((name): PlannedDocument => {
    const destination = prior.get(name)?.destination?.path ?? '';
    return { name, source: intent.route.sourceOf(name), destination, isNew: false, isUnlisted: true };
  });
  return {
    ...inventory,
    unlisted: inventory.unlisted.filter((name) => !isKnown(name)),
    documents: [...inventory.documents, ...documents],
  };
}

/** The documents that a whole pass need not read. */
async function stillInStep(
  inputs: PlanInputs,
  documents: readonly PlannedDocument[],
): Promise<ReadonlySet<string>> {
  if (inputs.only !== undefined || !inputs.trustsVersions) return new Set();
  const { clock, signal } = inputs;
  using time = new Deadline(clock, DEADLINES_MS.list, signal, { op: 'engine.list' });
  return await unchangedSince({ ...inputs, signal: time.signal }, documents);
}

function rowsOf({ prior }: Pick<PlanInputs, 'prior'>, names: ReadonlySet<string>): readonly Outcome[] {
  return [...names].flatMap((name) => {
    const record = prior.get(name);
    if (record === undefined) return [];
    const { since: _since, ...outcome } = record;
    return [outcome];
  });
}
