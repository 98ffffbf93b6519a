import { MAX_ROW_MESSAGE, MAX_ROW_NAME, MAX_ROW_PATH } from '#src/api/v1alpha1/status-row.ts';
import { fits } from '#src/core/bounded-text.ts';
import type { Address } from '#src/core/document.ts';
import type { Destination } from '#src/core/mapping/route.ts';
import type { Base, DestinationRecord, Outcome } from '#src/core/outcome.ts';
import { removesSource } from '#src/core/checks.ts';
import { fitted } from '#src/errors/explain.ts';
import type { RowReason } from '#src/errors/reasons.ts';
import { areSame } from '../crossings.ts';
import type { Documents } from './documents.ts';
import type { PlanInputs } from './inputs.ts';
import { SourcesByLocation, usesOf } from './locations.ts';
import type { NamedDocument } from './reserved-names.ts';

/*
 * Maps each document to its target and finds the documents that cannot go there. No I/O.
 */

type Inputs = Pick<PlanInputs, 'intent' | 'source' | 'destination' | 'prior'>;

/** Refusals that can pass without an edit of the migration. */
const LATER: ReadonlySet<RowReason> = new Set([
  'PermissionDenied',
  'SourceMissing',
  'MappingIncomplete',
  'MappingCollision',
  'NotMapped',
]);

/** The outcome of a document that is not processed. */
export function refusedOutcome(
  name: string,
  { reason, message }: { readonly reason: RowReason; readonly message: string },
  path?: Address,
): Outcome {
  return {
    name,
    keys: [],
    state: 'Failed',
    reason,
    message,
    retry: LATER.has(reason) ? 'later' : 'never',
    ...(path === undefined ? {} : { destination: { path } }),
  };
}

/**
 * Maps names to targets, and drops those that have none: returns their rows. Compares locations, not names of backends: two
 * backends can reach the same location.
 */
export function mapTargets(inputs: Inputs, documents: Documents): readonly Outcome[] {
  const refused: Outcome[] = [];
  const written = writtenSources(inputs, documents);
  for (const item of documents.with()) {
    const outcome = targetRefusal(inputs, documents.named(item), written.has(item));
    if (outcome !== undefined) {
      refused.push(outcome);
      documents.drop(item);
    } else if (inputs.intent.route.needsLabels) documents.place(item, documents.destinationAt(item));
  }
  documents.dropLabels();
  return refused;
}

/** The row of a document that cannot go to its target; undefined if it can. */
function targetRefusal(
  { intent, source: from, destination: to }: Inputs,
  { name, source, labels }: NamedDocument,
  wasWritten: boolean,
): Outcome | undefined {
  const target = intent.route.destinationOf(name, labels);
  const atSource = from.addressRefusalOf(source);
  if (!('path' in target)) return refusedOutcome(name, atSource ?? whyUnplaced(target));
  const refusal =
    atSource ?? to.addressRefusalOf(target.path) ?? recordRefusalOf(name, [source, target.path]);
  if (refusal !== undefined) return refusedOutcome(name, refusal, target.path);
  if (wasWritten) return skippedOutcome(name, { path: source, isRenamed: true });
  return areSame(from.locationOf(source), to.locationOf(target.path))
    ? skippedOutcome(name, target)
    : undefined;
}

/** Room for what a backend adds to a path to name a backup. */
const BACKUP_ROOM = 64;

/** A document whose name and paths a row cannot hold: no later run could find it again, so nothing is done with it. */
function recordRefusalOf(
  name: string,
  paths: readonly Address[],
): { readonly reason: RowReason; readonly message: string } | undefined {
  const isHeld = fits(name, MAX_ROW_NAME) && paths.every((path) => fits(path, MAX_ROW_PATH - BACKUP_ROOM));
  if (isHeld) return undefined;
  const message = 'A row cannot hold the name or a path of the document: nothing was read or written.';
  return { reason: 'NotRecordable', message };
}

/** Why the mapping gives a document no place. */
function whyUnplaced(target: Exclude<Destination, { path: Address }>): Parameters<typeof refusedOutcome>[1] {
  if ('missingLabel' in target) {
    const message = `spec.mapping.path uses the label ${target.missingLabel}, which this Secret lacks.`;
    return { reason: 'MappingIncomplete', message };
  }
  const message =
    'The name has several segments, and the destination has single names. Set spec.mapping.segmentSeparator, or an override, or exclude the document.';
  return { reason: 'NotMapped', message };
}

/**
 * Documents at locations that earlier runs of this migration wrote: inside one backend these must not be moved again. Nothing is
 * at the source where no earlier run wrote into its store.
 */
