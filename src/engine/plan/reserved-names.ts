import type { Reader } from '#src/backends/driver.ts';
import type { Refusal } from '#src/backends/refusal.ts';
import type { Address } from '#src/core/document.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { OperatorError } from '#src/errors.ts';
import { activeFallback } from './fallback.ts';
import type { PlanInputs } from './inputs.ts';

/*
 * Listings omit reserved names, so that a selection never contains them. This file checks the other two cases: names in the
 * spec and targets of a mapping. A request with a reserved name is refused as a whole, before any value is read or written:
 * half a migration would be neither what the user requested nor no change.
 */

export interface NamedDocument {
  readonly name: string;
  readonly source: Address;
  readonly labels: Readonly<Record<string, string>>;
}

type Backends = Pick<PlanInputs, 'intent' | 'source' | 'destination'>;

/** Throws `NAME_RESERVED` when a run could access a reserved address for one of these, in either backend. No I/O. */
export function requireUnreserved(
  inputs: Backends & Pick<PlanInputs, 'clock'>,
  documents: Iterable<NamedDocument>,
): void {
  const { source, destination, intent } = inputs;
  const fallback = activeFallback(inputs);
  for (const document of documents) {
    const { name, labels } = document;
    requirePassable(source, document.source, name);
    if (fallback !== undefined) requirePassable(source, fallback.sourceOf(name), name);
    if (intent.policyOf(name).sourcePolicy === 'Backup' && source.backups !== undefined) {
      requirePassable(source, source.backups.addressOf(document.source), name);
    }
    const target = intent.route.destinationOf(name, labels);
    if ('path' in target) requirePassable(destination, target.path, name);
  }
}

/** The same for backups of earlier runs that are still to expire: none of them may be silently skipped. */
export function requireUnreservedBackups({
  intent,
  source,
  destination,
  prior,
}: Backends & Pick<PlanInputs, 'prior'>): void {
  if (intent.backupTtlMs === undefined) return;
  for (const record of prior.values()) {
    const { name, backup, state } = record;
    if (backup === undefined || state !== 'Removed') continue;
    // The name of a backup can differ from that of its document: in a directory it begins with a period.
    for (const address of [intent.route.sourceOf(name), backup]) requirePassable(source, address, name);
    if (record.destination !== undefined) requirePassable(destination, record.destination.path, name);
  }
}

/** True when an earlier run recorded an address that is reserved by now: we must no longer read it. */
export function isReservedNow({ intent, source, destination }: Backends, prior: PriorRecord): boolean {
  const address = prior.source?.path ?? intent.route.sourceOf(prior.name);
  const path = prior.destination?.path;
  return (
    reservationOf(source, address) !== undefined ||
    (path !== undefined && reservationOf(destination, path) !== undefined)
  );
}

function reservationOf(reader: Reader, address: Address): Refusal | undefined {
  const refusal = reader.addressRefusalOf(address);
  return refusal?.reason === 'ReservedName' ? refusal : undefined;
}

function requirePassable(reader: Reader, address: Address, name: string): void {
  const reservation = reservationOf(reader, address);
  if (reservation === undefined) return;
  throw new OperatorError('NAME_RESERVED', {
    op: 'engine.inventory',
    target: address === name ? name : `${name} at ${address}`,
    detail: reservation.message,
  });
}
