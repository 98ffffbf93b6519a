import { KeyIndex } from './key-index.ts';

const SMALLEST = 16;

/** One bit: what is noted of a name. */
export type Mark = number;

/**
 * Names in the order in which they came, each with a number and with marks. A name is in memory once, and takes about 30 bytes beside
 * its text, whatever is noted of it: so the marks replace a set for each question about the documents of a run.
 */
export class NameTable {
  readonly #names: string[] = [];
  readonly #index = new KeyIndex((item) => this.#names[item]);
  #marks = new Uint16Array(SMALLEST);

  /** Adds the name, if it is not here. Returns its number. */
  add(name: string): number {
    const item = this.#names.length;
    const found = this.#index.add(item, name);
    if (found !== undefined) return found;
    this.#names.push(name);
    if (item >= this.#marks.length) this.#growMarks();
    return item;
  }

  get size(): number {
    return this.#names.length;
  }

  has(name: string): boolean {
    return this.#index.find(name) !== undefined;
  }

  /** The number of a name. */
  indexOf(name: string): number | undefined {
    return this.#index.find(name);
  }

  nameAt(item: number): string {
    return this.#names[item] ?? '';
  }

  mark(item: number, mark: Mark): void {
    this.#marks[item] = (this.#marks[item] ?? 0) | mark;
  }

  unmark(item: number, mark: Mark): void {
    this.#marks[item] = (this.#marks[item] ?? 0) & ~mark;
  }

  isMarked(item: number, mark: Mark): boolean {
    return ((this.#marks[item] ?? 0) & mark) !== 0;
  }

  #growMarks(): void {
    const before = this.#marks;
    this.#marks = new Uint16Array(before.length + (before.length >> 1));
    this.#marks.set(before);
  }

  /** The numbers of names that have the mark now, in order. Names can be marked and unmarked meanwhile. */
  *marked(mark: Mark): Generator<number> {
    for (let item = 0; item < this.#names.length; item += 1) if (this.isMarked(item, mark)) yield item;
  }
}

/**
 * The same text, in memory of its own: what is cut out of another text keeps all of it, and what is put together keeps its parts.
 */
export function ownText(text: string): string {
  const encoding = IN_ONE_BYTE.test(text) ? 'latin1' : 'utf16le';
  return Buffer.from(text, encoding).toString(encoding);
}

const IN_ONE_BYTE = /^[ -ÿ]*$/;
