import type { Address, Version } from '#src/core/document.ts';
import { nameIsSelected } from '#src/core/selection.ts';
import { hasCode } from '#src/errors.ts';
import { endsListing, isProblem } from '#src/backends/listing-problem.ts';
import type { PlanInputs } from './inputs.ts';
import type { NamedDocument } from './reserved-names.ts';
import { hadProof, isOfUnknownState } from './unlisted.ts';

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

/** Names in the spec that the listing lacks; documents that we removed are not missing. */
export function missingNames(
  inputs: Pick<PlanInputs, 'intent' | 'only' | 'prior'>,
  listed: ReadonlySet<string>,
): readonly string[] {
  const { selection } = inputs.intent;
  if (selection.scope.by !== 'names' || inputs.only !== undefined) return [];
  return selection.scope.names.filter((name) => {
    const prior = inputs.prior.get(name);
    const isAccountedFor = prior !== undefined && (hadProof(inputs, prior) || isOfUnknownState(prior));
    return nameIsSelected(selection, name) && !listed.has(name) && !isAccountedFor;
  });
}

/** What a listing shows about one address. */
export type Occupancy = 'taken' | 'free' | 'unknown';

/**
 * Lists the destination to find free addresses. What cannot be listed leaves unknown what is below it, and an override can
 * be outside the listed folder: such documents are read one by one. So is each one in a folder that is too large to list.
 */
export async function listOccupancy({
  intent,
  destination,
  only,
  onVersion,
  signal,
}: Pick<PlanInputs, 'intent' | 'destination' | 'only' | 'onVersion' | 'signal'>): Promise<
  (address: Address) => Occupancy
> {
  const folder = intent.route.destinationFolder;
  if (folder === undefined || only !== undefined) return () => 'unknown';
  const below = folder === '' ? '' : `${folder}/`;
  const taken = new Set<Address>();
  const unlisted: Address[] = [];
  const shown = onVersion && {
    onVersion: (address: Address, version: Version) => onVersion('destination', address, version),
  };
  try {
    for await (const listed of destination.list({ folder, ...shown }, signal)) {
      if (isProblem(listed)) unlisted.push(listed.address);
      else taken.add(listed.address);
    }
  } catch (failure) {
    // Too many names for one listing are no reason not to read those that matter.
    if (endsListing(failure, signal) && !hasCode(failure, 'SELECTION_TOO_LARGE')) throw failure;
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
