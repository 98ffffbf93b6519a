import type { Refusal } from '#src/backends/refusal.ts';
import type { Address } from '#src/core/document.ts';
import { InventoryCount } from '#src/core/inventory.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { OperatorError } from '#src/errors.ts';
import { withoutCredentials } from './credentials.ts';
import { discover } from './discovery.ts';
import { requireSeparateEnds } from './ends.ts';
import { requireFolders } from './folders.ts';
import type { PlanInputs } from './inputs.ts';
import { isOfProblem, problemOutcome } from './listing-problems.ts';
import { SOURCE_MISSING } from './missing.ts';
import { missingNames, namesInSpec } from './names.ts';
import { listOccupancy, type Occupancy } from './occupancy.ts';
import type { PlannedDocument } from './plan.ts';
import { isReservedNow, requireUnreserved, requireUnreservedBackups } from './reserved-names.ts';
import { askRights } from './rights.ts';
import { mapTargets, refuseCollisions, refuseCrossings, refusedOutcome, type Mapped } from './targets.ts';

/** What both backends have, by name, gathered once before any value is read. */
export interface Inventory {
  readonly documents: readonly PlannedDocument[];
  /**
   * What will not be processed, with the reason: what could not be listed, refused paths, collisions, missing labels or
   * rights.
   */
  readonly refused: readonly Outcome[];
  /** Names that an earlier run recorded and the source no longer lists. */
  readonly unlisted: readonly string[];
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
  const selected = await discover(inputs, count);
  const { documents, kept } = withoutCredentials(inputs, selected.documents);
  requireUnreserved(inputs, documents);
  requireSeparateEnds(inputs, documents);
  const targets = mapTargets(inputs, documents);
  const distinct = refuseCollisions(inputs, targets.mapped);
  const alone = refuseCrossings(inputs, distinct.mapped);
  const occupancy = await listOccupancy(inputs, alone.mapped);
  const denied = await deniedIn(inputs, alone.mapped, occupancy);
  const listed = new Set([...selected.documents.map(({ name }) => name), ...selected.problems.keys()]);
  const missing = missingNames(inputs, listed);
  for (const name of missing) count.discover(name);
  return {
    documents: alone.mapped
      .filter(({ name }) => !denied.has(name))
      .map((document) => ({ ...document, isNew: occupancy(document.destination) === 'free' })),
    refused: [
      ...kept,
      ...missing.map((name) => refusedOutcome(name, SOURCE_MISSING)),
      ...[...selected.problems].map(([name, each]) => problemOutcome(name, each)),
      ...targets.refused,
      ...distinct.refused,
      ...alone.refused,
      ...alone.mapped.flatMap(({ name, destination }) => {
        const refusal = denied.get(name);
        return refusal === undefined ? [] : [refusedOutcome(name, refusal, destination)];
      }),
    ],
    unlisted: namesOfUnlisted(inputs, new Set([...listed, ...missing])),
    count,
  };
}

/** A change of some documents is not worth questions about rights: each write is answered anyway. */
async function deniedIn(
  inputs: PlanInputs,
  documents: readonly Mapped[],
  occupancy: (address: Address) => Occupancy,
): Promise<ReadonlyMap<string, Refusal>> {
  return inputs.only === undefined ? askRights(inputs, documents, occupancy) : new Map<string, Refusal>();
}

function namesOfUnlisted(inputs: PlanInputs, listed: ReadonlySet<string>): readonly string[] {
  const { only } = inputs;
  return [...inputs.prior.values()]
    .filter(({ name }) => !listed.has(name) && (only === undefined || only.has(name)))
    .filter((prior) => !isReservedNow(inputs, prior) && !isOfProblem(inputs, prior))
    .map(({ name }) => name);
}

async function requireStaying({
  destination,
  only,
  signal,
}: Pick<PlanInputs, 'destination' | 'only' | 'signal'>): Promise<void> {
  if (only === undefined && (await destination.isLeaving(signal)))
    throw new OperatorError('NAMESPACE_LEAVING', { op: 'engine.plan' });
}
