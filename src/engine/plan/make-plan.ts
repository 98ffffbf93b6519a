import type { ReadOutcome } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { isBackendWide } from '#src/errors.ts';
import { decideDocument } from './decide.ts';
import type { PlanInputs } from './inputs.ts';
import { takeInventory, type Inventory } from './inventory.ts';
import type { Decision, Plan, PlannedDocument, PlannedStep } from './plan.ts';
import { decideSource, pending } from './sources.ts';
import { reportUnlisted } from './unlisted.ts';

/** A plan in the making. Names are known; the bytes stream. */
export interface Planning {
  /** Where each document stands before it is looked at, so that progress has a total from the start. */
  readonly expected: readonly Outcome[];
  /** What is known without reading a value, and what became of documents that are not listed any more. */
  reports(): AsyncIterable<Outcome>;
  /**
   * One decision for each expected document that the source still yields, in any order. Values are held only for
   * documents in flight, so memory does not grow with the selection. Can be read once.
   */
  decisions(): AsyncIterable<Decision>;
}

/**
 * Takes the inventory of both ends and plans every document of the selection. Changes nothing. Throws `NAME_RESERVED`
 * when the migration asks for what is reserved for others.
 */
export async function startPlan(inputs: PlanInputs): Promise<Planning> {
  const inventory = await takeInventory(inputs);
  return {
    expected: inventory.documents.map((document) => pending(inputs, document)),
    reports: () => reports(inputs, inventory),
    decisions: () =>
      decideEach(inputs, inventory.documents, async (document, read) => decideSource(inputs, document, read)),
  };
}

async function* reports(inputs: PlanInputs, { refused, unlisted }: Inventory): AsyncGenerator<Outcome> {
  yield* refused;
  yield* reportUnlisted(inputs, unlisted);
}

/** Decides for documents whose source is still there and whose overwrite is on record, with the version that is on record. */
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

/** Reads the sources of these documents and decides for each. */
async function* decideEach(
  inputs: Pick<PlanInputs, 'source' | 'concurrency' | 'signal'>,
  documents: readonly PlannedDocument[],
  decide: (document: PlannedDocument, read: ReadOutcome) => Promise<Decision | undefined>,
): AsyncGenerator<Decision> {
  if (documents.length === 0) return;
  const unread = new Map<Address, PlannedDocument>(documents.map((each) => [each.source, each]));
  const reads = inputs.source.readMany([...unread.keys()], inputs.signal);
  const decided = mapConcurrently(reads, inputs.concurrency, async (read) => {
    const document = unread.get(read.address);
    if (document === undefined) return undefined;
    unread.delete(read.address);
    return decide(document, read);
  });
  for await (const decision of decided) if (decision !== undefined) yield decision;
}

/** A plan, or as much of one as could be made. */
export interface MadePlan {
  readonly plan: Plan;
  /** A failure of a whole backend that ended the planning early. */
  readonly problem?: unknown;
}

/** The whole plan as a value: names, versions and reasons, no bytes. Ends early when `stop` says so. */
export async function makePlan(
  inputs: PlanInputs,
  planning: Planning,
  stop: () => boolean,
): Promise<MadePlan> {
  const steps: PlannedStep[] = [];
  const { generation } = inputs;
  for await (const outcome of planning.reports()) steps.push({ kind: 'report', outcome });
  const left = new Map(planning.expected.map((outcome) => [outcome.name, outcome]));
  let problem: unknown;
  for await (const { document, step, failure } of planning.decisions()) {
    left.delete(document.name);
    if (step !== undefined) steps.push(step);
    if (isBackendWide(failure)) problem = failure;
    if (problem !== undefined || stop()) break;
  }
  for (const outcome of left.values()) steps.push({ kind: 'report', outcome });
  return { plan: { generation, steps }, ...(problem === undefined ? {} : { problem }) };
}
