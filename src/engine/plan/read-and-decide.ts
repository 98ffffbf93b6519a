import type { ReadOutcome } from '#src/backends/driver.ts';
import type { ReadScope } from '#src/backends/hints.ts';
import type { Address } from '#src/core/document.ts';
import { isBackendWide } from '#src/errors.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import type { PlanInputs } from './inputs.ts';
import type { Inventory } from './inventory.ts';
import type { Decision, PlannedDocument, Reads } from './plan.ts';

/*
 * Reads documents and decides for each as its values arrive: at most those of a few pages are in memory. The side that reads in
 * pages leads, and the other one is read document by document.
 */

export type Decide = (document: PlannedDocument, reads: Reads) => Promise<Decision | undefined>;

type ReadInputs = Pick<PlanInputs, 'source' | 'destination' | 'concurrency' | 'prior' | 'signal'>;

interface Deciding {
  readonly decide: Decide;
  /** Of the documents at the source. */
  readonly scope: ReadScope;
}

/** What the inventory tells of the documents at the source, so that no value that is not selected is read with them. */
export function scopeOf(
  { intent: { selection } }: Pick<PlanInputs, 'intent'>,
  { count }: Pick<Inventory, 'count'>,
): ReadScope {
  const { excludeTypes, scope } = selection;
  const types = excludeTypes.size === 0 ? {} : { withoutTypes: [...excludeTypes] };
  // Named documents are not listed: nothing tells what else there is.
  if (scope.by === 'names') return types;
  const { discovered, leftOut } = count.counts();
  const listed = discovered - (leftOut.get('Backup') ?? 0) - (leftOut.get('ExcludedType') ?? 0);
  return {
    ...types,
    listed,
    others: count.others,
    ...(scope.by === 'labelSelector' ? { labelSelector: scope.labelSelector } : {}),
  };
}

/**
 * Reads these documents and decides for each. Documents that an earlier run proved come last: a run that is slow or often
 * interrupted still proves all others.
 */
export async function* decideEach(
  inputs: ReadInputs,
  documents: readonly PlannedDocument[],
  deciding: Deciding,
): AsyncGenerator<Decision> {
  const wasProven = ({ name }: PlannedDocument): boolean => inputs.prior.get(name)?.state === 'Verified';
  const { false: unproven = [], true: proven = [] } = Object.groupBy(
    documents,
    (each) => `${wasProven(each)}`,
  );
  yield* decideInAnyOrder(inputs, unproven, deciding);
  yield* decideInAnyOrder(inputs, proven, deciding);
}

async function* decideInAnyOrder(
  inputs: ReadInputs,
  documents: readonly PlannedDocument[],
  deciding: Deciding,
): AsyncGenerator<Decision> {
  const { destination, source } = inputs;
  const destinationLeads = destination.traits.readsInPages === true && source.traits.readsInPages !== true;
  const { false: others = [], true: paged = [] } = Object.groupBy(
    documents,
    ({ isNew }) => `${destinationLeads && !isNew}`,
  );
  const unread = yield* decideByDestination(inputs, paged, deciding);
  yield* decideBySource(inputs, [...others, ...unread], deciding);
}

async function* decideBySource(
  inputs: ReadInputs,
  documents: readonly PlannedDocument[],
  { decide, scope }: Deciding,
): AsyncGenerator<Decision> {
  if (documents.length === 0) return;
  const unread = new Map<Address, PlannedDocument>(documents.map((each) => [each.source, each]));
  const reads = inputs.source.readMany([...unread.keys()], inputs.signal, scope);
  yield* decided(inputs, reads, async (read) => {
    const document = taken(unread, read.address);
    return document && decide(document, { read });
  });
}

/**
 * Reads the destination in pages, and the source of each document of a page. Returns the documents that remain if the
 * destination fails: a read of each tells why.
 */
async function* decideByDestination(
  inputs: ReadInputs,
  documents: readonly PlannedDocument[],
  { decide }: Deciding,
): AsyncGenerator<Decision, readonly PlannedDocument[]> {
  if (documents.length === 0) return [];
  const unread = new Map<Address, PlannedDocument>(documents.map((each) => [each.destination, each]));
  const pages = inputs.destination.readMany([...unread.keys()], inputs.signal, { areOurs: true });
  yield* decided(inputs, untilFailure(pages, inputs.signal), async (there) => {
    const document = taken(unread, there.address);
    if (document === undefined) return undefined;
    const read = await readSource(inputs, document.source);
    return decide(document, { read, atDestination: 'result' in there ? there.result : undefined });
  });
  return [...unread.values()];
}

function taken(unread: Map<Address, PlannedDocument>, address: Address): PlannedDocument | undefined {
  const document = unread.get(address);
  unread.delete(address);
  return document;
}

async function* untilFailure(
  reads: AsyncIterable<ReadOutcome>,
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  try {
    yield* reads;
  } catch (failure) {
    if (signal.aborted) throw failure;
  }
}

/** As `readMany` yields it. */
async function readSource(
  { source, signal }: Pick<ReadInputs, 'source' | 'signal'>,
  address: Address,
): Promise<ReadOutcome> {
  try {
    return { address, result: await source.read(address, signal) };
  } catch (error) {
    if (signal.aborted || isBackendWide(error)) throw error;
    return { address, error };
  }
}

async function* decided(
  { concurrency, destination, source }: Pick<ReadInputs, 'concurrency' | 'destination' | 'source'>,
  reads: AsyncIterable<ReadOutcome>,
  decide: (read: ReadOutcome) => Promise<Decision | undefined>,
): AsyncGenerator<Decision> {
  // A quota of either server can shrink its number during the run.
  const width = (): number =>
    Math.max(1, Math.min(concurrency, destination.traits.concurrency, source.traits.concurrency));
  for await (const decision of mapConcurrently(reads, width, decide))
    if (decision !== undefined) yield decision;
}
