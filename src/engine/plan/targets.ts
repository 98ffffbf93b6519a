import { MAX_ROW_MESSAGE, MAX_ROW_NAME, MAX_ROW_PATH } from '#src/api/v1alpha1/status-row.ts';
import { fits } from '#src/core/bounded-text.ts';
import type { Address } from '#src/core/document.ts';
import type { Destination } from '#src/core/mapping/route.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { removesSource } from '#src/core/checks.ts';
import { fitted } from '#src/errors/explain.ts';
import type { RowReason } from '#src/errors/reasons.ts';
import { keyOf } from '../crossings.ts';
import type { PlanInputs } from './inputs.ts';
import type { PlannedDocument } from './plan.ts';
import type { NamedDocument } from './reserved-names.ts';

/*
 * Maps each document to its target and finds the documents that cannot go there. No I/O.
 */

export type Mapped = Omit<PlannedDocument, 'isNew'>;

export interface Mapping {
  readonly mapped: readonly Mapped[];
  readonly refused: readonly Outcome[];
}

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

/** Maps names to targets. Compares locations, not names of backends: two backends can reach the same location. */
export function mapTargets(inputs: Inputs, documents: readonly NamedDocument[]): Mapping {
  const { intent, source: from, destination: to } = inputs;
  const mapped: Mapped[] = [];
  const refused: Outcome[] = [];
  const written = writtenLocations(inputs);
  for (const { name, source, labels } of documents) {
    const target = intent.route.destinationOf(name, labels);
    const atSource = from.addressRefusalOf(source);
    if (!('path' in target)) {
      refused.push(refusedOutcome(name, atSource ?? whyUnplaced(target)));
      continue;
    }
    const refusal =
      atSource ?? to.addressRefusalOf(target.path) ?? recordRefusalOf(name, [source, target.path]);
    const here = keyOf(from.locationOf(source));
    if (refusal !== undefined) refused.push(refusedOutcome(name, refusal, target.path));
    else if (written.has(here)) refused.push(skippedOutcome(name, { path: source, isRenamed: true }));
    else if (here === keyOf(to.locationOf(target.path))) refused.push(skippedOutcome(name, target));
    else mapped.push({ name, source, destination: target.path });
  }
  return { mapped, refused };
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

/** Locations that earlier runs of this migration wrote: inside one backend these documents must not be moved again. */
function writtenLocations({
  prior,
  destination,
}: Pick<PlanInputs, 'prior' | 'destination'>): ReadonlySet<string> {
  return new Set(
    [...prior.values()].flatMap(({ base, destination: record }) => {
      if (record === undefined) return [];
      const wasWritten = record.version !== undefined || base?.destination !== undefined;
      return wasWritten ? [keyOf(destination.locationOf(record.path))] : [];
    }),
  );
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
 * order must not decide which document gets the target.
 */
export function refuseCollisions(
  { source, destination }: Pick<PlanInputs, 'source' | 'destination'>,
  documents: readonly Mapped[],
): Mapping {
  const sources = new Map(documents.map((each) => [keyOf(source.locationOf(each.source)), each]));
  const mapped: Mapped[] = [];
  const refused: Outcome[] = [];
  for (const [path, group] of Map.groupBy(documents, (each) => each.destination)) {
    const message = collisionOf(group, sources.get(keyOf(destination.locationOf(path))));
    if (message === undefined) mapped.push(...group);
    else
      refused.push(
        ...group.map(({ name }) => refusedOutcome(name, { reason: 'MappingCollision', message }, path)),
      );
  }
  return { mapped, refused };
}

/** Why documents with one target cannot go there, or undefined. */
function collisionOf(group: readonly Mapped[], occupant: Mapped | undefined): string | undefined {
  if (occupant !== undefined) {
    return fitted(
      {
        happened: `Target is the current path of ${occupant.name}, which this migration also moves.`,
        hint: 'Move that document first, in a separate migration.',
      },
      MAX_ROW_MESSAGE,
    );
  }
  if (group.length < 2) return undefined;
  const names = group.map(({ name }) => name).toSorted();
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
  documents: readonly Mapped[],
): Mapping {
  const { crossings, destination, intent, only, source } = inputs;
  const writesSources = intent.sync !== undefined && intent.sync.authority !== 'Source';
  const located = documents.map((document) => ({
    document,
    from: source.locationOf(document.source),
    to: destination.locationOf(document.destination),
    isRemoved: removesSource(intent.policyOf(document.name)),
  }));
  // The last whole pass declared all documents; new ones join with the next one.
  if (!intent.dryRun && only === undefined) {
    crossings.declare({
      removes: located.filter(({ isRemoved }) => isRemoved).map(({ from }) => from),
      writes: located.flatMap(({ from, to }) => (writesSources ? [to, from] : [to])),
    });
  }
  const mapped: Mapped[] = [];
  const refused: Outcome[] = [];
  for (const { document, from, to, isRemoved } of located) {
    const message = crossings.removalOf(to) ?? (isRemoved ? crossings.writeTo(from) : undefined);
    if (message === undefined) mapped.push(document);
    else refused.push(crossedOutcome(document, message));
  }
  return { mapped, refused };
}

function crossedOutcome({ name, destination }: Mapped, message: string): Outcome {
  return {
    ...refusedOutcome(name, { reason: 'CrossingMigrations', message }, destination),
    state: 'Conflict',
    retry: 'later',
  };
}
