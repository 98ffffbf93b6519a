/** From this many requests at once on, nothing is held back. */
const ENOUGH = 64;

/**
 * How many requests may be under way at once after an outage: one, and one more for each that succeeds, so that their number
 * doubles in the time of a reply, until nothing is held back any more. Before the first outage nothing is.
 */
export class SlowStart {
  #most = Number.POSITIVE_INFINITY;
  #underWay = 0;
  /** Counts outages: a request that began before one says nothing about the server after it. */
  #round = 0;
  #changed = Promise.withResolvers<void>();

  /** The server answers again. */
  begin(): void {
    this.#most = 1;
    this.#underWay = 0;
    this.#round += 1;
  }

  /** Undefined if a request may begin now; else it resolves when that can have changed. */
  get wait(): Promise<void> | undefined {
    return this.#underWay < this.#most ? undefined : this.#changed.promise;
  }

  /** A request begins; call the result once, when it is over. */
  take(): (succeeded: boolean) => void {
    const round = this.#round;
    this.#underWay += 1;
    return (succeeded) => {
      if (round !== this.#round) return;
      this.#underWay -= 1;
      if (succeeded) this.#most = this.#most < ENOUGH ? this.#most + 1 : Number.POSITIVE_INFINITY;
      this.wake();
    };
  }

  /** Lets all that wait look again. */
  wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
