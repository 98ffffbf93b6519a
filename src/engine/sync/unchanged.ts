import type { Reader } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import { allBut } from '#src/core/folders.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import type { PriorRecord, RecordedVersion } from '#src/core/outcome.ts';
import type { BySide, Side } from '#src/core/sync/observed.ts';
import { endsListing, isProblem } from '#src/backends/listing-problem.ts';
import { hasCode } from '#src/errors.ts';
import { MARKS, type Documents } from '../plan/documents.ts';
import { activeFallback } from '../plan/fallback.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { ListedVersions } from './listed-versions.ts';

type Inputs = Pick<PlanInputs, 'clock' | 'intent' | 'source' | 'destination' | 'prior' | 'signal'>;

/** What the listings tell of one document. */
const SEEN: BySide<number> = { source: 1, destination: 2 };
const SAME: BySide<number> = { source: 4, destination: 8 };
const SAME_AT_OLD = 16;
/** An earlier run proved it. */
const PROVEN = 32;

/**
 * Marks the documents that are certainly in step: both stores list the versions in which they were last proven equal. No
 * value is read, so a whole pass over a large selection costs one listing for each side, and one of the old addresses where
 * documents are; where the inventory showed the versions (`shown`), nothing. What is not certain is read.
 */
export async function markUnchanged(
  inputs: Inputs,
  documents: Documents,
  shown: Pick<ListedVersions, 'isSame' | 'shows'>,
): Promise<void> {
  const { destinationFolder, sourceFolder } = inputs.intent.route;
  const proven = new Proven(inputs, documents);
  if (proven.size === 0 || destinationFolder === undefined) return;
  const list = async (side: Side, folder: Address): Promise<boolean> => {
    // What is at an old address is certain only if a whole listing does not show it at its own.
    const isShown = activeFallback(inputs) === undefined && shown.shows(side);
    if (isShown) proven.noteShown(side, shown);
    return isShown ? false : listFolder(inputs[side], proven.at(side, folder), inputs.signal);
  };
  const isSourceComplete = await list('source', sourceFolder);
  await listOld(inputs, proven);
  await list('destination', destinationFolder);
  proven.markInStep(isSourceComplete);
}

/** A folder whose versions are compared with those of rows. */
interface Compared {
  readonly folder: Address;
  readonly addresses: () => Iterable<Address>;
  readonly wants: (address: Address) => boolean;
  /** The folder lists this address; the version of a document that is present. */
  readonly note: (address: Address, isSame: (recorded: RecordedVersion | undefined) => boolean) => void;
  /** Nothing that was noted counts. */
  readonly forget: () => void;
}

/** The documents that an earlier run proved, and what listings tell of each. */
class Proven {
  readonly #inputs: Pick<Inputs, 'intent' | 'prior'>;
  readonly #documents: Documents;
  /** By number. */
  readonly #found: Uint8Array;
  size = 0;

