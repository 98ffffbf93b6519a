import type { ReadOutcome } from '#src/backends/driver.ts';
import type { ReadResult, StoredDocument } from '#src/core/document.ts';
import type { Outcome, VerifiedPair } from '#src/core/outcome.ts';
import { isNamedInVain, typeIsSelected } from '#src/core/selection.ts';
import { forEachConcurrently } from './concurrency.ts';
import { copyDocument, type CopyOptions } from './copy-document.ts';
import { failedOutcome, isBackendWide } from './failure.ts';
import { accountForGone, outcomeOfRemoved } from './gone.ts';
import { gatherInventory, SOURCE_MISSING, type Inventory, type Item } from './inventory.ts';
import { removeSource } from './remove-source.ts';
import type { RunContext, RunResult } from './run-context.ts';

/** Times in rows are cut to whole seconds; a source must not go before its time. */
const ROW_TIME_RESOLUTION_MS = 1_000;

/**
 * One run of a migration, top to bottom:
 *
 *   gather names → refuse what cannot go → copy and prove each document
 *   → only with conflictPolicy Overwrite: make the record of what is there durable → overwrite and prove
 *   → make the record of that durable → remove the sources of documents that were proven and have soaked
 *
 * Any point may be the last one. The next run reads both stores again: an equal document is adopted, so nothing is
 * written twice; a source is removed only by a run that proved it in full, after its proof was recorded.
 */
export async function runMigration(context: RunContext): Promise<RunResult> {
  const run = new Run(context);
  const inventory = await gatherInventory(context);
  context.journal.expect(inventory.items.map(pending));
  for (const outcome of inventory.refused) await run.settle(outcome);
  await accountForGone(context, inventory.gone, (outcome) => run.settle(outcome));
  await run.copyAll(inventory);
  await run.overwriteAnnounced();
  if (context.intent.policy.sourcePolicy === 'Delete') await run.removeSoaked();
  return run.result();
}

class Run {
  readonly #context: RunContext;
  readonly #awaitOverwrite: { item: Item; announced: string }[] = [];
  readonly #proven: { pair: VerifiedPair; outcome: Outcome }[] = [];
  #problem: unknown;
  #interrupted = false;
  #wakeAfterMs: number | undefined;

  constructor(context: RunContext) {
    this.#context = context;
  }

  result(): RunResult {
    return {
      interrupted: this.#interrupted,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      ...(this.#wakeAfterMs === undefined ? {} : { wakeAfterMs: this.#wakeAfterMs }),
    };
  }

  async settle(outcome: Outcome): Promise<void> {
    await this.#context.journal.record(outcome);
  }

