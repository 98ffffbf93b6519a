import type { Location, Reader } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import { nameIsSelected } from '#src/core/selection.ts';
import { OperatorError } from '#src/errors.ts';
import type { PlanInputs } from './inputs.ts';
import type { NamedDocument } from './reserved-names.ts';

/*
 * Two folders of one store can contain each other. Then a migration can select what it wrote itself, and another one of the
 * same spec, which does not know the status of the first, moves every document again. So a document may be a source or a
 * target of one spec, not both, unless the rules of the mapping recognize new names: that is the case inside one folder.
 */

const ANY = 'any';

type Inputs = Pick<PlanInputs, 'intent' | 'source' | 'destination'>;

/** Throws `ENDS_NESTED` when this migration, created again, would move a copy that it makes now. No I/O. */
export function requireSeparateEnds(inputs: Inputs, documents: Iterable<NamedDocument>): void {
  for (const document of documents) {
    const detail = overlapOf(inputs, document);
    if (detail === undefined) continue;
    throw new OperatorError('ENDS_NESTED', { op: 'engine.inventory', target: document.name, detail });
  }
}

function overlapOf(inputs: Inputs, document: NamedDocument): string | undefined {
  if (containsDestination(inputs, document)) return 'The document contains the folder of the destination.';
  const copy = copyToMoveAgain(inputs, document);
  return copy === undefined ? undefined : `At the source, the copy of the document would be ${copy}.`;
}

/** A directory: the folder of the destination is, or is in, the folder that this document is. */
function containsDestination(
  { source, destination }: Pick<Inputs, 'source' | 'destination'>,
  document: NamedDocument,
): boolean {
  if (source.addressRefusalOf(document.source) !== undefined) return false;
  const outer = source.locationOf(document.source).file;
  const inner = destination.locationOf('').file;
  return outer !== undefined && inner !== undefined && `${inner}/`.startsWith(`${outer}/`);
}

/** The source address of the copy of this document, if the same spec selects it and moves it elsewhere. */
function copyToMoveAgain(inputs: Inputs, { name, labels }: NamedDocument): Address | undefined {
  const { intent, source, destination } = inputs;
  const from = rootOf(source);
  const to = rootOf(destination);
  // Inside one folder, the rules recognize the names that they make (AlreadyRenamed).
  if (from.store !== to.store || from.path === to.path) return undefined;
  const target = intent.route.destinationOf(name, labels);
  if (!('path' in target)) return undefined;
  const { path } = destination.locationOf(target.path);
  if (!path.startsWith(from.path)) return undefined;
  const copy = path.slice(from.path.length);
  const found = intent.route.nameOf(copy);
  if (found === undefined || !nameIsSelected(intent.selection, found)) return undefined;
  const next = intent.route.destinationOf(found, labels);
  return 'path' in next && destination.locationOf(next.path).path !== path ? copy : undefined;
}

/**
 * True when both sides are one folder of one store: the mapping gives a document another name, and programs may still use
 * either one.
 */
export function areNamesOfOneFolder({
  source,
  destination,
}: Pick<PlanInputs, 'source' | 'destination'>): boolean {
  const from = rootOf(source);
  const to = rootOf(destination);
  return from.store === to.store && from.path === to.path;
}

/** What stands before every address of a backend in the paths of its locations. */
function rootOf(reader: Pick<Reader, 'locationOf'>): Location {
  const { store, path } = reader.locationOf(ANY);
  return { store, path: path.slice(0, -ANY.length) };
}
