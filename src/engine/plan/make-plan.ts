import type { ReadOutcome } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import type { InventoryCount } from '#src/core/inventory.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { Deadline } from '#src/io/deadline.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { isBackendWide } from '#src/errors.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { decideDocument } from './decide.ts';
import type { PlanInputs } from './inputs.ts';
import { takeInventory, type Inventory } from './inventory.ts';
import type { Decision, Plan, PlannedDocument, PlannedStep } from './plan.ts';
import { decideSource, pending } from './sources.ts';
import { reportUnlisted } from './unlisted.ts';

/** A plan in the making. Names are known; the bytes stream. */
export interface Planning {
  /** The row of each document before it is read, so that progress has a total from the start. */
  readonly expected: readonly Outcome[];
  /** Accounts for every document that the source lists or an earlier run recorded; complete when every decision was taken. */
  readonly count: InventoryCount;
  /** Outcomes that need no value, and those of documents that are no longer listed. */
  reports(): AsyncIterable<Outcome>;
  /**
   * One decision for each expected document that the source still yields, in any order. Values are in memory only for
   * documents in flight, so memory does not grow with the selection. Can be read once.
   */
  decisions(): AsyncIterable<Decision>;
}

/**
 * Takes the inventory of both backends and plans every document of the selection. Changes nothing. Throws `NAME_RESERVED`
 * when the migration uses a reserved name.
 */
export async function startPlan(inputs: PlanInputs): Promise<Planning> {
  const inventory = await inventoryInTime(inputs);
  return planningOf(inputs, inventory, async (document, read) => decideSource(inputs, document, read));
}

/** Plans the documents of an inventory. */
export function planningOf(
  inputs: PlanInputs,
  inventory: Inventory,
  decide: (document: PlannedDocument, read: ReadOutcome) => Promise<Decision>,
): Planning {
  return {
    expected: inventory.documents.map((document) => pending(inputs, document)),
    count: inventory.count,
    reports: () => reports(inputs, inventory),
    decisions: () => decideEach(inputs, inventory.documents, decide),
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

/** Decides for documents whose source is still present and whose overwrite of this version is on record. */
export async function* decideAnnounced(
  inputs: PlanInputs,
  announced: ReadonlyMap<PlannedDocument, string>,
): AsyncGenerator<Decision> {
  yield* decideEach(inputs, [...announced.keys()], async (document, read) => {
    if ('error' in read || read.result.state !== 'present') return undefined;
    const options = { known: undefined, announced: announced.get(document) };
    return decideDocument(inputs, document, read.result.document, options);
  });
}

type ReadInputs = Pick<PlanInputs, 'source' | 'destination' | 'concurrency' | 'prior' | 'signal'>;

/**
 * Reads the sources of these documents and decides for each. Documents that an earlier run proved come last: a run that is
 * slow or often interrupted still proves all others.
 */
async function* decideEach(
  inputs: ReadInputs,
  documents: readonly PlannedDocument[],
  decide: (document: PlannedDocument, read: ReadOutcome) => Promise<Decision | undefined>,
): AsyncGenerator<Decision> {
  const wasProven = ({ name }: PlannedDocument): boolean => inputs.prior.get(name)?.state === 'Verified';
  const { false: unproven = [], true: proven = [] } = Object.groupBy(
    documents,
    (each) => `${wasProven(each)}`,
  );
  yield* decideInAnyOrder(inputs, unproven, decide);
  yield* decideInAnyOrder(inputs, proven, decide);
}

async function* decideInAnyOrder(
  inputs: ReadInputs,
  documents: readonly PlannedDocument[],
  decide: (document: PlannedDocument, read: ReadOutcome) => Promise<Decision | undefined>,
): AsyncGenerator<Decision> {
  if (documents.length === 0) return;
  const unread = new Map<Address, PlannedDocument>(documents.map((each) => [each.source, each]));
  const reads = inputs.source.readMany([...unread.keys()], inputs.signal);
  const { concurrency, destination, source } = inputs;
  // A quota of either server can shrink its number during the run.
  const width = (): number =>
    Math.max(1, Math.min(concurrency, destination.traits.concurrency, source.traits.concurrency));
  const decided = mapConcurrently(reads, width, async (read) => {
    const document = unread.get(read.address);
    if (document === undefined) return undefined;
    unread.delete(read.address);
    return decide(document, read);
  });
  for await (const decision of decided) if (decision !== undefined) yield decision;
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
  const remaining = new Map(planning.expected.map((outcome) => [outcome.name, outcome]));
  let problem: unknown;
  for await (const { document, step, failure, leftOut } of planning.decisions()) {
    remaining.delete(document.name);
    if (step !== undefined) steps.push(step);
    if (leftOut !== undefined) planning.count.dismiss(document.name, leftOut);
    if (isBackendWide(failure)) problem = failure;
    if (problem !== undefined || stop()) break;
  }
  for (const outcome of remaining.values()) steps.push({ kind: 'report', outcome });
  return { plan: { generation, steps }, ...(problem === undefined ? {} : { problem }) };
}
