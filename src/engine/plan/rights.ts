import type { Need, Reader } from '#src/backends/driver.ts';
import { isEmpty, repeatable } from '#src/core/repeatable.ts';
import type { Refusal } from '#src/backends/refusal.ts';
import type { Address } from '#src/core/document.ts';
import { folderOf } from '#src/core/folders.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { hasCode } from '#src/errors.ts';
import type { Intent } from './intent.ts';
import type { PlanInputs } from './inputs.ts';
import { MARKS, type Documents } from './documents.ts';

/*
 * The rights that the steps of a run need (ADR 0072). A plan that is shown asks for each document. A run asks a tree for some
 * documents of each folder, because a server looks at every policy for every path: one that is denied makes it ask for each of
 * its folder. What no question found, the refused request itself shows, in the same row.
 */

/** Folders that a run asks about first. */
const FOLDERS_IN_SAMPLE = 32;

/** Checks in both backends the rights that the steps of these documents need. By number: why a document is denied. */
export async function askRights(
  {
    intent,
    source,
    destination,
    prior,
    signal,
  }: Pick<PlanInputs, 'intent' | 'source' | 'destination' | 'prior' | 'signal'>,
  documents: Documents,
): Promise<ReadonlyMap<number, Refusal>> {
  const denied = new Map<number, Refusal>();
  if (intent.dryRun && documents.size === 0) return denied;
  const isFenced = source.claims !== undefined;
  const copies = needsOf(documents, (item, name) => ({
    address: documents.destinationAt(item),
    isDoubted: prior.get(name)?.reason === 'PermissionDenied',
    verbs: copyVerbs(intent, documents, item),
  }));
  const removals = needsOf(documents, (item, name) => ({
    address: documents.sourceAt(item),
    verbs: removalVerbs(intent, name, isFenced),
  }));
  const ask = intent.dryRun ? askEach : askSome;
  const atDestination = await ask(destination, copies, signal);
  const atSource = await ask(source, removals, signal);
  if (atDestination.size === 0 && atSource.size === 0) return denied;
  for (const item of documents.with()) {
    const refusal =
      atDestination.get(documents.destinationAt(item)) ?? atSource.get(documents.sourceAt(item));
    if (refusal !== undefined) denied.set(item, refusal);
  }
  return denied;
}

/** Made one at a time, as often as somebody iterates; without those of documents that need no right. */
function needsOf(
  documents: Documents,
  needOf: (item: number, name: string) => DoubtedNeed,
): Iterable<DoubtedNeed> {
  return repeatable(function* needs() {
    for (const item of documents.with()) {
      const need = needOf(item, documents.nameAt(item));
      if (need.verbs.length > 0) yield need;
    }
  });
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

async function askEach(
  reader: Pick<Reader, 'denied'>,
  needs: Iterable<Need>,
  signal: AbortSignal,
): Promise<ReadonlyMap<Address, Refusal>> {
  return isEmpty(needs) ? new Map() : reader.denied(needs, signal);
}

interface DoubtedNeed extends Need {
  /** An earlier run found that a right is missing. */
  readonly isDoubted?: boolean;
}

/** Where an answer costs a request or nothing for all addresses (a namespace, files), each of them is asked for. */
async function askSome(
  reader: Pick<Reader, 'denied' | 'traits'>,
  needs: Iterable<DoubtedNeed>,
  signal: AbortSignal,
): Promise<ReadonlyMap<Address, Refusal>> {
  const { addressing, isLocal } = reader.traits;
  if (addressing === 'flat' || isLocal === true) return askEach(reader, needs, signal);
  const { doubted, groups } = groupsIn(needs);
  const first = new Set(spread([...groups.keys()], FOLDERS_IN_SAMPLE));
  const sample = [...groups].filter(([key]) => first.has(key)).flatMap(([, ends]) => ends);
  const found = await askEach(reader, [...doubted, ...sample], signal);
  if (found.size === 0) return found;
  const others = [...groups].filter(([key]) => !first.has(key)).flatMap(([, ends]) => ends);
  const more = await askEach(reader, others, signal);
  const denied = new Map([...found, ...more]);
  const isDenied = (key: string): boolean =>
    groups.get(key)?.some(({ address }) => denied.has(address)) === true;
  const rest = repeatable(function* needsOfDenied() {
    for (const need of needs) {
      if (need.isDoubted === true || !isDenied(groupOf(need))) continue;
      if (groups.get(groupOf(need))?.some(({ address }) => address === need.address) !== true) yield need;
    }
  });
  return new Map([...denied, ...(await askEach(reader, rest, signal))]);
}

/** The first and the last need of each folder with these verbs: a rule for names with a common beginning rarely has both. */
function groupsIn(needs: Iterable<DoubtedNeed>): {
  readonly doubted: readonly Need[];
  readonly groups: ReadonlyMap<string, readonly Need[]>;
} {
  const doubted: Need[] = [];
  const groups = new Map<string, Need[]>();
  for (const need of needs) {
    if (need.isDoubted === true) {
      doubted.push(need);
      continue;
    }
    const ends = groups.get(groupOf(need));
    if (ends === undefined) groups.set(groupOf(need), [need]);
    else ends[1] = need;
  }
  return { doubted, groups };
}

function groupOf({ address, verbs }: Need): string {
  return [folderOf(address), ...verbs].join('\n');
}

/** At most `most` of them, from the whole list. */
function spread<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, index) => all[Math.floor((index * all.length) / most)]).filter(
    (each) => each !== undefined,
  );
}

/** A copy that is only read needs no question: it is read before anything is written, and the read answers. */
function copyVerbs(intent: Intent, documents: Documents, item: number): Need['verbs'] {
  if (documents.is(item, MARKS.recorded)) return [];
  if (!documents.is(item, MARKS.taken)) return WRITING.create;
  if (intent.policyOf(documents.nameAt(item)).conflictPolicy === 'Overwrite') return WRITING.update;
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
