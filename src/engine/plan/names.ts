import type { Address } from '#src/core/document.ts';
import { nameIsSelected, typeIsSelected } from '#src/core/selection.ts';
import { hasCode } from '#src/errors.ts';
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

/** The documents of the selection. */
export async function listSelected(
  inputs: Pick<PlanInputs, 'intent' | 'source' | 'clock' | 'signal'>,
): Promise<readonly NamedDocument[]> {
  const { selection, route } = inputs.intent;
  const { scope } = selection;
  // A path with labels needs the listing; plain names are read one by one, which needs no right to list.
  if (scope.by === 'names' && !route.needsLabels) return namesInSpec(inputs);
  const listed: NamedDocument[] = [];
  const query = {
    folder: route.sourceFolder,
    ...(scope.by === 'labelSelector' ? { labelSelector: scope.labelSelector } : {}),
  };
  for await (const entry of inputs.source.list(query, inputs.signal)) {
    const name = route.nameOf(entry.address);
    if (name === undefined || !nameIsSelected(selection, name)) continue;
    if (entry.type !== undefined && !typeIsSelected(selection, entry.type)) continue;
    listed.push({ name, source: entry.address, labels: entry.labels ?? {} });
  }
  return [...listed, ...(await listOldAddresses(inputs, listed))];
}

/** Names that exist only at old addresses. A document at its own address is not the old name of another document. */
async function listOldAddresses(
  inputs: Pick<PlanInputs, 'intent' | 'source' | 'clock' | 'signal'>,
  listed: readonly NamedDocument[],
): Promise<readonly NamedDocument[]> {
  const fallback = activeFallback(inputs);
  if (fallback === undefined) return [];
  const { selection, route } = inputs.intent;
  const known = new Set(listed.map(({ name }) => name));
  const found: NamedDocument[] = [];
  const query = { folder: fallback.folder };
  for await (const { address, labels = {} } of inputs.source.list(query, inputs.signal)) {
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
 * Lists the destination to find free addresses. A denied listing leaves them unknown, and an override can be outside the
 * listed folder: such documents are read one by one.
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
  try {
    for await (const entry of destination.list({ folder }, signal)) taken.add(entry.address);
  } catch (failure) {
    if (!hasCode(failure, 'AUTH_DENIED')) throw failure;
    return () => 'unknown';
  }
  return (address) => {
    if (taken.has(address)) return 'taken';
    return address.startsWith(below) ? 'free' : 'unknown';
  };
}
