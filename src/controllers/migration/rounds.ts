import type { Outcome } from '#src/core/outcome.ts';
import type { Followed } from '../sync/followed.ts';
import type { Attempt } from './attempt.ts';
import { remember, type Processed } from './changes.ts';
import { carryOut, withProgress, type Done, type Gathered } from './engine-run.ts';
import { verdictOn } from './finish.ts';

/*
 * A follow, as long as changes keep coming and the verdict stays what the status shows:
 *
 *   take what changed ─► process it ─► remember it ─┬─ more changed ──► take it
 *                                                   └─ nothing ──► store the rows ─► finish, or take what changed meanwhile
 *
 * The rows are stored beside the rounds, and the rarer the longer it takes. So a change waits for the documents that changed with it,
 * and not for the reports of the whole migration.
 */

/** Rows are at most this much older than the stores, if it takes no time to store them. */
const STORE_EVERY_MS = 1_000;
/** Rows of a large migration fill megabytes: at least four fifths of the time no rows are stored. */
const PAUSE_PER_STORE = 4;
/** Then the migration and its backends are read again. */
const LONGEST_MS = 60_000;
/** How often a follow without changes looks for one, or for another migration that needs its worker. */
const LOOK_EVERY_MS = 20;

/** Processes what changed, and what changes meanwhile. Resolves with the last round; throws what `carryOut` and the stores throw. */
export async function carryOutRounds(attempt: Attempt, gathered: Gathered): Promise<Done> {
  const { followed, parts } = attempt;
  if (attempt.task.kind !== 'follow' || followed === undefined) return carryOut(attempt, gathered);
  const endsAt = parts.clock.monotonic() + LONGEST_MS;
  await using rows = new Rows(attempt, gathered);
  for (;;) {
    const done = await carryOut(attempt, gathered);
    const outcomes = rows.note(done);
    if (!isPlain(attempt, gathered, { ...done, outcomes })) return done;
    rememberRound(attempt, { ...done, outcomes });
    if (rows.areDue) rows.store();
    if (!followed.isDirty) await rows.storedOrChanged(followed);
    rows.throwIfFailed();
    if (!followed.isDirty || parts.isAwaited() || parts.clock.monotonic() >= endsAt) return done;
    gathered.journal.goOn();
  }
}

function rememberRound(attempt: Attempt, round: Processed): void {
  if (round.outcomes.some(({ copiedNow }) => copiedNow === true)) attempt.status.noteSync();
  remember(attempt, round);
}

/** A round after which nothing but times and versions changes in the status: every other one is concluded. */
function isPlain(
  attempt: Attempt,
  { journal }: Gathered,
  { outcomes, ...done }: Done & Pick<Processed, 'outcomes'>,
): boolean {
  const { changes, result } = done;
  if (changes === undefined || changes.taken.size === 0) return false;
  if (result.problem !== undefined || result.interrupted) return false;
  if (outcomes.some(({ retry }) => retry !== undefined)) return false;
  return attempt.status.shows(verdictOn(attempt, { ...done, journal }, [...journal.outcomes()]));
}

/** The rows of the rounds, which are remembered before they are durable. */
class Rows implements AsyncDisposable {
  readonly #attempt: Attempt;
  readonly #gathered: Gathered;
  #storing: Promise<void> | undefined;
  #failure: { readonly thrown: unknown } | undefined;
  #dueAt = 0;
  #pausesUntil = 0;

  constructor(attempt: Attempt, gathered: Gathered) {
    this.#attempt = attempt;
    this.#gathered = gathered;
    this.#dueAt = this.#now + STORE_EVERY_MS;
  }

  get #now(): number {
    return this.#attempt.parts.clock.monotonic();
  }

  get areDue(): boolean {
    return this.#now >= this.#dueAt;
  }

  /** From now on the rows of this round are known, also if they never become durable. Resolves with them. */
  note({ changes }: Pick<Done, 'changes'>): readonly Outcome[] {
    const { unsaved } = this.#attempt;
    if (changes === undefined) return [];
    for (const name of changes.only) unsaved.delete(name);
    const outcomes = [...this.#gathered.journal.outcomes()].filter(({ name }) => changes.only.has(name));
    for (const outcome of outcomes) unsaved.set(outcome.name, outcome);
    return outcomes;
  }

  /** Begins to store them, unless that is under way. */
  store(): void {
    this.#storing ??= this.#storeNow();
  }

  async #storeNow(): Promise<void> {
    const startedAt = this.#now;
    const { unsaved } = this.#attempt;
    const before = [...unsaved];
    unsaved.clear();
    try {
      await withProgress(this.#gathered.journal, this.#attempt.status).flush();
    } catch (thrown) {
      this.#failure = { thrown };
      for (const [name, outcome] of before) if (!unsaved.has(name)) unsaved.set(name, outcome);
    }
    const endedAt = this.#now;
    this.#pausesUntil = endedAt + PAUSE_PER_STORE * (endedAt - startedAt);
    this.#dueAt = Math.max(endedAt + STORE_EVERY_MS, this.#pausesUntil);
    this.#storing = undefined;
  }

  /** Nothing is left to do but to store them: resolves when they are, or when another document or migration waits. */
  async storedOrChanged(followed: Pick<Followed, 'isDirty'>): Promise<void> {
    const { parts, stop, unsaved } = this.#attempt;
    while (!followed.isDirty && !parts.isAwaited() && this.#failure === undefined) {
      if (this.#storing === undefined && unsaved.size === 0) return;
      if (this.#now >= this.#pausesUntil) this.store();
      await Promise.race([
        this.#storing ?? new Promise(() => undefined),
        parts.clock.sleep(LOOK_EVERY_MS, stop.signal),
      ]);
    }
  }

  /** Throws what the journal and the status threw. */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.thrown;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storing;
  }
}
