import { MAX_ROW_MESSAGE } from '#src/api/v1alpha1/secret-migration.ts';
import type { Location, Need, Refusal } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { nameIsSelected, typeIsSelected } from '#src/core/selection.ts';
import { fitted } from '#src/errors/explain.ts';
import type { RowReason } from '#src/errors/reasons.ts';
import { hasCode } from '#src/errors.ts';
import { activeFallback } from './fallback.ts';
import { wasProven } from './gone.ts';
import type { Item } from './item.ts';
import {
  isReservedNow,
  requireUnreserved,
  requireUnreservedBackups,
  type NamedDocument,
} from './reserved-names.ts';
import type { RunContext } from './run-context.ts';

/** What both stores hold as far as names tell, gathered once before anything is written. */
export interface Inventory {
  readonly items: readonly Item[];
  /** Documents that will not be worked on, with the reason: refused paths, collisions, missing labels or rights. */
  readonly refused: readonly Outcome[];
  /** Names recorded by an earlier run that the source no longer lists. */
  readonly gone: readonly string[];
}

/** Refusals that pass without an edit of the migration. */
const LATER: ReadonlySet<RowReason> = new Set([
  'PermissionDenied',
  'SourceMissing',
  'MappingIncomplete',
  'MappingCollision',
]);

export const SOURCE_MISSING = {
  reason: 'SourceMissing',
  message: 'The source does not exist. Create it, or correct spec.select.',
} as const;

type Mapped = Omit<Item, 'isNew'>;

/** What the user wrote down; labels are not known without asking. */
function writtenDown({ intent: { selection, route } }: RunContext): readonly NamedDocument[] {
  const { scope } = selection;
  if (scope.by !== 'names') return [];
  return scope.names
    .filter((name) => nameIsSelected(selection, name))
    .map((name) => ({ name, source: route.sourceOf(name), labels: {} }));
}

async function gatherCandidates(context: RunContext): Promise<readonly NamedDocument[]> {
  const { selection, route } = context.intent;
  const { scope } = selection;
  // Names with labels in the path need the listing; plain names are read one by one, which needs no right to list.
  if (scope.by === 'names' && !route.needsLabels) return writtenDown(context);
  const candidates: NamedDocument[] = [];
  const query = {
    folder: route.sourceFolder,
    ...(scope.by === 'labelSelector' ? { labelSelector: scope.labelSelector } : {}),
  };
  for await (const entry of context.source.list(query, context.signal)) {
    const name = route.nameOf(entry.address);
    if (name === undefined || !nameIsSelected(selection, name)) continue;
    if (entry.type !== undefined && !typeIsSelected(selection, entry.type)) continue;
    candidates.push({ name, source: entry.address, labels: entry.labels ?? {} });
  }
  return [...candidates, ...(await gatherAtOldAddresses(context, candidates))];
}

/** Names that only the old addresses have; what is under its own address is no old name of something else. */
async function gatherAtOldAddresses(
  context: RunContext,
  candidates: readonly NamedDocument[],
): Promise<readonly NamedDocument[]> {
  const fallback = activeFallback(context);
  if (fallback === undefined) return [];
  const { selection, route } = context.intent;
  const known = new Set(candidates.map(({ name }) => name));
  const found: NamedDocument[] = [];
  for await (const { address, labels = {} } of context.source.list(
    { folder: fallback.folder },
    context.signal,
  )) {
    const name = route.nameOf(address) === undefined ? fallback.nameOf(address) : undefined;
    if (name === undefined || known.has(name) || !nameIsSelected(selection, name)) continue;
    found.push({ name, source: route.sourceOf(name), labels });
  }
  return found;
}

/** Names that the user wrote down and the listing does not have; those that we removed are not missing. */
function missingNames(context: RunContext, listed: ReadonlySet<string>): readonly string[] {
  const { selection } = context.intent;
  if (selection.scope.by !== 'names') return [];
  return selection.scope.names.filter((name) => {
    const prior = context.journal.prior.get(name);
    const proven = prior !== undefined && wasProven(context, prior);
    return nameIsSelected(selection, name) && !listed.has(name) && !proven;
  });
}

