import type { Address } from '#src/core/document.ts';
import type { Entry, ListingProblem, ListQuery } from '#src/backends/driver.ts';
import { endsListing, isProblem } from '#src/backends/listing-problem.ts';
import { folderIsSelected, nameIsSelected, typeIsSelected } from '#src/core/selection.ts';
import { activeFallback } from './fallback.ts';
import type { PlanInputs } from './inputs.ts';
import type { NamedDocument } from './reserved-names.ts';
import { wasProven } from './unlisted.ts';

/*
 * Lists documents by name. Reads no value.
 */

/** The documents that the spec names; their labels are unknown without a read. */
export function namesInSpec({
  intent: { selection, route },
}: Pick<PlanInputs, 'intent'>): readonly NamedDocument[] {
  const { scope } = selection;
  if (scope.by !== 'names') return [];
  return scope.names
    .filter((name) => nameIsSelected(selection, name))
    .map((name) => ({ name, source: route.sourceOf(name), labels: {} }));
}

/** What the source lists. */
export interface Selected {
  readonly documents: readonly NamedDocument[];
  /** What could not be listed and may have selected names, by the name for its row. */
  readonly problems: ReadonlyMap<string, ListingProblem>;
}

/** The documents of the selection. */
export async function listSelected(
  inputs: Pick<PlanInputs, 'intent' | 'source' | 'prior' | 'clock' | 'signal'>,
): Promise<Selected> {
  const { selection, route } = inputs.intent;
  const { scope } = selection;
  // A path with labels needs the listing; plain names are read one by one, which needs no right to list.
  if (scope.by === 'names' && !route.needsLabels)
    return { documents: namesInSpec(inputs), problems: new Map() };
  const problems = new Map<string, ListingProblem>();
  const listed: NamedDocument[] = [];
  const query = {
    folder: route.sourceFolder,
    ...(scope.by === 'labelSelector' ? { labelSelector: scope.labelSelector } : {}),
  };
  for await (const entry of entriesOf(inputs, query, problems)) {
    const name = route.nameOf(entry.address);
    if (name === undefined || !nameIsSelected(selection, name)) continue;
    if (entry.type !== undefined && !typeIsSelected(selection, entry.type)) continue;
    listed.push({ name, source: entry.address, labels: entry.labels ?? {} });
  }
  const old = await listOldAddresses(inputs, listed, problems);
  const documents = [...listed, ...old];
  return { documents: [...documents, ...knownBelow(inputs, documents, problems)], problems };
}

/** What the source lists; keeps the problems, unless the selection excludes them. */
async function* entriesOf(
  { intent: { route, selection }, source, signal }: Pick<PlanInputs, 'intent' | 'source' | 'signal'>,
  query: ListQuery,
  problems: Map<string, ListingProblem>,
): AsyncGenerator<Entry> {
  for await (const listed of source.list(query, signal)) {
    if (!isProblem(listed)) {
      yield listed;
      continue;
    }
    // An address that the mapping does not match is a name by itself.
    const name = route.nameOf(listed.address) ?? listed.address;
    const isSelected = name.endsWith('/') ? folderIsSelected : nameIsSelected;
    if (isSelected(selection, name)) problems.set(name, listed);
  }
}

/** Documents that earlier runs recorded, in folders whose names are unknown now. They are read by name. */
function knownBelow(
  { intent: { route, selection }, prior }: Pick<PlanInputs, 'intent' | 'prior'>,
  listed: readonly NamedDocument[],
  problems: ReadonlyMap<string, ListingProblem>,
): readonly NamedDocument[] {
  const folders = [...problems.values()].map(({ address }) => address).filter((each) => each.endsWith('/'));
  if (folders.length === 0) return [];
  const known = new Set(listed.map(({ name }) => name));
  return [...prior.keys()]
    .filter((name) => !known.has(name) && !problems.has(name) && nameIsSelected(selection, name))
    .map((name) => ({ name, source: route.sourceOf(name), labels: {} }))
    .filter(({ source }) => folders.some((folder) => source.startsWith(folder)));
}

/** Names that exist only at old addresses. A document at its own address is not the old name of another document. */
async function listOldAddresses(
  inputs: Pick<PlanInputs, 'intent' | 'source' | 'clock' | 'signal'>,
  listed: readonly NamedDocument[],
  problems: Map<string, ListingProblem>,
): Promise<readonly NamedDocument[]> {
  const fallback = activeFallback(inputs);
  if (fallback === undefined) return [];
  const { selection, route } = inputs.intent;
  const known = new Set(listed.map(({ name }) => name));
  const found: NamedDocument[] = [];
  const query = { folder: fallback.folder };
  for await (const { address, labels = {} } of entriesOf(inputs, query, problems)) {
    const name = route.nameOf(address) === undefined ? fallback.nameOf(address) : undefined;
    if (name === undefined || known.has(name) || !nameIsSelected(selection, name)) continue;
    found.push({ name, source: route.sourceOf(name), labels });
  }
  return found;
}

/** Names in the spec that the listing lacks; documents that we removed are not missing. */
export function missingNames(
  inputs: Pick<PlanInputs, 'intent' | 'prior'>,
  listed: ReadonlySet<string>,
): readonly string[] {
  const { selection } = inputs.intent;
  if (selection.scope.by !== 'names') return [];
  return selection.scope.names.filter((name) => {
    const prior = inputs.prior.get(name);
    const proven = prior !== undefined && wasProven(inputs, prior);
    return nameIsSelected(selection, name) && !listed.has(name) && !proven;
  });
}

/** What a listing shows about one address. */
export type Occupancy = 'taken' | 'free' | 'unknown';

/**
 * Lists the destination to find free addresses. What cannot be listed leaves unknown what is below it, and an override can
 * be outside the listed folder: such documents are read one by one.
 */
export async function listOccupancy({
  intent,
  destination,
  signal,
}: Pick<PlanInputs, 'intent' | 'destination' | 'signal'>): Promise<(address: Address) => Occupancy> {
  const folder = intent.route.destinationFolder;
  if (folder === undefined) return () => 'unknown';
  const below = folder === '' ? '' : `${folder}/`;
  const taken = new Set<Address>();
  const unlisted: Address[] = [];
  try {
    for await (const listed of destination.list({ folder }, signal)) {
      if (isProblem(listed)) unlisted.push(listed.address);
      else taken.add(listed.address);
    }
  } catch (failure) {
    if (endsListing(failure, signal)) throw failure;
    return () => 'unknown';
  }
  return (address) => {
    if (taken.has(address)) return 'taken';
    const isUnlisted = unlisted.some((each) =>
      each.endsWith('/') ? address.startsWith(each) : address === each,
    );
    return address.startsWith(below) && !isUnlisted ? 'free' : 'unknown';
  };
}
