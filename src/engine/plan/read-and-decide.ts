import { distinct, type DistinctAddresses } from '#src/backends/addresses.ts';
import type { ReadOutcome } from '#src/backends/driver.ts';
import type { ReadScope } from '#src/backends/hints.ts';
import type { Address } from '#src/core/document.ts';
import type { Mark } from '#src/core/name-table.ts';
import { isEmpty } from '#src/core/repeatable.ts';
import { isBackendWide } from '#src/errors.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { MARKS, type Documents } from './documents.ts';
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
  /** Which documents. */
  readonly mark: Mark;
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
 * Reads the documents with this mark and decides for each. Documents that an earlier run proved come last: a run that is slow or
 * often interrupted still proves all others.
 */
export async function* decideEach(
  inputs: ReadInputs,
  documents: Documents,
  deciding: Deciding,
): AsyncGenerator<Decision> {
  const { destination, source } = inputs;
  const destinationLeads = destination.traits.readsInPages === true && source.traits.readsInPages !== true;
  for (const item of documents.with(deciding.mark)) {
    documents.unmark(item, MARKS.read | MARKS.proven);
    if (inputs.prior.get(documents.nameAt(item))?.state === 'Verified') documents.mark(item, MARKS.proven);
  }
  for (const isProven of [false, true]) {
    const batch = new Batch(documents, deciding.mark, isProven);
    if (destinationLeads) yield* decideByDestination(inputs, batch, deciding);
    yield* decideBySource(inputs, batch, deciding);
  }
}

/** Documents that are read together, and of which each is decided once. */
class Batch {
  readonly #documents: Documents;
  readonly #mark: Mark;
  readonly #isProven: boolean;

  constructor(documents: Documents, mark: Mark, isProven: boolean) {
    this.#documents = documents;
    this.#mark = mark;
    this.#isProven = isProven;
  }

  /** Where those are that were not read yet, and that are not certainly absent at the destination. */
  get destinations(): DistinctAddresses {
    const documents = this.#documents;
    return distinct(() =>
      this.#unread((item) => {
        const address = documents.destinationAt(item);
        const isListed = !documents.is(item, MARKS.free) && documents.findDestination(address) === item;
        return isListed ? address : undefined;
      }),
    );
  }

  /** Where those are that were not read yet. */
  get sources(): DistinctAddresses {
    return distinct(() => this.#unread((item) => this.#documents.readAt(item)));
  }

  takeByDestination(address: Address): PlannedDocument | undefined {
    return this.#take(this.#documents.findDestination(address));
  }

  takeBySource(address: Address): PlannedDocument | undefined {
    return this.#take(this.#documents.findReadAt(address));
  }

  #take(item: number | undefined): PlannedDocument | undefined {
    if (item === undefined || !this.#isUnread(item)) return undefined;
    this.#documents.mark(item, MARKS.read);
    return this.#documents.at(item);
  }

  #isUnread(item: number): boolean {
    const documents = this.#documents;
    if (!documents.is(item, this.#mark) || documents.is(item, MARKS.read)) return false;
    return documents.is(item, MARKS.proven) === this.#isProven;
  }

  *#unread(addressOf: (item: number) => Address | undefined): Generator<Address> {
    for (const item of this.#documents.with(this.#mark)) {
      const address = this.#isUnread(item) ? addressOf(item) : undefined;
      if (address !== undefined) yield address;
    }
  }
}

async function* decideBySource(
  inputs: ReadInputs,
  batch: Batch,
  { decide, scope }: Deciding,
): AsyncGenerator<Decision> {
  const { sources } = batch;
  if (isEmpty(sources)) return;
  const reads = inputs.source.readMany(sources, inputs.signal, scope);
  yield* decided(inputs, reads, async (read) => {
    const document = batch.takeBySource(read.address);
    return document && decide(document, { read });
  });
}

/**
 * Reads the destination in pages, and the source of each document of a page. Leaves the documents that remain if the destination
 * fails: a read of each tells why.
 */
async function* decideByDestination(
  inputs: ReadInputs,
  batch: Batch,
  { decide }: Deciding,
): AsyncGenerator<Decision> {
  const { destinations } = batch;
  if (isEmpty(destinations)) return;
  const pages = inputs.destination.readMany(destinations, inputs.signal, { areOurs: true });
  yield* decided(inputs, untilFailure(pages, inputs.signal), async (there) => {
    const document = batch.takeByDestination(there.address);
    if (document === undefined) return undefined;
    const read = await readSource(inputs, document.source);
    return decide(document, { read, atDestination: 'result' in there ? there.result : undefined });
  });
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
