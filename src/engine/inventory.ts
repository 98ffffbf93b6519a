import type { Need, Refusal } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { nameIsSelected, typeIsSelected } from '#src/core/selection.ts';
import { hasCode } from '#src/errors.ts';
import { wasProven } from './gone.ts';
import type { RunContext } from './run-context.ts';

/** One document that will be worked on. */
export interface Item {
  readonly name: string;
  readonly source: Address;
  readonly destination: Address;
}

/** What both stores hold as far as names tell, gathered once before anything is written. */
export interface Inventory {
  readonly items: readonly Item[];
  /** Documents that will not be worked on, with the reason: refused paths, collisions, missing labels or rights. */
  readonly refused: readonly Outcome[];
  /** Names recorded by an earlier run that the source no longer lists. */
  readonly gone: readonly string[];
  /** Taken destination addresses; undefined where the names may not be listed. */
  readonly taken: ReadonlySet<Address> | undefined;
}

/** Refusals that pass without an edit of the migration. */
const LATER: ReadonlySet<string> = new Set([
  'PermissionDenied',
  'SourceMissing',
  'MappingIncomplete',
  'MappingCollision',
]);

export const SOURCE_MISSING = {
  reason: 'SourceMissing',
  message: 'There is no such document at the source. Create it, or correct spec.select.',
} as const;

interface Candidate {
  readonly name: string;
  readonly source: Address;
  readonly labels: Readonly<Record<string, string>>;
}

async function gatherCandidates(context: RunContext): Promise<readonly Candidate[]> {
  const { selection, route } = context.intent;
  const { scope } = selection;
  // Names with labels in the path need the listing; plain names are read one by one, which needs no right to list.
  if (scope.by === 'names' && route.destinationFolder !== undefined) {
    return scope.names
      .filter((name) => nameIsSelected(selection, name))
      .map((name) => ({ name, source: route.sourceOf(name), labels: {} }));
  }
  const candidates: Candidate[] = [];
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
  return candidates;
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

/** A denied listing leaves the names unknown: each document is then looked up by itself. */
async function gatherTaken(context: RunContext): Promise<ReadonlySet<Address> | undefined> {
  const folder = context.intent.route.destinationFolder;
  if (folder === undefined) return undefined;
  const taken = new Set<Address>();
  try {
    for await (const entry of context.destination.list({ folder }, context.signal)) taken.add(entry.address);
  } catch (failure) {
    if (!hasCode(failure, 'AUTH_DENIED')) throw failure;
    return undefined;
  }
  return taken;
}

function refusedOutcome(name: string, refusal: { reason: string; message: string }, path?: Address): Outcome {
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

function mapCandidates(
  context: RunContext,
  candidates: readonly Candidate[],
): { items: Item[]; refused: Outcome[] } {
  const items: Item[] = [];
  const refused: Outcome[] = [];
  for (const { name, source, labels } of candidates) {
    const target = context.intent.route.destinationOf(name, labels);
    if ('missingLabel' in target) {
      const message = `spec.mapping.path needs the label ${target.missingLabel}, which this Secret does not have.`;
      refused.push(refusedOutcome(name, { reason: 'MappingIncomplete', message }));
      continue;
    }
    const refusal =
      context.source.addressRefusalOf(source) ?? context.destination.addressRefusalOf(target.path);
    if (refusal === undefined) items.push({ name, source, destination: target.path });
    else refused.push(refusedOutcome(name, refusal, target.path));
  }
  return { items, refused };
}

/** Two sources with one target: neither is written, both are named. */
function refuseCollisions(items: readonly Item[]): { items: Item[]; refused: Outcome[] } {
  const byTarget = Map.groupBy(items, (item) => item.destination);
  const kept: Item[] = [];
  const refused: Outcome[] = [];
  for (const [path, group] of byTarget) {
    const [first, ...others] = group;
    if (first !== undefined && others.length === 0) kept.push(first);
    else {
      const names = group.map((item) => item.name).toSorted();
      const message = `Several sources map to one path: ${names.slice(0, 4).join(', ')}. Change spec.mapping or exclude all but one.`;
      for (const item of group)
        refused.push(refusedOutcome(item.name, { reason: 'MappingCollision', message }, path));
    }
  }
  return { items: kept, refused };
}

function verbsAt(context: RunContext, isTaken: boolean): Need['verbs'] {
  if (!isTaken) return ['create', 'read'];
  return context.intent.policy.conflictPolicy === 'Overwrite' ? ['update', 'read'] : ['read'];
}

async function gatherDenied(
  context: RunContext,
  items: readonly Item[],
  taken: ReadonlySet<Address> | undefined,
): Promise<ReadonlyMap<string, Refusal>> {
  const denied = new Map<string, Refusal>();
  if (context.intent.dryRun && items.length === 0) return denied;
  const writes = await context.destination.denied(
    items.map((item) => ({
      address: item.destination,
      verbs: verbsAt(context, taken?.has(item.destination) === true),
    })),
    context.signal,
  );
  const removals =
    context.intent.policy.sourcePolicy === 'Delete'
      ? await context.source.denied(
          items.map((item) => ({ address: item.source, verbs: ['read', 'delete'] as const })),
          context.signal,
        )
      : new Map<Address, Refusal>();
  for (const item of items) {
    const refusal = writes.get(item.destination) ?? removals.get(item.source);
    if (refusal !== undefined) denied.set(item.name, refusal);
  }
  return denied;
}

/** Gathers names, maps them and asks for the rights; reads no value and writes nothing. */
export async function gatherInventory(context: RunContext): Promise<Inventory> {
  const candidates = await gatherCandidates(context);
  const mapped = mapCandidates(context, candidates);
  const distinct = refuseCollisions(mapped.items);
  const taken = await gatherTaken(context);
  const denied = await gatherDenied(context, distinct.items, taken);
  const listed = new Set(candidates.map((candidate) => candidate.name));
  const missing = missingNames(context, listed);
  return {
    items: distinct.items.filter((item) => !denied.has(item.name)),
    refused: [
      ...missing.map((name) => refusedOutcome(name, SOURCE_MISSING)),
      ...mapped.refused,
      ...distinct.refused,
      ...distinct.items.flatMap((item) => {
        const refusal = denied.get(item.name);
        return refusal === undefined ? [] : [refusedOutcome(item.name, refusal, item.destination)];
      }),
    ],
    gone: [...context.journal.prior.keys()].filter((name) => !listed.has(name) && !missing.includes(name)),
    taken,
  };
}
