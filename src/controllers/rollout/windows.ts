import type { Clock, ObjectReference } from '#src/ports.ts';

/** A Secret that the engine wrote with other bytes. */
export interface ChangedSecret {
  readonly namespace: string;
  readonly name: string;
  /** Names this state of the Secret: its resourceVersion. Never made of a value. */
  readonly revision: string;
  /** Whose spec asks for restarts: it is told if they are not possible. */
  readonly migration: ObjectReference;
}

/** Secrets of one namespace that changed together. */
export interface Batch {
  readonly namespace: string;
  /** Name → revision, the last one of each. */
  readonly secrets: Map<string, string>;
  /** By uid. */
  readonly migrations: Map<string, ObjectReference>;
  /** How often it was tried. */
  failures: number;
}

export interface Window {
  /** A batch ends this long after its last change, milliseconds … */
  readonly quietMs: number;
  /** … and at the latest this long after its first. */
  readonly mostMs: number;
}

interface Open {
  readonly batch: Batch;
  readonly firstAt: number;
  cancel: () => void;
}

/** Collects changes by namespace until they are due. A namespace that is worked on is not due again before that is done. */
export class Windows {
  readonly #clock: Clock;
  readonly #window: Window;
  readonly #onDue: () => void;
  readonly #open = new Map<string, Open>();
  /** In the order in which they became due. */
  readonly #due = new Set<string>();
  readonly #working = new Set<string>();

  constructor(clock: Clock, window: Window, onDue: () => void) {
    this.#clock = clock;
    this.#window = window;
    this.#onDue = onDue;
  }

  add({ namespace, name, revision, migration }: ChangedSecret): void {
    const open = this.#openIn(namespace);
    open.batch.secrets.set(name, revision);
    open.batch.migrations.set(migration.uid, migration);
    const leftMs = open.firstAt + this.#window.mostMs - this.#clock.monotonic();
    this.#arm(open, Math.min(this.#window.quietMs, leftMs));
  }

  /** What is due first, for `done` or `putBack` later. */
  take(): Batch | undefined {
    for (const namespace of this.#due) {
      const open = this.#open.get(namespace);
      if (open === undefined || this.#working.has(namespace)) continue;
      open.cancel();
      this.#open.delete(namespace);
      this.#due.delete(namespace);
      this.#working.add(namespace);
      return open.batch;
    }
    return undefined;
  }

  done({ namespace }: Batch): void {
    this.#working.delete(namespace);
    if (this.#due.has(namespace)) this.#onDue();
  }

  /** To be tried again after `delayMs`; newer changes of its Secrets count. */
  putBack(batch: Batch, delayMs: number): void {
    const isNew = !this.#open.has(batch.namespace);
    const open = this.#openIn(batch.namespace);
    const { secrets, migrations } = open.batch;
    for (const [name, revision] of batch.secrets) if (!secrets.has(name)) secrets.set(name, revision);
    for (const [uid, migration] of batch.migrations) migrations.set(uid, migration);
    open.batch.failures = batch.failures;
    if (isNew) this.#arm(open, delayMs);
    this.done(batch);
  }

  /** All that was collected is due now. */
  closeAll(): void {
    for (const open of this.#open.values()) this.#close(open);
  }

  /** Forgets all that was collected; how many Secrets that were. */
  drop(): number {
    const secrets = [...this.#open.values()].reduce((sum, { batch }) => sum + batch.secrets.size, 0);
    for (const { cancel } of this.#open.values()) cancel();
    this.#open.clear();
    this.#due.clear();
    return secrets;
  }

  #openIn(namespace: string): Open {
    const known = this.#open.get(namespace);
    if (known !== undefined) return known;
    const batch = { namespace, secrets: new Map(), migrations: new Map(), failures: 0 };
    const open = { batch, firstAt: this.#clock.monotonic(), cancel: (): void => undefined };
    this.#open.set(namespace, open);
    return open;
  }

  #arm(open: Open, afterMs: number): void {
    open.cancel();
    open.cancel = this.#clock.schedule(Math.max(0, afterMs), () => this.#close(open));
  }

  #close(open: Open): void {
    open.cancel();
    this.#due.add(open.batch.namespace);
    this.#onDue();
  }
}
