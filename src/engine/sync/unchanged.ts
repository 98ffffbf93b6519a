import type { Reader } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import type { RecordedVersion } from '#src/core/outcome.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { endsListing, isProblem } from '#src/backends/listing-problem.ts';
import { hasCode } from '#src/errors.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { PlannedDocument } from '../plan/plan.ts';

type Inputs = Pick<PlanInputs, 'intent' | 'source' | 'destination' | 'prior' | 'signal'>;

/**
 * The names of documents that are certainly in step: both stores list the versions in which they were last proven equal. No
 * value is read, so a whole pass over a large selection costs one listing for each side. What is not certain is read.
 */
export async function unchangedSince(
  inputs: Inputs,
  documents: readonly PlannedDocument[],
): Promise<ReadonlySet<string>> {
  const { intent, prior } = inputs;
  const folders = { source: intent.route.sourceFolder, destination: intent.route.destinationFolder };
  const proven = documents.filter(({ name }) => prior.get(name)?.state === 'Verified');
  if (proven.length === 0 || folders.destination === undefined) return new Set();
  const still = async (side: Side, folder: Address): Promise<ReadonlySet<string>> => {
    const recorded = new Map(
      proven.map((each) => [each[side], { name: each.name, row: prior.get(each.name)?.[side] }]),
    );
    return stillRecorded(inputs[side], { folder, recorded }, inputs.signal);
  };
  const atSource = await still('source', folders.source);
  const atDestination = await still('destination', folders.destination);
  return new Set([...atSource].filter((name) => atDestination.has(name)));
}

async function stillRecorded(
  reader: Pick<Reader, 'versions'>,
  {
    folder,
    recorded,
  }: {
    readonly folder: Address;
    readonly recorded: ReadonlyMap<
      Address,
      { readonly name: string; readonly row: RecordedVersion | undefined }
    >;
  },
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  try {
    for await (const listed of reader.versions({ folder }, signal)) {
      if (isProblem(listed) || listed.state !== 'present') continue;
      const known = recorded.get(listed.address);
      if (known !== undefined && isRecorded(known.row, listed.version)) names.add(known.name);
    }
  } catch (failure) {
    // Nothing is certain then, and each document is read.
    if (endsListing(failure, signal) && !hasCode(failure, 'SELECTION_TOO_LARGE')) throw failure;
    return new Set();
  }
  return names;
}
