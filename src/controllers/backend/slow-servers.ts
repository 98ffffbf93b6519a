import { exponentialMs } from '#src/io/retry-delay.ts';
import type { Clock } from '#src/ports.ts';

/** A failed probe that took longer than this kept a worker. */
const SLOW_MS = 3_000;
const PAUSES = { baseMs: 5_000, capMs: 300_000 };
/** Servers that are remembered; without the oldest one, it is only asked again earlier. */
const MAX_SERVERS = 10_000;

/** A server, as one tenant names it. */
export interface NamedServer {
  /** The namespace of the backend; empty for one of the cluster. */
  readonly tenant: string;
  readonly server: string;
}

interface Pause {
  readonly failures: number;
  /** Monotonic milliseconds. */
  readonly since: number;
  readonly until: number;
}

/**
 * Servers whose failed probes took long. Each is asked again after growing pauses, whichever backend of the tenant names
 * it. What one tenant found counts for that tenant only: nobody can make the server of another one look silent.
 */
export class SlowServers {
  readonly #clock: Clock;
  readonly #pauses = new Map<string, Pause>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the server may be asked, at most `mostMs` after it was; 0: now. */
  pauseMs(server: NamedServer, mostMs: number = PAUSES.capMs): number {
    const pause = this.#pauses.get(keyOf(server));
    if (pause === undefined) return 0;
    return Math.max(0, Math.min(pause.until, pause.since + mostMs) - this.#clock.monotonic());
  }

  answered(server: NamedServer): void {
    this.#pauses.delete(keyOf(server));
  }

  /** `tookMs`: how long the probe that failed took. A quick failure keeps nobody waiting and is not counted. */
  failed(server: NamedServer, tookMs: number): void {
    if (tookMs < SLOW_MS) return;
    const key = keyOf(server);
    const failures = (this.#pauses.get(key)?.failures ?? 0) + 1;
    this.#pauses.delete(key);
    const since = this.#clock.monotonic();
    this.#pauses.set(key, { failures, since, until: since + exponentialMs(PAUSES, failures) });
    const [oldest] = this.#pauses.keys();
    if (this.#pauses.size > MAX_SERVERS && oldest !== undefined) this.#pauses.delete(oldest);
  }
}

function keyOf({ server, tenant }: NamedServer): string {
  return `${tenant} ${server}`;
}
