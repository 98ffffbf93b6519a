import type { Refusal } from '#src/backends/refusal.ts';
import { InventoryCount } from '#src/core/inventory.ts';
import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { repeatable } from '#src/core/repeatable.ts';
import { OperatorError } from '#src/errors.ts';
import { leaveCredentials } from './credentials.ts';
import { discover } from './discovery.ts';
import { MARKS, type Documents } from './documents.ts';
import { requireSeparateEnds } from './ends.ts';
import { requireFolders } from './folders.ts';
import type { PlanInputs } from './inputs.ts';
import { isOfProblem, problemOutcome } from './listing-problems.ts';
import { SOURCE_MISSING } from './missing.ts';
import { missingNames, namesInSpec } from './names.ts';
import { listOccupancy } from './occupancy.ts';
import { isReservedNow, requireUnreserved, requireUnreservedBackups } from './reserved-names.ts';
import { askRights } from './rights.ts';
import { mapTargets, refuseCollisions, refuseCrossings, refusedOutcome } from './targets.ts';

/** What both backends have, by name, gathered once before any value is read. */
export interface Inventory {
  readonly documents: Documents;
  /**
   * What will not be processed, with the reason: what could not be listed, refused paths, collisions, missing labels or
   * rights.
   */
  readonly refused: Iterable<Outcome>;
  /** Names that an earlier run recorded and the source no longer lists. Made while somebody iterates. */
  readonly unlisted: Iterable<string>;
  /** Accounts for every document that the source lists. */
  readonly count: InventoryCount;
}

/**
 * Gathers names, maps them and checks the rights; reads no value and writes nothing. Throws `SPEC_INVALID` when the mapping
 * names an impossible folder, `NAME_RESERVED` when the migration uses a reserved name, `NAMESPACE_LEAVING` when the destination is being deleted, and `ENDS_NESTED` when the
 * migration would move its own copies.
 */
export async function takeInventory(inputs: PlanInputs): Promise<Inventory> {
  requireFolders(inputs);
  requireUnreservedBackups(inputs);
  requireUnreserved(inputs, namesInSpec(inputs));
  await requireStaying(inputs);
  const count = new InventoryCount();
  const { documents, problems } = await discover(inputs, count);
  const kept = leaveCredentials(inputs, documents);
  requireUnreserved(inputs, documents.allNamed());
  requireSeparateEnds(inputs, documents.allNamed());
  const unplaced = mapTargets(inputs, documents);
  const collided = refuseCollisions(inputs, documents);
  const crossed = refuseCrossings(inputs, documents);
  await listOccupancy(inputs, documents);
  const denied = await deniedIn(inputs, documents);
  const isListed = (name: string): boolean => problems.has(name) || documents.isNamed(name, MARKS.listed);
  const missing = missingNames(inputs, isListed);
  for (const name of missing) documents.mark(count.discover(name), MARKS.listed);
  return {
    documents,
    refused: [
      ...kept,
      ...missing.map((name) => refusedOutcome(name, SOURCE_MISSING)),
      ...[...problems].map(([name, each]) => problemOutcome(name, each)),
      ...unplaced,
      ...collided,
      ...crossed,
      ...denied,
    ],
    unlisted: repeatable(() => namesOfUnlisted(inputs, isListed)),
    count,
  };
}

/** Drops what is denied. A change of some documents is not worth questions about rights: each write is answered anyway. */
async function deniedIn(inputs: PlanInputs, documents: Documents): Promise<readonly Outcome[]> {
  if (inputs.only !== undefined) return [];
  const denied: ReadonlyMap<number, Refusal> = await askRights(inputs, documents);
  return [...denied].map(([item, refusal]) => {
    documents.drop(item);
    return refusedOutcome(documents.nameAt(item), refusal, documents.destinationAt(item));
  });
}

function* namesOfUnlisted(inputs: PlanInputs, isListed: (name: string) => boolean): Generator<string> {
  for (const prior of inputs.prior.values())
    if (!isListed(prior.name) && isUnlistedNow(inputs, prior)) yield prior.name;
}

function isUnlistedNow(inputs: PlanInputs, prior: PriorRecord): boolean {
  const { only } = inputs;
  if (only !== undefined && !only.has(prior.name)) return false;
  return !isReservedNow(inputs, prior) && !isOfProblem(inputs, prior);
}

async function requireStaying({
  destination,
  only,
  signal,
}: Pick<PlanInputs, 'destination' | 'only' | 'signal'>): Promise<void> {
  if (only === undefined && (await destination.isLeaving(signal)))
    throw new OperatorError('NAMESPACE_LEAVING', { op: 'engine.plan' });
}
