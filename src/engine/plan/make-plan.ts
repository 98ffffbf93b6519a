import type { InventoryCount } from '#src/core/inventory.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { repeatable } from '#src/core/repeatable.ts';
import { Deadline } from '#src/io/deadline.ts';
import { isBackendWide } from '#src/errors.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { decideDocument } from './decide.ts';
import { MARKS, type Documents } from './documents.ts';
import type { PlanInputs } from './inputs.ts';
import { takeInventory, type Inventory } from './inventory.ts';
import type { Decision, Plan, PlannedStep } from './plan.ts';
import { decideEach, scopeOf, type Decide } from './read-and-decide.ts';
import { decideSource, pending } from './sources.ts';
import { reportUnlisted } from './unlisted.ts';

/** A plan in the making. Names are known; the bytes stream. */
export interface Planning {
  /** The documents that will be processed. */
  readonly documents: Documents;
  /** The row of each of them before it is read, so that progress has a total from the start. Made one at a time. */
  readonly expected: Iterable<Outcome>;
  /** Accounts for every document that the source lists or an earlier run recorded; complete when every decision was taken. */
  readonly count: InventoryCount;
  /** Outcomes that need no value, and those of documents that are no longer listed. */
  reports(): AsyncIterable<Outcome>;
  /**
   * One decision for each expected document that the source still yields, in any order. Values are in memory only for
   * documents in flight, so memory does not grow with the selection. Can be read once.
   */
  decisions(): AsyncIterable<Decision>;
  /** The decision for this document arrived. */
  noteDecided(name: string): void;
  /** The rows of those whose decision did not arrive. */
  undecided(): Iterable<Outcome>;
}

/**
 * Takes the inventory of both backends and plans every document of the selection. Changes nothing. Throws `NAME_RESERVED`
 * when the migration uses a reserved name.
 */
export async function startPlan(inputs: PlanInputs): Promise<Planning> {
  const inventory = await inventoryInTime(inputs);
  return planningOf(inputs, inventory, async (document, reads) => decideSource(inputs, document, reads));
}

/** Plans the documents of an inventory. */
export function planningOf(inputs: PlanInputs, inventory: Inventory, decide: Decide): Planning {
  const { count, documents } = inventory;
  // The reports count documents that the source does not list.
  const scope = scopeOf(inputs, inventory);
  const pendingOf = (isWanted: (item: number) => boolean): Iterable<Outcome> =>
    repeatable(function* rows() {
      for (const item of documents.with()) if (isWanted(item)) yield pending(inputs, documents.at(item));
    });
  return {
    documents,
    expected: pendingOf(() => true),
    count,
    reports: () => reports(inputs, inventory),
    decisions: () => decideEach(inputs, documents, { mark: MARKS.selected, decide, scope }),
    noteDecided: (name) => {
      const item = documents.indexOf(name);
      if (item !== undefined) documents.mark(item, MARKS.decided);
    },
    undecided: () => pendingOf((item) => !documents.is(item, MARKS.decided)),
  };
}

/** The inventory of both backends, in the time that a listing has. */
export async function inventoryInTime(inputs: PlanInputs): Promise<Inventory> {
  const { clock, signal } = inputs;
  using time = new Deadline(clock, DEADLINES_MS.list, signal, { op: 'engine.list' });
  return await takeInventory({ ...inputs, signal: time.signal });
}

async function* reports(
  inputs: PlanInputs,
  { refused, unlisted, count }: Inventory,
): AsyncGenerator<Outcome> {
  yield* refused;
  for await (const outcome of reportUnlisted(inputs, unlisted)) {
    // Counts too: the numbers of a run that removed its sources stay the same in the next one.
    count.discover(outcome.name);
    yield outcome;
  }
}

/** Decides for documents whose source is still present and whose overwrite of this version, by name, is on record. */
export async function* decideAnnounced(
  inputs: PlanInputs,
  documents: Documents,
  announced: ReadonlyMap<string, string>,
): AsyncGenerator<Decision> {
  const decide: Decide = async (document, { read }) => {
    if ('error' in read || read.result.state !== 'present') return undefined;
    const options = { known: undefined, announced: announced.get(document.name) };
    return decideDocument(inputs, document, read.result.document, options);
  };
  yield* decideEach(inputs, documents, { mark: MARKS.announced, decide, scope: {} });
}

/** A plan; a partial one if planning ended early. */
export interface MadePlan {
  readonly plan: Plan;
  /** A failure of a whole backend that ended the planning early. */
  readonly problem?: unknown;
}

/** The whole plan as a value: names, versions and reasons, no bytes. Ends early when `stop` returns true. */
export async function makePlan(
  inputs: PlanInputs,
  planning: Planning,
  stop: () => boolean,
): Promise<MadePlan> {
  const steps: PlannedStep[] = [];
  const { generation } = inputs;
  for await (const outcome of planning.reports()) steps.push({ kind: 'report', outcome });
  let problem: unknown;
  for await (const { document, step, failure, leftOut } of planning.decisions()) {
    planning.noteDecided(document.name);
    if (step !== undefined) steps.push(step);
    if (leftOut !== undefined) planning.count.dismiss(document.name, leftOut);
    if (isBackendWide(failure)) problem = failure;
    if (problem !== undefined || stop()) break;
  }
  for (const outcome of planning.undecided()) steps.push({ kind: 'report', outcome });
  return { plan: { generation, steps }, ...(problem === undefined ? {} : { problem }) };
}
