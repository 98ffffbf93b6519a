import type { Reader } from '#src/backends/driver.ts';
import type { Listed, ListQuery } from '#src/backends/listing.ts';
import { endsListing, isProblem } from '#src/backends/listing-problem.ts';
import type { Address, Version } from '#src/core/document.ts';
import { folderOf } from '#src/core/folders.ts';
import { KeyIndex } from '#src/core/key-index.ts';
import { hasCode } from '#src/errors.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { MARKS, type Documents } from './documents.ts';
import type { PlanInputs } from './inputs.ts';

/*
 * Which targets are free, from listings of the folders that hold them. No value is read, and no other folder is listed.
 */

type Inputs = Pick<
  PlanInputs,
  'intent' | 'destination' | 'concurrency' | 'prior' | 'only' | 'onVersion' | 'signal'
>;

/** A listing of more names than this for each target costs more than to read each target. */
const NAMES_PER_TARGET = 100;
/** As many names come in few requests. */
const FEW_NAMES = 10_000;

/**
 * Lists each folder that holds a target, and nothing below it, and marks the documents whose targets are free or taken. A target is
 * unknown, and is read by itself, if its folder cannot be listed or has very many other names, and in a change of some documents.
 */
export async function listOccupancy(inputs: Inputs, documents: Documents): Promise<void> {
  if (inputs.only !== undefined) return;
  const { concurrency, destination, intent, onVersion, signal } = inputs;
  const shown = (address: Address, version: Version): void => {
    const item = documents.findDestination(address);
    if (item !== undefined) onVersion?.('destination', documents.nameAt(item), version);
  };
  const query = { mayMiss: !intent.dryRun, onVersion: onVersion && shown };
  const folders = foldersToList(inputs, documents);
  const width = (): number => Math.max(1, Math.min(concurrency, destination.traits.concurrency));
  const listings = mapConcurrently(folders.each(), width, async (folder) =>
    listFolder(destination, { ...query, folder, folders }, signal),
  );
  for await (const _listed of listings);
  for (const item of documents.with()) if (folders.isFree(item)) documents.mark(item, MARKS.free);
}

/** Marks the targets that earlier runs left there, and returns the folders of the others. */
function foldersToList(
  { destination, intent, onVersion, prior }: Inputs,
  documents: Documents,
): TargetFolders {
  // The one list of a flat store spares another one that compares versions.
  const showsVersions = onVersion !== undefined && destination.traits.addressing === 'flat';
  const folders = new TargetFolders(documents, { withRecorded: showsVersions });
  for (const item of documents.with()) {
    // A plan that is shown looks at every target: what may be written depends on it.
    const isRecorded = !intent.dryRun && wasLeftThere({ prior }, documents, item);
    if (isRecorded) documents.mark(item, MARKS.recorded);
    if (folders.isTarget(item)) folders.add(item);
  }
  return folders;
}

/** An earlier run recorded its version at this very path. */
function wasLeftThere({ prior }: Pick<Inputs, 'prior'>, documents: Documents, item: number): boolean {
  const record = prior.get(documents.nameAt(item))?.destination;
  return record?.version !== undefined && record.path === documents.destinationAt(item);
}

/** A folder of targets. */
interface Folder {
  /** A document in it, which stands for its name. */
  readonly first: number;
  targets: number;
  /** Targets that its listing showed. */
  known: number;
  /** What its listing did not show is not there. */
  isComplete: boolean;
}

/** The folders that hold the targets of these documents: without those that an earlier run left there, unless these count too. */
class TargetFolders {
  readonly #documents: Documents;
  readonly #withRecorded: boolean;
  readonly #folders = new Map<number, Folder>();
  readonly #index: KeyIndex;

  constructor(documents: Documents, { withRecorded }: { readonly withRecorded: boolean }) {
    this.#documents = documents;
    this.#withRecorded = withRecorded;
    this.#index = new KeyIndex((item) => this.nameOf(item));
  }

  /** True for a document that is looked for in its folder. */
  isTarget(item: number): boolean {
    return this.#withRecorded || !this.#documents.is(item, MARKS.recorded);
  }

  add(item: number): void {
    const first = this.#index.add(item, this.nameOf(item)) ?? item;
    const folder = this.#folders.get(first);
    if (folder === undefined) this.#folders.set(first, { first, targets: 1, known: 0, isComplete: false });
    else folder.targets += 1;
  }

  each(): Iterable<Folder> {
    return this.#folders.values();
  }

  nameOf(item: number): Address {
    return folderOf(this.#documents.destinationAt(item));
  }

  /** The listing of this folder shows the address. */
  note(folder: Folder, listed: Listed): void {
    const { address } = listed;
    const documents = this.#documents;
    const item = documents.findDestination(address);
    if (item === undefined || !this.isTarget(item)) return;
    if (folderOf(address) !== this.nameOf(folder.first)) return;
    if (!documents.is(item, MARKS.taken | MARKS.unclear)) folder.known += 1;
    documents.mark(item, isProblem(listed) ? MARKS.unclear : MARKS.taken);
  }

  /** True for a target that a complete listing of its folder lacks. */
  isFree(item: number): boolean {
    if (this.#documents.is(item, MARKS.recorded | MARKS.taken | MARKS.unclear)) return false;
    const first = this.#index.find(this.nameOf(item));
    return first !== undefined && this.#folders.get(first)?.isComplete === true;
  }
}

interface Listing extends Pick<ListQuery, 'mayMiss' | 'onVersion'> {
  readonly folder: Folder;
  readonly folders: TargetFolders;
}

/** Notes what is known of the targets in this folder; those that are missing stay unknown. */
async function listFolder(
  destination: Pick<Reader, 'list'>,
  { folder, folders, ...query }: Listing,
  signal: AbortSignal,
): Promise<void> {
  const name = folders.nameOf(folder.first);
  const below = name === '' ? '' : `${name}/`;
  const skips = (each: Address): boolean => each.startsWith(below);
  try {
    const listing = destination.list({ folder: name, skips, ...query }, signal);
    folder.isComplete = await look(listing, folder, folders);
  } catch (failure) {
    // Without the right to list, or with too many names for a listing, the names that matter can still be read.
    if (endsListing(failure, signal) && !hasCode(failure, 'SELECTION_TOO_LARGE')) throw failure;
  }
}

/** Notes the targets that are listed. Ends early, and is false then, where it is cheaper to read those that are missing. */
async function look(
  listing: AsyncIterable<Listed>,
  folder: Folder,
  folders: TargetFolders,
): Promise<boolean> {
  const most = Math.max(FEW_NAMES, NAMES_PER_TARGET * folder.targets);
  let names = 0;
  for await (const listed of listing) {
    folders.note(folder, listed);
    if (folder.known === folder.targets) return true;
    names += 1;
    if (names > most) return false;
  }
  return true;
}
