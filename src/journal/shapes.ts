/*
 * Texts that many documents share, each once: what a packed row has besides the members that are its own.
 */

/** A longer text is rarely shared, and costs most when it is not. */
const MAX_TEXT = 8 * 1024;
/** Texts that have been seen once, and are shared when they are seen again soon. */
const MAX_CANDIDATES = 128;
const MAX_SHAPES = 4096;
const MAX_CHARACTERS = 1024 * 1024;

/**
 * Numbers for texts that are used more than once. A text that only one document has stays with that document, and costs nothing here.
 * A number is never given to another text. When there are too many, those that nobody uses any more go: see `tidy`.
 */
export class Shapes {
  readonly #numbers = new Map<string, number>();
  readonly #texts = new Map<number, string>();
  readonly #candidates = new Set<string>();
  #characters = 0;
  #last = 0;
  /** Texts that found no room since somebody last looked what is in use. */
  #refused = 0;
  /** How many of those are worth the next look. */
  #patience = 1;

  /** Number of shared texts. */
  get size(): number {
    return this.#texts.size;
  }

  /** The number of a text, at least 1; undefined if it is not shared. */
  numberOf(text: string): number | undefined {
    const number = this.#numbers.get(text);
    if (number !== undefined || text.length > MAX_TEXT) return number;
    if (!this.#candidates.delete(text)) {
      this.#nominate(text);
      return undefined;
    }
    if (this.#hasRoom) return this.#add(text);
    this.#refused += 1;
    return undefined;
  }

  textOf(number: number): string {
    const text = this.#texts.get(number);
    if (text === undefined) throw new RangeError('a packed row has a shape that is gone');
    return text;
  }

  #nominate(text: string): void {
    this.#candidates.add(text);
    if (this.#candidates.size <= MAX_CANDIDATES) return;
    const [oldest] = this.#candidates;
    if (oldest !== undefined) this.#candidates.delete(oldest);
  }

  #add(text: string): number {
    this.#last += 1;
    this.#numbers.set(text, this.#last);
    this.#texts.set(this.#last, text);
    this.#characters += text.length;
    return this.#last;
  }

  /** Not while a row is packed whose numbers nobody can know yet. `inUse` has the numbers in all rows that are kept. */
  tidy(inUse: () => ReadonlySet<number>): void {
    if (this.#refused < this.#patience) return;
    const used = inUse();
    for (const [number, text] of this.#texts) {
      if (used.has(number)) continue;
      this.#texts.delete(number);
      this.#numbers.delete(text);
      this.#characters -= text.length;
    }
    this.#refused = 0;
    // As many texts as a look costs, at least; and where nearly all are in use, looking again and again would find nothing.
    const isNearlyFull = this.#texts.size > MAX_SHAPES / 2 || this.#characters > MAX_CHARACTERS / 2;
    this.#patience = isNearlyFull ? Math.max(MAX_SHAPES, this.#patience * 2) : 1;
  }

  get #hasRoom(): boolean {
    return this.#texts.size < MAX_SHAPES && this.#characters < MAX_CHARACTERS;
  }
}