function writtenSources(
  { destination, prior, source }: Pick<PlanInputs, 'destination' | 'prior' | 'source'>,
  documents: Documents,
): ReadonlySet<number> {
  const sources = new SourcesByLocation(source, documents);
  const found = new Set<number>();
  for (const { base, destination: record } of prior.values()) {
    if (record === undefined || !wasWritten(record, base)) continue;
    const item = sources.find(destination.locationOf(record.path));
    if (item !== undefined) found.add(item);
  }
  return found;
}

function wasWritten(record: DestinationRecord, base: Base | undefined): boolean {
  return record.version !== undefined || base?.destination !== undefined;
}

function skippedOutcome(
  name: string,
  target: { readonly path: Address; readonly isRenamed: boolean },
): Outcome {
  const why = target.isRenamed
    ? ({ reason: 'AlreadyRenamed', message: 'The document already has its new name.' } as const)
    : ({
        reason: 'NoRule',
        message: 'No rule of spec.mapping renames the document.',
      } as const);
  return { name, keys: [], state: 'Skipped', ...why, destination: { path: target.path } };
}

/**
 * Refuses documents that share a target, or whose target is the path of another selected source. Refuses all of them: the
 * order must not decide which document gets the target. From then on documents are found by their targets.
 */
export function refuseCollisions(
  { source, destination }: Pick<PlanInputs, 'source' | 'destination'>,
  documents: Documents,
): readonly Outcome[] {
  const sharing = sharedTargets(documents);
  const sources = new SourcesByLocation(source, documents);
  const refused: Outcome[] = [];
  const collided: number[] = [];
  for (const item of documents.with()) {
    const path = documents.destinationAt(item);
    // The first of them stands for all.
    if (documents.findDestination(path) !== item) continue;
    const group = sharing.get(item) ?? [item];
    const occupant = sources.find(destination.locationOf(path));
    const message = collisionOf(documents, group, occupant);
    if (message === undefined) continue;
    collided.push(...group);
    for (const each of group)
      refused.push(refusedOutcome(documents.nameAt(each), { reason: 'MappingCollision', message }, path));
  }
  // Only now: each of them is the current path of a source for the others.
  for (const item of collided) documents.drop(item);
  return refused;
}

/** All documents with one target, by the first of them; only where they are several. */
function sharedTargets(documents: Documents): ReadonlyMap<number, readonly number[]> {
  const sharing = new Map<number, number[]>();
  for (const item of documents.with()) {
    const first = documents.indexDestination(item);
    if (first === undefined) continue;
    const group = sharing.get(first);
    if (group === undefined) sharing.set(first, [first, item]);
    else group.push(item);
  }
  return sharing;
}

/** Why documents with one target cannot go there, or undefined. */
function collisionOf(
  documents: Documents,
  group: readonly number[],
  occupant: number | undefined,
): string | undefined {
  if (occupant !== undefined) {
    return fitted(
      {
        happened: `Target is the current path of ${documents.nameAt(occupant)}, which this migration also moves.`,
        hint: 'Move that document first, in a separate migration.',
      },
      MAX_ROW_MESSAGE,
    );
  }
  if (group.length < 2) return undefined;
  const names = group.map((each) => documents.nameAt(each)).toSorted();
  return fitted(
    {
      happened: `Several sources map to the same path: ${names.slice(0, 4).join(', ')}.`,
      hint: 'Change spec.mapping, or exclude all but one.',
    },
    MAX_ROW_MESSAGE,
  );
}

/**
 * Declares what this migration writes and removes, and refuses the documents that another live migration uses the other
 * way round. A dry run declares nothing.
 */
export function refuseCrossings(
  inputs: Pick<PlanInputs, 'crossings' | 'destination' | 'intent' | 'only' | 'source'>,
  documents: Documents,
): readonly Outcome[] {
  const { crossings, destination, intent, only, source } = inputs;
  // The last whole pass declared all documents; new ones join with the next one.
  if (!intent.dryRun && only === undefined) crossings.declare(usesOf(inputs, documents));
  const refused: Outcome[] = [];
  for (const item of documents.with()) {
    const path = documents.destinationAt(item);
    const to = destination.locationOf(path);
    const isRemoved = removesSource(intent.policyOf(documents.nameAt(item)));
    const message =
      crossings.removalOf(to) ??
      (isRemoved ? crossings.writeTo(source.locationOf(documents.sourceAt(item))) : undefined);
    if (message === undefined) continue;
    refused.push(crossedOutcome(documents.nameAt(item), path, message));
    documents.drop(item);
  }
  return refused;
}

function crossedOutcome(name: string, path: Address, message: string): Outcome {
  return {
    ...refusedOutcome(name, { reason: 'CrossingMigrations', message }, path),
    state: 'Conflict',
    retry: 'later',
  };
}
