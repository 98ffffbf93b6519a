import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf, hasCode, OperatorError } from '#src/errors.ts';
import { onAbort } from '#src/io/abort.ts';
import { Balance } from './balance.ts';
import { LeaderElector, type Lead, type LeaseOptions } from './lease.ts';
import { LeaseClient } from './lease-client.ts';
import { Leadership } from './leadership.ts';
import { COMMON_SLICE, leaseOfSlice, MOST_SLICES } from './slice-of.ts';
import { REFUSED_MS, SliceCount } from './slice-count.ts';
import type { SliceWork } from './slice-work.ts';
import type { Terms } from './terms.ts';

export interface SlicesOptions extends Pick<
  LeaseOptions,
  'client' | 'namespace' | 'identity' | 'clock' | 'random' | 'logger' | 'metrics'
> {
  /** Name of the Lease of the first slice. */
  readonly leaseName: string;
  readonly count: number;
  /** The mandate of this process, of which this adds and deletes the terms. */
  readonly terms: Terms;
  readonly work: SliceWork;
}

const LEASE_DURATION_MS = 15_000;
/** Between two looks at the Lease of another replica, where there are several: a takeover takes less than 20 s. */
const LOOK_PERIOD_MS = 3_000;
/** Between two looks at what this replica waits for, which comes within seconds. */
const AWAITED_PERIOD_MS = 250;
/** Between two looks at whether the slices are shared fairly. */
const BALANCE_PERIOD_MS = 2_000;
/** A Lease that was given away waits so long for the replica that asked for it. */
const RESERVED_MS = 6_000;
/**
 * The work, cut into slices that replicas share: each is a Lease, with the election of `LeaderElector`.
 *
 *     free, or its holder is gone ──► held ──a replica asks that has two slices less──► its work ends ──► given back
 *                                      └──not renewed in time──► LEASE_LOST: the process ends, with all that it holds
 *
 * A replica asks by an annotation of the Lease, and takes what is free at once: after a start or an end, shares are even within seconds.
 * Replicas that cut the work into another number of slices never work at the same time. With one slice it is the election of one
 * leader, request for request.
 */
export class Slices {
  readonly #options: SlicesOptions;
  /** Of all slices that there can be. */
  readonly #leases: readonly LeaseClient[];
  readonly #electors = new Map<number, LeaderElector>();
  readonly #balance: Balance;
  readonly #sliceCount: SliceCount;

