import type { Reader } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import { allBut } from '#src/core/folders.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import type { PriorRecord, RecordedVersion } from '#src/core/outcome.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { endsListing, isProblem } from '#src/backends/listing-problem.ts';
import { hasCode } from '#src/errors.ts';
import { activeFallback } from '../plan/fallback.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { PlannedDocument } from '../plan/plan.ts';
import type { ListedVersions } from './listed-versions.ts';

type Inputs = Pick<PlanInputs, 'clock' | 'intent' | 'source' | 'destination' | 'prior' | 'signal'>;

/** Addresses that a folder lists, of those that were asked for: true where the version is the recorded one. */
interface Listing {
  readonly found: ReadonlyMap<Address, boolean>;
  /** What it does not show is not there. */
  readonly isComplete: boolean;
}

/**
 * The names of documents that are certainly in step: both stores list the versions in which they were last proven equal. No
 * value is read, so a whole pass over a large selection costs one listing for each side, and one of the old addresses where
 * documents are; where the inventory showed the versions (`shown`), nothing. What is not certain is read.
 */
export async function unchangedSince(
  inputs: Inputs,
  documents: readonly PlannedDocument[],
  shown: Pick<ListedVersions, 'at'>,
): Promise<ReadonlySet<string>> {
  const { intent, prior, signal } = inputs;
  const { destinationFolder, sourceFolder } = intent.route;
  const proven = documents.filter(({ name }) => prior.get(name)?.state === 'Verified');
  if (proven.length === 0 || destinationFolder === undefined) return new Set();
  const listed = async (side: Side, folder: Address): Promise<Listing> => {
    // What is at an old address is certain only if a whole listing does not show it at its own.
    const found = activeFallback(inputs) === undefined ? shown.at(side) : undefined;
    if (found !== undefined) return { found, isComplete: false };
    const recorded = proven.map((each) => [each[side], recordOf(prior.get(each.name), side)] as const);
    return compare(inputs[side], { folder, recorded: new Map(recorded) }, signal);
  };
  const atSource = await listed('source', sourceFolder);
  const atOld = await listOld(inputs, proven);
  const atDestination = await listed('destination', destinationFolder);
  const isStillAtSource = ({ name, source }: PlannedDocument): boolean => {
    const old = prior.get(name)?.source?.path;
    if (old === undefined) return atSource.found.get(source) === true;
    return atSource.isComplete && !atSource.found.has(source) && atOld.found.get(old) === true;
  };
  const still = proven.filter(
    (each) => isStillAtSource(each) && atDestination.found.get(each.destination) === true,
  );
  return new Set(still.map(({ name }) => name));
}

/** What the row recorded of the address that the name has. */
function recordOf(row: PriorRecord | undefined, side: Side): RecordedVersion | undefined {
  return side === 'source' && row?.source?.path !== undefined ? undefined : row?.[side];
}

/** The old addresses, if documents were last read there and are still looked for there. */
async function listOld(inputs: Inputs, documents: readonly PlannedDocument[]): Promise<Listing> {
  const { prior, signal, source } = inputs;
  const fallback = activeFallback(inputs);
  const recorded = new Map<Address, RecordedVersion>();
  for (const { name } of documents) {
    const row = prior.get(name)?.source;
    if (row?.path !== undefined) recorded.set(row.path, row);
  }
  if (fallback === undefined || recorded.size === 0) return UNCERTAIN;
  return compare(source, { folder: fallback.folder, recorded }, signal);
}

const UNCERTAIN: Listing = { found: new Map(), isComplete: false };

async function compare(
  reader: Pick<Reader, 'versions'>,
  {
    folder,
    recorded,
  }: { readonly folder: Address; readonly recorded: ReadonlyMap<Address, RecordedVersion | undefined> },
  signal: AbortSignal,
): Promise<Listing> {
  const found = new Map<Address, boolean>();
  let isComplete = true;
  try {
    for await (const listed of reader.versions(
      { folder, skips: allBut(recorded.keys()), wants: (address) => recorded.has(address) },
      signal,
    )) {
      if (isProblem(listed)) isComplete = false;
      else if (recorded.has(listed.address)) {
        const { address } = listed;
        found.set(address, listed.state === 'present' && isRecorded(recorded.get(address), listed.version));
      }
    }
  } catch (failure) {
    // Nothing is certain then, and each document is read.
    if (endsListing(failure, signal) && !hasCode(failure, 'SELECTION_TOO_LARGE')) throw failure;
    return UNCERTAIN;
  }
  return { found, isComplete };
}
