import type { Reader } from '#src/backends/driver.ts';
import type { Listed, ListQuery } from '#src/backends/listing.ts';
import { endsListing, isProblem } from '#src/backends/listing-problem.ts';
import type { Address, Version } from '#src/core/document.ts';
import { folderOf } from '#src/core/folders.ts';
import { hasCode } from '#src/errors.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import type { PlanInputs } from './inputs.ts';
import type { Mapped } from './targets.ts';

/*
 * Which targets are free, from listings of the folders that hold them. No value is read, and no other folder is listed.
 */

/** What is known of one target. `recorded`: an earlier run left the document there, so it is read in any case. */
export type Occupancy = 'taken' | 'free' | 'recorded' | 'unknown';

type Inputs = Pick<
  PlanInputs,
  'intent' | 'destination' | 'concurrency' | 'prior' | 'only' | 'onVersion' | 'signal'
>;

/** A listing of more names than this for each target costs more than to read each target. */
const NAMES_PER_TARGET = 100;
/** As many names come in few requests. */
const FEW_NAMES = 10_000;

/**
 * Lists each folder that holds a target, and nothing below it, to find the free ones. A target is unknown, and is read by
 * itself, if its folder cannot be listed or has very many other names, and in a change of some documents.
 */
export async function listOccupancy(
  inputs: Inputs,
  documents: readonly Mapped[],
): Promise<(address: Address) => Occupancy> {
  if (inputs.only !== undefined) return () => 'unknown';
  const known = new Map<Address, Occupancy>();
  const unlisted: Address[] = [];
  const { concurrency, destination, intent, onVersion, signal } = inputs;
  // The one list of a flat store spares another one that compares versions.
  const showsVersions = onVersion !== undefined && destination.traits.addressing === 'flat';
  for (const { name, destination: target } of documents) {
    const isKnown = isRecorded(inputs, name, target);
    if (isKnown) known.set(target, 'recorded');
    if (!isKnown || showsVersions) unlisted.push(target);
  }
  const shown = (address: Address, version: Version): void => onVersion?.('destination', address, version);
  const width = (): number => Math.max(1, Math.min(concurrency, destination.traits.concurrency));
  const listings = mapConcurrently(Map.groupBy(unlisted, folderOf), width, async ([folder, targets]) =>
    listFolder(
      destination,
      { folder, targets: new Set(targets), mayMiss: !intent.dryRun, onVersion: onVersion && shown },
      signal,
    ),
  );
  for await (const found of listings)
    for (const [address, state] of found) known.set(address, known.get(address) ?? state);
  return (address) => known.get(address) ?? 'unknown';
}

/** A plan that is shown looks at every target: what may be written depends on it. */
function isRecorded({ intent, prior }: Inputs, name: string, target: Address): boolean {
  const record = prior.get(name)?.destination;
  return !intent.dryRun && record?.version !== undefined && record.path === target;
}

interface FolderOfTargets {
  readonly folder: Address;
  readonly targets: ReadonlySet<Address>;
  readonly mayMiss: boolean;
  readonly onVersion: ListQuery['onVersion'];
}

/** What is known of these targets, which are all in this folder; those that are missing are unknown. */
async function listFolder(
  destination: Pick<Reader, 'list'>,
  { folder, targets, mayMiss, onVersion }: FolderOfTargets,
  signal: AbortSignal,
): Promise<ReadonlyMap<Address, Occupancy>> {
  const known = new Map<Address, Occupancy>();
  const below = folder === '' ? '' : `${folder}/`;
  const skips = (each: Address): boolean => each.startsWith(below);
  try {
    const isComplete = await look(
      destination.list({ folder, skips, mayMiss, onVersion }, signal),
      targets,
      known,
    );
    for (const target of targets) if (isComplete && !known.has(target)) known.set(target, 'free');
  } catch (failure) {
    // Without the right to list, or with too many names for a listing, the names that matter can still be read.
    if (endsListing(failure, signal) && !hasCode(failure, 'SELECTION_TOO_LARGE')) throw failure;
  }
  return known;
}

/** Adds the targets that are listed. Ends early, and is false then, where it is cheaper to read those that are missing. */
async function look(
  listing: AsyncIterable<Listed>,
  targets: ReadonlySet<Address>,
  known: Map<Address, Occupancy>,
): Promise<boolean> {
  const most = Math.max(FEW_NAMES, NAMES_PER_TARGET * targets.size);
  let names = 0;
  for await (const listed of listing) {
    if (targets.has(listed.address)) known.set(listed.address, isProblem(listed) ? 'unknown' : 'taken');
    if (known.size === targets.size) return true;
    names += 1;
    if (names > most) return false;
  }
  return true;
}
