import type { Clock, Metrics } from '#src/ports.ts';
import { DelayHeap } from './delay-heap.ts';
import { Lanes, type Priority, type Sharing, type WaitingGroup } from './lanes.ts';
import { QueueMetrics } from './queue-metrics.ts';
import { DEFAULT_RETRY_LIMITS, RetryLimiter, type RetryLimits } from './retry-limiter.ts';

export interface WorkQueueOptions {
  /** Label `name` and `controller` of the metrics. */
  readonly name: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly limits?: RetryLimits;
  /** Default: all keys are one group, which may have every worker. */
  readonly sharing?: Sharing;
}

const UNSHARED: Sharing = { groupOf: () => '', mostPerGroup: Number.POSITIVE_INFINITY };

/**
 * Keys to process, with the semantics of client-go's workqueue: a key is queued at most once however often it is added; a
 * key that is being processed is not handed out a second time, but queued again when it is `done`.
 *
 *     add ──► queued ──get──► processing ──done──► gone, or queued again if it was added meanwhile
 *
 * Other than there, groups of keys take turns, no group has more keys in process than it may, and each has retries of its
 * own: however many keys a group adds, and however long they take, a key of another group comes next. And keys have
 * priorities: what nobody waits for (the first list after a start, a retry) does not delay what somebody just changed.
 *
 * A key in process can give its place up, and waits for its turn to go on as the keys wait that were not begun:
 *
 *     processing ──release──► processing without a place ──resume──► queued ──its turn──► processing
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #metrics: QueueMetrics;
  readonly #limiter: RetryLimiter;
  readonly #sharing: Sharing;
  /** Keys that need work, each with the time since when; queued unless they are also being processed. */
  readonly #dirty = new Map<string, number>();
  /** Those of low priority. */
  readonly #low = new Set<string>();
  readonly #processing = new Map<string, number>();
  readonly #queued: Lanes;
  readonly #waitingUntil = new Map<string, number>();
  readonly #heap = new DelayHeap();
  readonly #takers: (() => void)[] = [];
  /** Keys in process without a place. */
  readonly #released = new Set<string>();
  /** Those of them that wait for one, each with what keeps the taker until it is free again. */
  readonly #resuming = new Map<string, () => Promise<void>>();
  #onWait: () => void = () => undefined;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#metrics = new QueueMetrics({ ...options, processing: this.#processing });
    const { clock, limits = DEFAULT_RETRY_LIMITS, sharing = UNSHARED } = options;
    this.#sharing = sharing;
    this.#queued = new Lanes(sharing);
    this.#limiter = new RetryLimiter(limits, clock, sharing.groupOf);
    this.#reportDepth();
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#waitingOf(this.#dirty) + this.#resuming.size;
  }

  /** True if somebody waits for a key. */
  get hasFreeWorker(): boolean {
    return this.#takers.length > 0;
  }

  groupOf(key: string): string {
    return this.#sharing.groupOf(key);
  }

  /** The groups with keys that wait. */
  waiting(): Iterable<WaitingGroup> {
    return this.#closed ? [] : this.#queued.waiting();
  }

  /** `told` is called when a key begins to wait. */
  onWait(told: () => void): void {
    this.#onWait = told;
  }

  #waitingOf(keys: ReadonlyMap<string, unknown> | ReadonlySet<string>): number {
    let depth = keys.size;
    for (const key of this.#processing.keys()) if (keys.has(key)) depth -= 1;
    return depth;
  }

  /** A key that waits with low priority and is added with a normal one has that from then on. */
  add(key: string, priority: Priority = 'normal'): void {
    if (this.#closed) return;
    if (this.#dirty.has(key)) {
      if (priority === 'normal') this.promote(key);
      return;
    }
    this.#dirty.set(key, this.#clock.monotonic());
    if (priority === 'low') this.#low.add(key);
    this.#metrics.added();
    if (!this.#processing.has(key)) this.#offer(key);
  }

  /** Gives normal priority to a key that waits with low priority; adds nothing. */
  promote(key: string): void {
    if (!this.#low.delete(key) || this.#processing.has(key)) return;
    this.#queued.promote(key);
    this.#reportDepth();
  }

  /** Adds the key after `ms`, unless an earlier time is already planned; with low priority, unless it is due at once. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.monotonic() + ms;
    if ((this.#waitingUntil.get(key) ?? Number.POSITIVE_INFINITY) <= at) return;
    this.#waitingUntil.set(key, at);
    this.#heap.push({ key, at });
    this.#armTimer();
  }

  /** Adds the key after its back-off, and not before `atLeastMs`. */
  addRateLimited(key: string, atLeastMs = 0): void {
    this.#metrics.retried();
    this.addAfter(key, Math.max(atLeastMs, this.#limiter.nextMs(key)));
  }

  /** The key succeeded: its back-off starts again with its next failure. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** Failures of the key since the last `forget`. */
  failures(key: string): number {
    return this.#limiter.failures(key);
  }

  /**
   * The next key that was not begun, once there is one; undefined when the queue is closed. The caller must call `done` for
   * every key. Meanwhile it serves keys that go on: it has no other one before such a key is done or gives its place up.
   */
  async take(): Promise<string | undefined> {
    while (!this.#closed) {
      const key = this.#queued.shift();
      const attend = key === undefined ? undefined : this.#resuming.get(key);
      if (key === undefined) await new Promise<void>((resolve) => this.#takers.push(resolve));
      else if (attend === undefined) return this.#begin(key);
      else await this.#goOn(key, attend);
    }
    return undefined;
  }

  /** A key in process gives its place up; it stays in process. */
  release(key: string): void {
    if (!this.#processing.has(key) || this.#released.has(key)) return;
    this.#released.add(key);
    if (this.#queued.end(key)) this.#takers.shift()?.();
  }

  /**
   * A key that gave its place up waits for another one. `attend` is called when its turn comes, and at once when the queue is
   * closed; it resolves when the place is free again.
   */
  resume(key: string, attend: () => Promise<void>): void {
    if (this.#closed) void attend();
    if (this.#closed || !this.#released.has(key)) return;
    this.#resuming.set(key, attend);
    this.#queued.resume(key);
    this.#wakeOne();
  }

  /** A key does not wait for a place any more. */
  withdraw(key: string): void {
    if (!this.#resuming.delete(key)) return;
    this.#queued.withdraw(key);
    this.#reportDepth();
  }

  done(key: string): void {
    const startedAt = this.#processing.get(key);
    if (startedAt === undefined) return;
    this.withdraw(key);
    this.#processing.delete(key);
    const hadPlace = !this.#released.delete(key);
    this.#metrics.ended(startedAt);
    if (this.#closed) return;
    if (hadPlace && this.#queued.end(key)) this.#takers.shift()?.();
    if (this.#dirty.has(key)) this.#offer(key);
  }

  /** Hands out no more keys, drops those that wait and releases all takers. Keys in process continue until `done`. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#metrics.close();
    this.#dirty.clear();
    this.#low.clear();
    this.#waitingUntil.clear();
    this.#reportDepth();
    for (const wake of this.#takers.splice(0)) wake();
  }

  #offer(key: string): void {
    this.#queued.push(key, this.#low.has(key) ? 'low' : 'normal');
    this.#wakeOne();
  }

  #wakeOne(): void {
    this.#reportDepth();
    this.#takers.shift()?.();
    this.#onWait();
  }

  async #goOn(key: string, attend: () => Promise<void>): Promise<void> {
    this.#resuming.delete(key);
    this.#released.delete(key);
    this.#reportDepth();
    await attend();
  }

  #begin(key: string): string {
    const since = this.#dirty.get(key) ?? this.#clock.monotonic();
    this.#dirty.delete(key);
    this.#low.delete(key);
    this.#processing.set(key, this.#clock.monotonic());
    this.#metrics.began(since);
    this.#reportDepth();
    return key;
  }

  #armTimer(): void {
    const earliest = this.#heap.earliest;
    if (earliest === undefined || (this.#timer !== undefined && this.#timer.at <= earliest.at)) return;
    this.#timer?.cancel();
    const cancel = this.#clock.schedule(earliest.at - this.#clock.monotonic(), () => this.#addDue());
    this.#timer = { at: earliest.at, cancel };
  }

  #addDue(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (
      let entry = this.#heap.earliest;
      entry !== undefined && entry.at <= now;
      entry = this.#heap.earliest
    ) {
      this.#heap.pop();
      if (this.#waitingUntil.get(entry.key) !== entry.at) continue; // superseded by an earlier time
      this.#waitingUntil.delete(entry.key);
      this.add(entry.key, 'low');
    }
    this.#armTimer();
  }

  #reportDepth(): void {
    const low = this.#waitingOf(this.#low) + this.#resuming.size;
    this.#metrics.depth({ low, normal: this.depth - low });
  }
}