/**
 * What the names at the destination tell: which addresses have nothing. A denied listing leaves them unknown, and an
 * override may lie outside of what was listed: such documents are looked up one by one.
 */
async function gatherTaken(context: RunContext): Promise<(address: Address) => 'taken' | 'free' | 'unknown'> {
  const folder = context.intent.route.destinationFolder;
  if (folder === undefined) return () => 'unknown';
  const below = folder === '' ? '' : `${folder}/`;
  const taken = new Set<Address>();
  try {
    for await (const entry of context.destination.list({ folder }, context.signal)) taken.add(entry.address);
  } catch (failure) {
    if (!hasCode(failure, 'AUTH_DENIED')) throw failure;
    return () => 'unknown';
  }
  return (address) => {
    if (taken.has(address)) return 'taken';
    return address.startsWith(below) ? 'free' : 'unknown';
  };
}

function refusedOutcome(
  name: string,
  refusal: { reason: RowReason; message: string },
  path?: Address,
): Outcome {
  return {
    name,
    keys: [],
    state: 'Failed',
    reason: refusal.reason,
    message: refusal.message,
    retry: LATER.has(refusal.reason) ? 'later' : 'never',
    ...(path === undefined ? {} : { destination: { path } }),
  };
}

function keyOf({ store, path }: Location): string {
  return `${store}\n${path}`;
}

/** Where earlier runs of this migration have put something: inside one store it must not be moved on. */
function placesMade({ journal, destination }: RunContext): ReadonlySet<string> {
  const made = [...journal.prior.values()].map((prior) => prior.destination);
  return new Set(
    made.flatMap((place) =>
      place?.version === undefined ? [] : [keyOf(destination.locationOf(place.path))],
    ),
  );
}

function leftAlone(name: string, target: { readonly path: Address; readonly isRenamed: boolean }): Outcome {
  const reason = target.isRenamed
    ? ({ reason: 'AlreadyRenamed', message: 'The document already has its new name.' } as const)
    : ({ reason: 'NoRule', message: 'No rule of spec.mapping renames the document.' } as const);
  return { name, keys: [], state: 'Skipped', ...reason, destination: { path: target.path } };
}

function mapCandidates(
  context: RunContext,
  candidates: readonly NamedDocument[],
): { items: Mapped[]; refused: Outcome[] } {
  const items: Mapped[] = [];
  const refused: Outcome[] = [];
  const made = placesMade(context);
  for (const { name, source, labels } of candidates) {
    const target = context.intent.route.destinationOf(name, labels);
    if ('missingLabel' in target) {
      const message = `spec.mapping.path uses the label ${target.missingLabel}, which this Secret lacks.`;
      refused.push(refusedOutcome(name, { reason: 'MappingIncomplete', message }));
      continue;
    }
    const refusal =
      context.source.addressRefusalOf(source) ?? context.destination.addressRefusalOf(target.path);
    // Asked of the stores, not of the names of the backends: two of them may lead to one place.
    const from = keyOf(context.source.locationOf(source));
    const to = keyOf(context.destination.locationOf(target.path));
    if (refusal !== undefined) refused.push(refusedOutcome(name, refusal, target.path));
    else if (made.has(from)) refused.push(leftAlone(name, { path: source, isRenamed: true }));
    else if (from === to) refused.push(leftAlone(name, target));
    else items.push({ name, source, destination: target.path });
  }
  return { items, refused };
}

/**
 * Two sources with one target, or a target where another source of the selection still is: none of them is written, all
 * are named. Which of them goes first must not decide what becomes of the others.
 */
