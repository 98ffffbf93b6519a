import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf } from '#src/errors.ts';
import type { Clock, Logger } from '#src/ports.ts';
import type { LeaseClient, RequestLimits } from './lease-client.ts';
import type { StoredLease } from './lease-record.ts';
import { COMMON_SLICE } from './slice-of.ts';

export interface SliceCountOptions {
  /** Of all slices that there can be: others may cut the work into more. */
  readonly leases: readonly LeaseClient[];
  /** Into how many slices this replica cuts the work. */
  readonly count: number;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly logger: Logger;
}

/** Before the next try, where others cut the work into another number of slices. */
export const REFUSED_MS = 5_000;
const TIMEOUT_MS = 5_000;

/**
 * Whether all that work cut the work into as many slices: with two numbers, two replicas would work on one namespace. The holder
 * of each Lease notes its number there. A work that is whole is noted only where it was cut before, so that one replica alone
 * reads no other Lease.
 */
export class SliceCount {
  readonly #options: SliceCountOptions;
  #refusedUntil = 0;
  #hasTold = false;

  constructor(options: SliceCountOptions) {
    this.#options = options;
  }

  /** True for a while after others were seen that cut the work otherwise. */
  get isRefused(): boolean {
    return this.#options.clock.monotonic() < this.#refusedUntil;
  }

  /** The first slice tells into how many the work is cut: no other one is taken before it. */
  awaitsFirst(slice: number): boolean {
    const { count, leases } = this.#options;
    return slice !== COMMON_SLICE && leases[COMMON_SLICE]?.lastSeen?.notes.slices !== count;
  }

  /**
   * Whether this replica may work on a slice whose Lease it has acquired. It is asked after that: of two replicas that both hold
   * a Lease and then look at all others, at least one sees the other.
   */
  async mayWork(slice: number, signal: AbortSignal): Promise<boolean> {
    const { clock, count, leases, logger } = this.#options;
    if (count === 1 && leases[slice]?.lastSeen?.notes.slices === undefined) return true;
    try {
      const other = await this.#findOther(slice, { timeoutMs: TIMEOUT_MS, signal });
      if (other === undefined) {
        leases[slice]?.settle();
        return true;
      }
      this.#tell(other);
    } catch (thrown) {
      if (signal.aborted) return false;
      logger.warn('slices were not compared', { slices: count, ...logFieldsOf(errorOf(thrown)) });
    }
    this.#refusedUntil = clock.monotonic() + REFUSED_MS;
    return false;
  }

  /** The Lease of a replica that cuts the work into another number of slices. */
  async #findOther(slice: number, limits: RequestLimits): Promise<LeaseClient | undefined> {
    const { count, leases } = this.#options;
    const seen = await Promise.all(leases.map(async (lease) => lease.read(limits)));
    const isCutOtherwise = (lease: LeaseClient, stored: StoredLease | undefined): boolean =>
      stored !== undefined && (stored.notes.slices ?? 1) !== count && !lease.isFree(stored.record);
    const other = leases.find((lease, index) => isCutOtherwise(lease, seen[index]));
    if (other !== undefined || slice === COMMON_SLICE) return other;
    return seen[COMMON_SLICE]?.notes.slices === count ? undefined : leases[COMMON_SLICE];
  }

  #tell({ target }: LeaseClient): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    this.#options.logger.info('standing by: another replica cuts the work into another number of slices', {
      lease: target,
      slices: this.#options.count,
      hint: 'No action needed during an update. Otherwise, give all replicas the same --slices.',
    });
  }
}
