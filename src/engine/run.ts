import type { ReadOutcome } from '#src/backends/driver.ts';
import type { ReadResult, StoredDocument } from '#src/core/document.ts';
import type { Outcome, VerifiedPair } from '#src/core/outcome.ts';
import { isAbort, isBackendWide } from '#src/errors.ts';
import { isNamedInVain, typeIsSelected } from '#src/core/selection.ts';
import { forEachConcurrently } from './concurrency.ts';
import { copyDocument, type CopyOptions } from './copy-document.ts';
import { expireBackups } from './expire-backups.ts';
import { fallbackHasEnded, readFallback } from './fallback.ts';
import { EXPIRED, failedOutcome } from './failure.ts';
import { accountForGone, outcomeOfRemoved } from './gone.ts';
import { gatherInventory, SOURCE_MISSING, type Inventory } from './inventory.ts';
import type { Item } from './item.ts';
import { requireUnreservedBackups } from './reserved-names.ts';
import { retireSource } from './retire-source.ts';
import { ROW_TIME_RESOLUTION_MS, type RunContext, type RunResult } from './run-context.ts';

/**
 * One run of a migration, top to bottom:
 *
 *   gather names → refuse what cannot go → copy and prove each document
 *   → only with conflictPolicy Overwrite: make the record of what is there durable → overwrite and prove
 *   → make the record of that durable → remove, keep as a backup or mark as projections the sources of documents that
 *     were proven and have soaked
 *
 * Any point may be the last one. The next run reads both stores again: an equal document is adopted, so nothing is
 * written twice; a source is removed only by a run that proved it in full, after its proof was recorded.
 */
export async function runMigration(context: RunContext): Promise<RunResult> {
  const run = new Run(context);
  const inventory = await gatherInventory(context);
  context.journal.expect(inventory.items.map((item) => run.ruled(pending(context, item))));
  for (const outcome of inventory.refused) await run.settle(outcome);
  await accountForGone(context, inventory.gone, (outcome) => run.settle(outcome));
  await run.copyAll(inventory);
  await run.overwriteAnnounced();
  await run.retireSoaked();
  await run.expireBackups();
  run.awaitEndOfFallback();
  return run.result();
}

/** What a migration that is done still has to do: its backups expire. Nothing is copied and no source is looked at. */
export async function keepUp(context: RunContext): Promise<RunResult> {
  const run = new Run(context);
  requireUnreservedBackups(context);
  await run.expireBackups();
  return run.result();
}

class Run {
  readonly #context: RunContext;
  readonly #awaitOverwrite: { item: Item; announced: string }[] = [];
  readonly #proven: { pair: VerifiedPair; outcome: Outcome }[] = [];
  #problem: unknown;
  #interrupted = false;
  #awaitsSoak = false;
  #wakeAfterMs: number | undefined;

  constructor(context: RunContext) {
    this.#context = context;
  }

  result(): RunResult {
    return {
      interrupted: this.#interrupted,
      awaitsSoak: this.#awaitsSoak,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      ...(this.#wakeAfterMs === undefined ? {} : { wakeAfterMs: this.#wakeAfterMs }),
    };
  }

  async settle(outcome: Outcome): Promise<void> {
    await this.#context.journal.record(this.ruled(outcome));
    const { backupTtlMs } = this.#context.intent;
    if (outcome.backup !== undefined && backupTtlMs !== undefined) this.#wakeIn(backupTtlMs);
  }

