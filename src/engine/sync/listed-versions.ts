import type { Address, Version } from '#src/core/document.ts';
import type { RecordedVersion } from '#src/core/outcome.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import type { BySide, Side } from '#src/core/sync/observed.ts';
import type { PlanInputs } from '../plan/inputs.ts';

/**
 * Which documents the listings of an inventory show in the versions of their rows, where these listings show versions: then no
 * other listing is needed for them. Keeps no version.
 */
export class ListedVersions {
  readonly #recorded: BySide<ReadonlyMap<Address, RecordedVersion>>;
  readonly #found: BySide<Map<Address, boolean>> = { source: new Map(), destination: new Map() };

  constructor({ intent: { route }, prior }: Pick<PlanInputs, 'intent' | 'prior'>) {
    const source = new Map<Address, RecordedVersion>();
    const destination = new Map<Address, RecordedVersion>();
    for (const row of prior.values()) {
      if (row.state !== 'Verified') continue;
      if (row.source !== undefined && row.source.path === undefined)
        source.set(route.sourceOf(row.name), row.source);
      if (row.destination !== undefined) destination.set(row.destination.path, row.destination);
    }
    this.#recorded = { source, destination };
  }

  /** A listing shows this version. */
  note(side: Side, address: Address, version: Version): void {
    const recorded = this.#recorded[side].get(address);
    if (recorded !== undefined) this.#found[side].set(address, isRecorded(recorded, version));
  }

  /** By address: true where the version is the recorded one. Undefined if the listings of this side show no versions. */
  at(side: Side): ReadonlyMap<Address, boolean> | undefined {
    const found = this.#found[side];
    return found.size === 0 ? undefined : found;
  }
}