  constructor(options: SlicesOptions) {
    this.#options = options;
    const { count, leaseName } = options;
    this.#leases = Array.from({ length: MOST_SLICES }, (_, slice) => {
      const name = leaseOfSlice(leaseName, slice);
      return new LeaseClient({ ...options, name, slices: count, leaseDurationMs: LEASE_DURATION_MS });
    });
    this.#sliceCount = new SliceCount({ ...options, leases: this.#leases });
    this.#balance = new Balance(this.#leases.slice(0, count), options.identity);
    for (let slice = 0; slice < count; slice += 1) this.#elector(slice, new Leadership(options));
  }

  /** For liveness: false when a slice is still held long after another replica may have taken it over. */
  get isHealthy(): boolean {
    return [...this.#electors.values()].every((elector) => elector.isHealthy);
  }

  /**
   * Competes for the slices until `signal` aborts. `lead` is the work on all that are held: it begins with the first one, and
   * all slices are released when it has ended. Throws `LEASE_LOST` if one could not be renewed: the process must exit immediately.
   */
  async run(signal: AbortSignal, lead: Lead): Promise<void> {
    const { count, terms } = this.#options;
    const ending = new AbortController();
    using _following = onAbort(signal, () => ending.abort(signal.reason));
    let work: Promise<void> | undefined;
    const begin = async (): Promise<void> => (work ??= this.#lead(lead, ending));
    const slices = Array.from({ length: count }, async (_, slice) =>
      this.#compete(slice, begin, ending.signal),
    );
    const balancing = count > 1 ? this.#keepBalance(ending.signal) : undefined;
    try {
      await Promise.race([Promise.all(slices), terms.lost]);
    } catch (thrown) {
      // Of the whole process: what it does for another slice may not go on either.
      if (hasCode(thrown, 'LEASE_LOST')) terms.end();
      ending.abort(thrown);
      work?.catch(() => undefined);
      throw thrown;
    } finally {
      ending.abort(signal.reason);
      await balancing;
      terms.end();
    }
  }

  /** The work on all slices. When it ends, whatever its cause, nothing is competed for any more. */
  async #lead(lead: Lead, ending: AbortController): Promise<void> {
    const { terms } = this.#options;
    try {
      await lead(ending.signal);
      ending.abort();
    } catch (thrown) {
      terms.end();
      const { target } = this.#lease(COMMON_SLICE);
      const detail = 'The work of the leader failed.';
      ending.abort(new OperatorError('LEASE_LOST', { op: 'lease.hold', target, detail }));
      throw thrown;
    }
  }

  async #compete(slice: number, begin: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const state = { hasEnded: false };
      const term = new Leadership({ ...this.#options, target: this.#lease(slice).target });
      const elector = this.#elector(slice, term);
      await elector.run(signal, async () => {
        if (await this.#sliceCount.mayWork(slice, signal))
          state.hasEnded = await this.#work(slice, term, begin);
      });
      if (state.hasEnded) return;
    }
  }

  #elector(slice: number, leadership: Leadership): LeaderElector {
    const { leaseName } = this.#options;
    const isCut = this.#options.count > 1;
    const elector = new LeaderElector({
      ...this.#options,
      name: leaseOfSlice(leaseName, slice),
      leadership,
      leaseDurationMs: LEASE_DURATION_MS,
      lease: this.#lease(slice),
      mayTake: () => this.#mayTake(slice),
      ...(isCut ? { standbyPeriodMs: () => this.#lookPeriodMs(slice) } : {}),
    });
    this.#electors.set(slice, elector);
    return elector;
  }

  /** Works on a slice until it is given away, or until all work has ended: true. */
  async #work(slice: number, term: Leadership, begin: () => Promise<void>): Promise<boolean> {
    const { terms, work } = this.#options;
    terms.add(term);
    work.open(slice);
    const away = this.#balance.take(slice);
    const hasEnded = await Promise.race([begin().then(() => true), away.then(() => false)]);
    if (hasEnded) {
      work.drop(slice);
    } else {
      await work.close(slice);
      this.#balance.gave(slice);
    }
    terms.delete(term);
    return hasEnded;
  }

  #mayTake(slice: number): boolean {
    const { count, identity } = this.#options;
    if (this.#sliceCount.isRefused || this.#sliceCount.awaitsFirst(slice)) return false;
    const { lastSeen, unchangedMs } = this.#lease(slice);
    const asker = lastSeen?.notes.asker;
    const isReserved = count > 1 && lastSeen?.record.holderIdentity === '' && asker !== undefined;
    return !isReserved || asker === identity || unchangedMs > RESERVED_MS;
  }

  #lookPeriodMs(slice: number): number {
    if (this.#sliceCount.isRefused) return REFUSED_MS;
    const { lastSeen } = this.#lease(slice);
    const isAwaited = this.#sliceCount.awaitsFirst(slice) || lastSeen?.notes.asker === this.#options.identity;
    return isAwaited ? AWAITED_PERIOD_MS : LOOK_PERIOD_MS;
  }

  async #keepBalance(signal: AbortSignal): Promise<void> {
    const { clock, logger, random } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(BALANCE_PERIOD_MS * (1 + random()), signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#balance.look({ timeoutMs: LEASE_DURATION_MS / 3, signal });
      } catch (thrown) {
        // A conflict is normal: the holder renewed it meanwhile, and the next look asks again.
        if (!signal.aborted) logger.debug('a slice was not asked for', logFieldsOf(errorOf(thrown)));
      }
    }
  }

  #lease(slice: number): LeaseClient {
    const lease = this.#leases[slice];
    if (lease === undefined) throw new RangeError(`there is no slice ${slice}`);
    return lease;
  }
}