  #wakeIn(ms: number): void {
    this.#wakeAfterMs = Math.min(this.#wakeAfterMs ?? Number.POSITIVE_INFINITY, ms);
  }

  /** With the rule of the mapping that it falls under. */
  ruled(outcome: Outcome): Outcome {
    const rule = this.#context.intent.route.ruleOf(outcome.name);
    return rule === undefined ? outcome : { ...outcome, rule: rule.id };
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
          await this.#copyOne(item, read);
        },
        { limit: this.#limit('copy'), stop: () => this.#shouldStop() },
      );
    }
    if (this.#interrupted) return;
    for (const item of unread.values()) await this.settle(pending(this.#context, item));
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

  async #copyOne(item: Item, read: ReadOutcome): Promise<void> {
    if ('error' in read) {
      this.#notice(read.error);
      await this.settle(failedOutcome(baseOf(this.#context, item), read.error));
      return;
    }
    if (read.result.state === 'present') await this.#copySelected(item, read.result.document);
    else await this.#copyElsewhere(item, read.result);
  }

  /** Not there: removed by us, at its old address, or missing. */
  async #copyElsewhere(item: Item, found: ReadResult): Promise<void> {
    const removed = await outcomeOfRemoved(this.#context, item.name);
    if (removed !== undefined) return this.settle(removed);
    try {
      const old = found.state === 'absent' ? await readFallback(this.#context, item) : undefined;
      if (old !== undefined) return await this.#copySelected(old.item, old.document);
    } catch (failure) {
      if (isAbort(failure, this.#context.signal)) throw failure;
      this.#notice(failure);
      return this.settle(failedOutcome(baseOf(this.#context, item), failure));
    }
    return this.settle(unreadable(this.#context, item, found));
  }

  async #copySelected(item: Item, document: StoredDocument): Promise<void> {
    const { selection } = this.#context.intent;
    if (!typeIsSelected(selection, document.attributes.type)) {
      if (isNamedInVain(selection, document.attributes.type))
        await this.settle(neverMigrated(this.#context, item));
      return;
    }
    await this.#copyPresent(item, document, { known: item.isNew ? { state: 'absent' } : undefined });
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

  /** Does with sources what their policy says: only with what was proven in this run, and is durably on record as such. */
  async retireSoaked(): Promise<void> {
    const { intent } = this.#context;
    const leaving = this.#proven.filter(({ pair }) => intent.policyOf(pair.name).sourcePolicy !== 'Keep');
    const waits = leaving.map(({ outcome }) => this.#soakLeft(outcome)).filter((left) => left > 0);
    this.#awaitsSoak = waits.length > 0;
    for (const wait of waits) this.#wakeIn(wait);
    const due = leaving.filter(({ outcome }) => this.#soakLeft(outcome) <= 0);
    if (due.length === 0 || this.#shouldStop()) return;
    await this.#context.journal.flush();
    await forEachConcurrently(
      due,
      async ({ pair, outcome }) => {
        await this.settle(await retireSource(this.#context, pair, outcome));
      },
      { limit: this.#limit('removal'), stop: () => this.#shouldStop() },
    );
  }

  async expireBackups(): Promise<void> {
    if (this.#interrupted || this.#problem !== undefined || this.#context.intent.dryRun) return;
    const next = await expireBackups(this.#context);
    if (next !== undefined) this.#wakeIn(next);
  }

  /** Whoever looks at the status later must not read that old names still count. */
  awaitEndOfFallback(): void {
    const { intent, clock } = this.#context;
    const leftMs = intent.fallbackUntil === undefined ? 0 : intent.fallbackUntil - clock.now();
    if (leftMs > 0) this.#wakeIn(leftMs);
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

/** What an earlier run read of it, and where, stays known while it cannot be read: see wasReadUnderItsName. */
function baseOf({ journal }: RunContext, item: Item): Omit<Outcome, 'state'> {
  const { keys = [], source } = journal.prior.get(item.name) ?? {};
  return {
    name: item.name,
    keys,
    destination: { path: item.destination },
    ...(source === undefined ? {} : { source }),
  };
}

function neverMigrated(context: RunContext, item: Item): Outcome {
  const message =
    'Secrets of this type are never migrated, because they grant rights. Remove it from spec.select.names.';
  return { ...baseOf(context, item), state: 'Failed', reason: 'TypeRefused', message, retry: 'later' };
}

function pending(context: RunContext, item: Item): Outcome {
  return { ...baseOf(context, item), state: 'Pending', retry: 'soon' };
}

function unreadable(context: RunContext, item: Item, found: ReadResult): Outcome {
  const base = baseOf(context, item);
  if (found.state !== 'deleted') {
    const addition = fallbackHasEnded(context);
    const message = [SOURCE_MISSING.message, addition].filter((part) => part !== undefined).join(' ');
    return { ...base, state: 'Failed', ...SOURCE_MISSING, message, retry: 'later' };
  }
  if (found.expired === true) return { ...base, ...EXPIRED };
  return {
    ...base,
    state: 'Skipped',
    reason: 'SourceDeleted',
    message: 'The source has only a deleted version. Undelete it, or exclude the document.',
    retry: 'later',
  };
}