  constructor(inputs: Pick<Inputs, 'intent' | 'prior'>, documents: Documents) {
    this.#inputs = inputs;
    this.#documents = documents;
    this.#found = new Uint8Array(documents.names.size);
    for (const item of documents.with()) {
      if (this.#rowOf(item)?.state !== 'Verified') continue;
      this.#note(item, PROVEN);
      this.size += 1;
    }
  }

  noteShown(side: Side, shown: Pick<ListedVersions, 'isSame'>): void {
    for (const item of this.#all())
      if (shown.isSame(side, this.#documents.nameAt(item))) this.#note(item, SAME[side]);
  }

  at(side: Side, folder: Address): Compared {
    const addressOf = (item: number): Address =>
      side === 'source' ? this.#documents.sourceAt(item) : this.#documents.destinationAt(item);
    const find = (address: Address): number | undefined =>
      side === 'source' ? this.#documents.findSource(address) : this.#documents.findDestination(address);
    return {
      folder,
      addresses: () => this.#addresses(addressOf),
      wants: (address) => this.#isProven(find(address)),
      note: (address, isSame) => {
        const item = find(address);
        if (item === undefined || !this.#isProven(item)) return;
        this.#note(item, isSame(recordOf(this.#rowOf(item), side)) ? SEEN[side] | SAME[side] : SEEN[side]);
      },
      forget: () => this.#forget(SEEN[side] | SAME[side]),
    };
  }

  /** The old addresses at which documents were last read. */
  atOld(folder: Address): Compared & { readonly size: number } {
    const items = new Map<Address, number>();
    for (const item of this.#all()) {
      const old = this.#oldOf(item);
      if (old?.path !== undefined) items.set(old.path, item);
    }
    return {
      folder,
      size: items.size,
      addresses: () => items.keys(),
      wants: (address) => items.has(address),
      note: (address, isSame) => {
        const item = items.get(address);
        if (item !== undefined && isSame(this.#oldOf(item))) this.#note(item, SAME_AT_OLD);
      },
      forget: () => this.#forget(SAME_AT_OLD),
    };
  }

  /** `isSourceComplete`: what the listing of the source did not show is not there. */
  markInStep(isSourceComplete: boolean): void {
    for (const item of this.#all())
      if (this.#has(item, SAME.destination) && this.#isStillAtSource(item, isSourceComplete))
        this.#documents.mark(item, MARKS.inStep);
  }

  #isStillAtSource(item: number, isSourceComplete: boolean): boolean {
    if (this.#oldOf(item)?.path === undefined) return this.#has(item, SAME.source);
    return isSourceComplete && !this.#has(item, SEEN.source) && this.#has(item, SAME_AT_OLD);
  }

  #rowOf(item: number): PriorRecord | undefined {
    return this.#inputs.prior.get(this.#documents.nameAt(item));
  }

  #oldOf(item: number): PriorRecord['source'] {
    return this.#rowOf(item)?.source;
  }

  *#all(): Generator<number> {
    for (const item of this.#documents.with()) if (this.#has(item, PROVEN)) yield item;
  }

  *#addresses(addressOf: (item: number) => Address): Generator<Address> {
    for (const item of this.#all()) yield addressOf(item);
  }

  #isProven(item: number | undefined): boolean {
    return item !== undefined && this.#has(item, PROVEN);
  }

  #has(item: number, bit: number): boolean {
    return ((this.#found[item] ?? 0) & bit) !== 0;
  }

  #note(item: number, bits: number): void {
    this.#found[item] = (this.#found[item] ?? 0) | bits;
  }

  #forget(bits: number): void {
    for (let item = 0; item < this.#found.length; item += 1)
      this.#found[item] = (this.#found[item] ?? 0) & ~bits;
  }
}

/** What the row recorded of the address that the name has. */
function recordOf(row: PriorRecord | undefined, side: Side): RecordedVersion | undefined {
  return side === 'source' && row?.source?.path !== undefined ? undefined : row?.[side];
}

/** The old addresses, if documents were last read there and are still looked for there. */
async function listOld(inputs: Inputs, proven: Proven): Promise<void> {
  const fallback = activeFallback(inputs);
  if (fallback === undefined) return;
  const old = proven.atOld(fallback.folder);
  if (old.size > 0) await listFolder(inputs.source, old, inputs.signal);
}

/** True if what the folder does not show is not there. */
async function listFolder(
  reader: Pick<Reader, 'versions'>,
  { addresses, folder, forget, note, wants }: Compared,
  signal: AbortSignal,
): Promise<boolean> {
  let isComplete = true;
  try {
    for await (const listed of reader.versions({ folder, skips: allBut(addresses()), wants }, signal)) {
      if (isProblem(listed)) isComplete = false;
      else
        note(
          listed.address,
          (recorded) => listed.state === 'present' && isRecorded(recorded, listed.version),
        );
    }
  } catch (failure) {
    // Nothing is certain then, and each document is read.
    if (endsListing(failure, signal) && !hasCode(failure, 'SELECTION_TOO_LARGE')) throw failure;
    forget();
    return false;
  }
  return isComplete;
}
