import { onAbort } from './abort.ts';
import { Deadline } from './deadline.ts';
import { FairLine } from './fair-line.ts';

/*
 * Who may use a connection now. Fixed parts would be unused whenever their owners are. Instead, each backend may use as many
 * connections as are still free (dynamic thresholds, as switches share their buffers): one backend alone gets half of all, and
 * n of them get one part in n + 1 each. Those that keep theirs for long leave less and less, so some more connections are
 * only for a tenant that has none.
 */

/** How often the free connections one tenant may use, with all of its backends: three quarters of all. */
const TENANT_TIMES = 3;
/** One more connection for so many, only for a tenant that has none. */
const FIRST_FOR = 8;

/** All connections where `most` are shared: these, and those for a tenant that has none. */
export function limitOf(most: number): number {
  return most + Math.ceil(most / FIRST_FOR);
}

/** Connections that are in use: of a server, or of the process. */
export class Used {
  total = 0;
  readonly byTenant = new Map<string, number>();

  of(tenant: string): number {
    return this.byTenant.get(tenant) ?? 0;
  }

  /** What this tenant may choose from. */
  freeFor(tenant: string, most: number): number {
    return (this.of(tenant) === 0 ? limitOf(most) : most) - this.total;
  }

  change(tenant: string, by: 1 | -1): void {
    this.total += by;
    const used = this.of(tenant) + by;
    if (used === 0) this.byTenant.delete(tenant);
    else this.byTenant.set(tenant, used);
  }
}

/** All connections to one server. */
export interface ServerShare {
  /** Shared by all that use it. */
  most: number;
  readonly used: Used;
}

/** What one backend uses of a server. */
export interface Share {
  readonly server: ServerShare;
  /** Tenants are kept from using up the connections of each other, whatever number of backends they have. */
  readonly tenant: string;
  used: number;
}

/** The connections that are in use, of all servers together. */
export class ConnectionShares {
  readonly #most: number;
  readonly #used = new Used();
  readonly #waiting = new FairLine<Share, () => void>();

  /** `limitOf(most)` connections are in use at once, at most. */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Resolves when the share may use one more connection; `give` it back. All deadlines that the signal follows stand still
   * meanwhile: what others use says nothing of the server. Rejects with the reason of the signal.
   */
  async take(share: Share, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.takeNow(share)) await this.#wait(share, signal);
  }

  /** Takes one if the share may use one more at once. */
  takeNow(share: Share): boolean {
    // Those that wait may not use one now, so none of them is overtaken.
    if (this.#waiting.has(share) || !this.#mayTake(share)) return false;
    this.#change(share, 1);
    return true;
  }

  give(share: Share): void {
    this.#change(share, -1);
    this.serve();
  }

  /** Grants what may be granted now: also after `most` of a server has changed. */
  serve(): void {
    for (const share of this.#waiting.groups()) {
      if (!this.#mayTake(share)) continue;
      const grant = this.#waiting.shiftOf(share);
      this.#change(share, 1);
      grant?.();
    }
  }

  async #wait(share: Share, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(share, resolve);
    using _paused = Deadline.pause(signal);
    using _following = onAbort(signal, () => {
      // If it was removed already, it was granted, and the promise is settled.
      if (this.#waiting.remove(share, resolve)) reject(signal.reason);
    });
    await promise;
  }

  #mayTake({ server, tenant, used }: Share): boolean {
    const free = server.used.freeFor(tenant, server.most);
    return (
      used < free &&
      server.used.of(tenant) < TENANT_TIMES * free &&
      this.#used.of(tenant) < TENANT_TIMES * this.#used.freeFor(tenant, this.#most)
    );
  }

  #change(share: Share, by: 1 | -1): void {
    share.used += by;
    share.server.used.change(share.tenant, by);
    this.#used.change(share.tenant, by);
  }
}
