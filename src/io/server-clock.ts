import type { Clock, ServerTime } from '#src/ports.ts';

/**
 * Milliseconds by which two clocks may differ. Machines that follow NTP differ by less than a second, and tokens and
 * certificates allow for a minute at most: half a minute is a clock that nobody sets.
 */
const TOLERANCE_MS = 30_000;
/** Replies that count. Their median decides: neither one odd reply nor two change what is known. */
const REPLIES = 5;
/** A slower reply says too little: its time can be from any moment since the request left. Milliseconds. */
const MAX_LATENCY_MS = 5_000;
/** `Date` has whole seconds (RFC 9110, 5.6.7): the server wrote it at most this much later. */
const DATE_RESOLUTION_MS = 1_000;

/** The last date that was parsed: it is the same for all replies of a second. */
let known = { date: '', time: Number.NaN };

/** Milliseconds since the epoch of a `Date`; NaN for anything else. */
export function timeOfDate(date: unknown): number {
  if (typeof date !== 'string') return Number.NaN;
  if (date !== known.date) known = { date, time: Date.parse(date) };
  return known.time;
}

/** The time of the server minus the own monotonic time, milliseconds: it lies between both. */
interface Offset {
  readonly least: number;
  readonly most: number;
}

/**
 * The wall clock of one server, as far as the `Date` of its replies tells it. It is kept relative to the monotonic clock,
 * so that a jump of the own wall clock shows at once, before another reply. A process that was suspended sees a difference
 * until new replies say otherwise.
 */
export class ServerClock implements ServerTime {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  /** The latest, oldest first. */
  #offsets: readonly Offset[] = [];

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock;
  }

  /** Takes the `Date` of a reply whose head has just arrived. `sentAt`: monotonic milliseconds when the request left. */
  note(date: unknown, sentAt: number): void {
    const time = timeOfDate(date);
    const arrivedAt = this.#clock.monotonic();
    if (Number.isNaN(time) || arrivedAt - sentAt > MAX_LATENCY_MS) return;
    const offset = { least: time - arrivedAt, most: time + DATE_RESOLUTION_MS - sentAt };
    this.#offsets = [...this.#offsets.slice(1 - REPLIES), offset];
  }

  /** Milliseconds by which the own wall clock is at least ahead, or (negative) behind; undefined before any reply. */
  skewMs(): number | undefined {
    const ownOffset = this.#clock.now() - this.#clock.monotonic();
    const skews = this.#offsets.map(({ least, most }) => outside(ownOffset, least, most));
    return skews.toSorted((left, right) => Math.abs(left) - Math.abs(right))[Math.floor(skews.length / 2)];
  }

  differs(): boolean {
    return Math.abs(this.skewMs() ?? 0) > TOLERANCE_MS;
  }
}

/** How far the value is above (positive) or below (negative) the range. */
function outside(value: number, least: number, most: number): number {
  if (value > most) return value - most;
  return Math.min(0, value - least);
}

/**
 * The clock, with the time of the server while both differ. For times that are recorded and compared later: a wrong clock
 * must not date a proof early.
 */
export function setBy(server: ServerClock, clock: Clock): Clock {
  return {
    now: () => clock.now() - (server.differs() ? (server.skewMs() ?? 0) : 0),
    monotonic: () => clock.monotonic(),
    sleep: async (ms, signal) => clock.sleep(ms, signal),
    schedule: (ms, run) => clock.schedule(ms, run),
  };
}
