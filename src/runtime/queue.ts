import type { Clock, Labels, Metrics } from '#src/ports.ts';
import { DelayHeap } from './delay-heap.ts';
import { Lanes, type Priority, type Sharing } from './lanes.ts';
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

/** As controller-runtime shows its priorities: handler.LowPriority is -100. */
const SHOWN_PRIORITY: Readonly<Record<Priority, string>> = { normal: '0', low: '-100' };

/** How often the gauges of unfinished work are updated while there is some. */
const UNFINISHED_TICK_MS = 500;

/**
 * Keys to process, with the semantics of client-go's workqueue: a key is queued at most once however often it is added; a
 * key that is being processed is not handed out a second time, but queued again when it is `done`.
 *
 *     add ──► queued ──get──► processing ──done──► gone, or queued again if it was added meanwhile
 *
 * Other than there, groups of keys take turns, no group has more keys in process than it may, and each has retries of its
 * own: however many keys a group adds, and however long they take, a key of another group comes next. And keys have
 * priorities: what nobody waits for (the first list after a start, a retry) does not delay what somebody just changed.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #labels: Labels;
  readonly #limiter: RetryLimiter;
  /** Keys that need work, each with the time since when; queued unless they are also being processed. */
  readonly #dirty = new Map<string, number>();
  /** Those of low priority. */
  readonly #low = new Set<string>();
  readonly #processing = new Map<string, number>();
  readonly #queued: Lanes;
  readonly #waitingUntil = new Map<string, number>();
  readonly #heap = new DelayHeap();
  readonly #takers: (() => void)[] = [];
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #cancelTick: (() => void) | undefined;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#labels = { name: options.name, controller: options.name };
    const { clock, limits = DEFAULT_RETRY_LIMITS, sharing = UNSHARED } = options;
    this.#queued = new Lanes(sharing);
    this.#limiter = new RetryLimiter(limits, clock, sharing.groupOf);
    this.#metrics.count('workqueue_adds_total', this.#labels, 0);
    this.#metrics.count('workqueue_retries_total', this.#labels, 0);
    this.#reportDepth();
    this.#reportUnfinished();
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#waitingOf(this.#dirty);
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
    this.#metrics.count('workqueue_adds_total', this.#labels);
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
    this.#metrics.count('workqueue_retries_total', this.#labels);
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

  /** The next key, once there is one; undefined when the queue is closed. The caller must call `done` for every key. */
  async take(): Promise<string | undefined> {
    while (!this.#closed) {
      const key = this.#next();
      if (key !== undefined) return key;
      await new Promise<void>((resolve) => this.#takers.push(resolve));
    }
    return undefined;
  }

  done(key: string): void {
    const startedAt = this.#processing.get(key);
    if (startedAt === undefined) return;
    this.#processing.delete(key);
    this.#metrics.observe('workqueue_work_duration_seconds', this.#labels, this.#secondsSince(startedAt));
    this.#reportUnfinished();
    if (this.#closed) return;
    if (this.#queued.end(key)) this.#takers.shift()?.();
    if (this.#dirty.has(key)) this.#offer(key);
  }

  /** Hands out no more keys, drops those that wait and releases all takers. Keys in process continue until `done`. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#cancelTick?.();
    this.#dirty.clear();
    this.#low.clear();
    this.#waitingUntil.clear();
    this.#reportDepth();
    for (const wake of this.#takers.splice(0)) wake();
  }

  #offer(key: string): void {
    this.#queued.push(key, this.#low.has(key) ? 'low' : 'normal');
    this.#reportDepth();
    this.#takers.shift()?.();
  }

  #next(): string | undefined {
    const key = this.#queued.shift();
    const since = key === undefined ? undefined : this.#dirty.get(key);
    if (key === undefined || since === undefined) return undefined;
    this.#dirty.delete(key);
    this.#low.delete(key);
    this.#processing.set(key, this.#clock.monotonic());
    this.#metrics.observe('workqueue_queue_duration_seconds', this.#labels, this.#secondsSince(since));
    this.#reportDepth();
    this.#tick();
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

  #tick(): void {
    if (this.#cancelTick !== undefined) return;
    this.#cancelTick = this.#clock.schedule(UNFINISHED_TICK_MS, () => {
      this.#cancelTick = undefined;
      this.#reportUnfinished();
      if (this.#processing.size > 0) this.#tick();
    });
  }

  #reportDepth(): void {
    // controller-runtime has this label on the depth only.
    const low = this.#waitingOf(this.#low);
    const depths = { low, normal: this.depth - low };
    for (const priority of ['normal', 'low'] as const)
      this.#metrics.gauge(
        'workqueue_depth',
        { ...this.#labels, priority: SHOWN_PRIORITY[priority] },
        depths[priority],
      );
  }

  #reportUnfinished(): void {
    const seconds = [...this.#processing.values()].map((startedAt) => this.#secondsSince(startedAt));
    const total = seconds.reduce((sum, each) => sum + each, 0);
    this.#metrics.gauge('workqueue_unfinished_work_seconds', this.#labels, total);
    this.#metrics.gauge(
      'workqueue_longest_running_processor_seconds',
      this.#labels,
      seconds.reduce((longest, each) => Math.max(longest, each), 0),
    );
  }

  #secondsSince(startedAt: number): number {
    return (this.#clock.monotonic() - startedAt) / 1000;
  }
}