  /** Copies side by side, in the order in which the source yields; a document that fails does not stop the others. */
  async copyAll(inventory: Inventory): Promise<void> {
    const items = new Map(inventory.items.map((item) => [item.source, item]));
    const unread = new Map(items);
    const { source, signal } = this.#context;
    if (items.size > 0) {
      await forEachConcurrently(
        source.readMany([...items.keys()], signal),
        async (read) => {
          const item = unread.get(read.address);
          if (item === undefined) return;
          unread.delete(read.address);
          await this.#copyOne(item, read, inventory);
        },
        { limit: this.#limit('copy'), stop: () => this.#shouldStop() },
      );
    }
    if (this.#interrupted) return;
    for (const item of unread.values()) await this.settle(pending(item));
  }

  /** A copy works at the destination while the source yields in its own time; a removal reads both again. */
  #limit(work: 'copy' | 'removal'): number {
    const { concurrency, destination, source } = this.#context;
    const atSource = work === 'copy' ? Number.POSITIVE_INFINITY : source.traits.concurrency;
    return Math.max(1, Math.min(concurrency, destination.traits.concurrency, atSource));
  }

  #shouldStop(): boolean {
    this.#context.signal.throwIfAborted();
    if (this.#problem !== undefined) return true;
    if (this.#context.shouldStop()) this.#interrupted = true;
    return this.#interrupted;
  }

  async #copyOne(item: Item, read: ReadOutcome, inventory: Inventory): Promise<void> {
    if ('error' in read) {
      this.#notice(read.error);
      await this.settle(failedOutcome(baseOf(item), read.error));
      return;
    }
    if (read.result.state !== 'present') {
      const removed = await outcomeOfRemoved(this.#context, item.name);
      await this.settle(removed ?? unreadable(item, read.result));
      return;
    }
    const { document } = read.result;
    const { selection } = this.#context.intent;
    if (!typeIsSelected(selection, document.attributes.type)) {
      if (isNamedInVain(selection, document.attributes.type)) await this.settle(neverMigrated(item));
      return;
    }
    const known: ReadResult | undefined =
      inventory.taken?.has(item.destination) === false ? { state: 'absent' } : undefined;
    await this.#copyPresent(item, document, { known });
  }

  async #copyPresent(item: Item, document: StoredDocument, options: CopyOptions): Promise<void> {
    const copied = await copyDocument(this.#context, item, document, options);
    const { outcome, pair, failure } = copied;
    if (failure !== undefined) this.#notice(failure);
    if (pair !== undefined) this.#proven.push({ pair, outcome });
    if (copied.awaitsOverwrite !== undefined) {
      this.#awaitOverwrite.push({ item, announced: copied.awaitsOverwrite });
    }
    await this.settle(outcome);
  }

  /**
   * Overwrites what the copy met and left, now that what it holds is on record: a killed run can still say what was there.
   * What has another version by now is announced anew and waits for the next run.
   */
  async overwriteAnnounced(): Promise<void> {
    if (this.#awaitOverwrite.length === 0 || this.#shouldStop()) return;
    await this.#context.journal.flush();
    const awaiting = new Map(this.#awaitOverwrite.map((entry) => [entry.item.source, entry]));
    const { source, signal } = this.#context;
    await forEachConcurrently(
      source.readMany([...awaiting.keys()], signal),
      async (read) => {
        const entry = awaiting.get(read.address);
        if (entry === undefined || 'error' in read || read.result.state !== 'present') return; // Stays announced.
        const { item, announced } = entry;
        await this.#copyPresent(item, read.result.document, { known: undefined, announced });
      },
      { limit: this.#limit('copy'), stop: () => this.#shouldStop() },
    );
  }

  /** A failure of the whole backend ends the run: the remaining documents would only hammer it. */
  #notice(failure: unknown): void {
    if (isBackendWide(failure)) this.#problem ??= failure;
  }

  /** Removes only what was proven in this run, and only after the record of the proof is durable. */
  async removeSoaked(): Promise<void> {
    const waits = this.#proven.map(({ outcome }) => this.#soakLeft(outcome)).filter((left) => left > 0);
    if (waits.length > 0) this.#wakeAfterMs = Math.min(...waits);
    const due = this.#proven.filter(({ outcome }) => this.#soakLeft(outcome) <= 0);
    if (due.length === 0 || this.#shouldStop()) return;
    await this.#context.journal.flush();
    await forEachConcurrently(
      due,
      async ({ pair, outcome }) => {
        await this.settle(await removeSource(this.#context, pair, outcome));
      },
      { limit: this.#limit('removal'), stop: () => this.#shouldStop() },
    );
  }

  /** Counted from when an earlier run recorded this very destination version as Verified, else from now. */
  #soakLeft(outcome: Outcome): number {
    const { soakMs } = this.#context.intent;
    if (soakMs === 0) return 0;
    const prior = this.#context.journal.prior.get(outcome.name);
    const same = prior?.state === 'Verified' && prior.destination?.version === outcome.destination?.version;
    return same ? prior.since + ROW_TIME_RESOLUTION_MS + soakMs - this.#context.clock.now() : soakMs;
  }
}

function baseOf(item: Item): Omit<Outcome, 'state'> {
  return { name: item.name, keys: [], destination: { path: item.destination } };
}

function neverMigrated(item: Item): Outcome {
  const message =
    'Secrets of this type are never migrated: who moves them takes their rights. Remove it from spec.select.names.';
  return { ...baseOf(item), state: 'Failed', reason: 'TypeRefused', message, retry: 'later' };
}

function pending(item: Item): Outcome {
  return { ...baseOf(item), state: 'Pending', retry: 'soon' };
}

function unreadable(item: Item, found: ReadResult): Outcome {
  if (found.state !== 'deleted')
    return { ...baseOf(item), state: 'Failed', ...SOURCE_MISSING, retry: 'later' };
  return {
    ...baseOf(item),
    state: 'Skipped',
    reason: 'SourceDeleted',
    message: 'The source holds only a deleted version.',
    retry: 'later',
  };
}
