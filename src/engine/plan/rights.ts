import type { Need, Reader } from '#src/backends/driver.ts';
import type { Refusal } from '#src/backends/refusal.ts';
import type { Address } from '#src/core/document.ts';
import { folderOf } from '#src/core/folders.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { hasCode } from '#src/errors.ts';
import type { Intent } from './intent.ts';
import type { PlanInputs } from './inputs.ts';
import type { Occupancy } from './occupancy.ts';
import type { Mapped } from './targets.ts';

/*
 * The rights that the steps of a run need (ADR 0072). A plan that is shown asks for each document. A run asks a tree for some
 * documents of each folder, because a server looks at every policy for every path: one that is denied makes it ask for each of
 * its folder. What no question found, the refused request itself shows, in the same row.
 */

/** Folders that a run asks about first. */
const FOLDERS_IN_SAMPLE = 32;

/** Checks in both backends the rights that the steps of these documents need. By name: why a document is denied. */
export async function askRights(
  {
    intent,
    source,
    destination,
    prior,
    signal,
  }: Pick<PlanInputs, 'intent' | 'source' | 'destination' | 'prior' | 'signal'>,
  documents: readonly Mapped[],
  occupancy: (address: Address) => Occupancy,
): Promise<ReadonlyMap<string, Refusal>> {
  const denied = new Map<string, Refusal>();
  if (intent.dryRun && documents.length === 0) return denied;
  const copies = documents.map(({ name, destination: address }) => ({
    address,
    isDoubted: prior.get(name)?.reason === 'PermissionDenied',
    verbs: copyVerbs(intent, name, occupancy(address)),
  }));
  const removals = documents.map(({ name, source: address }) => ({
    address,
    verbs: removalVerbs(intent, name, source.claims !== undefined),
  }));
  const ask = intent.dryRun ? askEach : askSome;
  const atDestination = await ask(destination, copies.filter(hasVerbs), signal);
  const atSource = await ask(source, removals.filter(hasVerbs), signal);
  for (const document of documents) {
    const refusal = atDestination.get(document.destination) ?? atSource.get(document.source);
    if (refusal !== undefined) denied.set(document.name, refusal);
  }
  return denied;
}

/**
 * The row of a refused request, with the words that a question about the right would have had. Other failures, and a refusal
 * although the right is there, keep their own.
 */
export async function withMissingRight(
  outcome: Outcome,
  failure: unknown,
  { reader, need, signal }: { readonly reader: Reader; readonly need: Need; readonly signal: AbortSignal },
): Promise<Outcome> {
  if (!hasCode(failure, 'AUTH_DENIED')) return outcome;
  try {
    const refusal = (await reader.denied([need], signal)).get(need.address);
    return refusal === undefined ? outcome : { ...outcome, ...refusal };
  } catch {
    // Also after a stop: what is known of the document must be recorded.
    return outcome;
  }
}

function hasVerbs({ verbs }: Need): boolean {
  return verbs.length > 0;
}

async function askEach(
  reader: Pick<Reader, 'denied'>,
  needs: readonly Need[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Address, Refusal>> {
  return needs.length === 0 ? new Map() : reader.denied(needs, signal);
}

interface DoubtedNeed extends Need {
  /** An earlier run found that a right is missing. */
  readonly isDoubted?: boolean;
}

/** Where an answer costs a request or nothing for all addresses (a namespace, files), each of them is asked for. */
async function askSome(
  reader: Pick<Reader, 'denied' | 'traits'>,
  needs: readonly DoubtedNeed[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Address, Refusal>> {
  const { addressing, isLocal } = reader.traits;
  if (addressing === 'flat' || isLocal === true) return askEach(reader, needs, signal);
  const doubted = needs.filter(({ isDoubted }) => isDoubted === true);
  const others = needs.filter(({ isDoubted }) => isDoubted !== true);
  const groups = [...Map.groupBy(others, groupOf).values()];
  const first = new Set(spread(groups, FOLDERS_IN_SAMPLE));
  const found = await askEach(reader, [...doubted, ...[...first].flatMap(ends)], signal);
  if (found.size === 0) return found;
  const more = await askEach(reader, groups.filter((each) => !first.has(each)).flatMap(ends), signal);
  const denied = new Map([...found, ...more]);
  const isDenied = (group: readonly Need[]): boolean => group.some(({ address }) => denied.has(address));
  const rest = groups.filter(isDenied).flatMap((group) => group.slice(1, -1));
  return new Map([...denied, ...(await askEach(reader, rest, signal))]);
}

function groupOf({ address, verbs }: Need): string {
  return [folderOf(address), ...verbs].join('\n');
}

/** The first and the last: a rule for names with a common beginning rarely has both. */
function ends(group: readonly Need[]): readonly Need[] {
  return group.length <= 2 ? group : group.filter((_, index) => index === 0 || index === group.length - 1);
}

/** At most `most` of them, from the whole list. */
function spread<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, index) => all[Math.floor((index * all.length) / most)]).filter(
    (each) => each !== undefined,
  );
}

/** A copy that is only read needs no question: it is read before anything is written, and the read answers. */
function copyVerbs(intent: Intent, name: string, occupancy: Occupancy): Need['verbs'] {
  if (occupancy === 'recorded') return [];
  if (occupancy !== 'taken') return WRITING.create;
  if (intent.policyOf(name).conflictPolicy === 'Overwrite') return WRITING.update;
  return intent.dryRun ? ['read'] : [];
}

/** What a write, and the read of what was written, need. */
export const WRITING = { create: ['create', 'read'], update: ['update', 'read'] } as const satisfies Readonly<
  Record<string, Need['verbs']>
>;

/** The verbs that the source policy of this document needs. */
export function removalVerbs(
  intent: Pick<Intent, 'policyOf'>,
  name: string,
  isFenced: boolean,
): Need['verbs'] {
  const { sourcePolicy } = intent.policyOf(name);
  if (sourcePolicy === 'Keep') return [];
  if (sourcePolicy === 'Project') return ['read', 'update'];
  const fence = isFenced ? (['update'] as const) : [];
  return sourcePolicy === 'Backup' ? ['read', 'create', ...fence, 'delete'] : ['read', ...fence, 'delete'];
}