function refuseCollisions(
  context: RunContext,
  items: readonly Mapped[],
): { items: Mapped[]; refused: Outcome[] } {
  const sources = new Map(items.map((item) => [keyOf(context.source.locationOf(item.source)), item]));
  const byTarget = Map.groupBy(items, (item) => item.destination);
  const kept: Mapped[] = [];
  const refused: Outcome[] = [];
  for (const [path, group] of byTarget) {
    const [first, ...others] = group;
    const inTheWay = sources.get(keyOf(context.destination.locationOf(path)));
    if (first !== undefined && others.length === 0 && inTheWay === undefined) kept.push(first);
    else if (inTheWay !== undefined) {
      const message = fitted(
        {
          happened: `Target is the current path of ${inTheWay.name}, which this migration also moves.`,
          hint: 'Move that document first, in a separate migration.',
        },
        MAX_ROW_MESSAGE,
      );
      for (const item of group)
        refused.push(refusedOutcome(item.name, { reason: 'MappingCollision', message }, path));
    } else {
      const names = group.map((item) => item.name).toSorted();
      const message = fitted(
        {
          happened: `Several sources map to the same path: ${names.slice(0, 4).join(', ')}.`,
          hint: 'Change spec.mapping, or exclude all but one.',
        },
        MAX_ROW_MESSAGE,
      );
      for (const item of group)
        refused.push(refusedOutcome(item.name, { reason: 'MappingCollision', message }, path));
    }
  }
  return { items: kept, refused };
}

function verbsAt(context: RunContext, item: Mapped, isTaken: boolean): Need['verbs'] {
  if (!isTaken) return ['create', 'read'];
  return context.intent.policyOf(item.name).conflictPolicy === 'Overwrite' ? ['update', 'read'] : ['read'];
}

/** What the source policy of this document does to it. */
function removalVerbs(context: RunContext, item: Mapped): Need['verbs'] {
  const { sourcePolicy } = context.intent.policyOf(item.name);
  if (sourcePolicy === 'Keep') return [];
  if (sourcePolicy === 'Project') return ['read', 'update'];
  return sourcePolicy === 'Backup' ? ['read', 'create', 'delete'] : ['read', 'delete'];
}

async function gatherDenied(
  context: RunContext,
  items: readonly Mapped[],
  standing: (address: Address) => 'taken' | 'free' | 'unknown',
): Promise<ReadonlyMap<string, Refusal>> {
  const denied = new Map<string, Refusal>();
  if (context.intent.dryRun && items.length === 0) return denied;
  const writes = await context.destination.denied(
    items.map((item) => ({
      address: item.destination,
      verbs: verbsAt(context, item, standing(item.destination) === 'taken'),
    })),
    context.signal,
  );
  const needs = items.map((item) => ({ address: item.source, verbs: removalVerbs(context, item) }));
  const removals = await context.source.denied(
    needs.filter(({ verbs }) => verbs.length > 0),
    context.signal,
  );
  for (const item of items) {
    const refusal = writes.get(item.destination) ?? removals.get(item.source);
    if (refusal !== undefined) denied.set(item.name, refusal);
  }
  return denied;
}

/**
 * Gathers names, maps them and asks for the rights; reads no value and writes nothing. Throws `NAME_RESERVED` when the
 * migration asks for what is reserved for others.
 */
export async function gatherInventory(context: RunContext): Promise<Inventory> {
  requireUnreservedBackups(context);
  requireUnreserved(context, writtenDown(context));
  const candidates = await gatherCandidates(context);
  requireUnreserved(context, candidates);
  const mapped = mapCandidates(context, candidates);
  const distinct = refuseCollisions(context, mapped.items);
  const standing = await gatherTaken(context);
  const denied = await gatherDenied(context, distinct.items, standing);
  const listed = new Set(candidates.map((candidate) => candidate.name));
  const missing = missingNames(context, listed);
  return {
    items: distinct.items
      .filter((item) => !denied.has(item.name))
      .map((item) => ({ ...item, isNew: standing(item.destination) === 'free' })),
    refused: [
      ...missing.map((name) => refusedOutcome(name, SOURCE_MISSING)),
      ...mapped.refused,
      ...distinct.refused,
      ...distinct.items.flatMap((item) => {
        const refusal = denied.get(item.name);
        return refusal === undefined ? [] : [refusedOutcome(item.name, refusal, item.destination)];
      }),
    ],
    gone: [...context.journal.prior.values()]
      .filter((prior) => !listed.has(prior.name) && !missing.includes(prior.name))
      .filter((prior) => !isReservedNow(context, prior))
      .map(({ name }) => name),
  };
}
