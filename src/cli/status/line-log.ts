import stringWidth from 'string-width';
import type { Output } from '../output.ts';
import { lostText } from './lost.ts';

/** A watch in a pipe: the head once, then a line for each change, as kubectl get -w. */
export class LineLog {
  readonly #output: Output;
  readonly #head: readonly string[];
  readonly #states = new Map<string, string>();
  #widths: readonly number[] = [];
  #trouble: string | undefined;

  constructor(output: Output, head: readonly string[]) {
    this.#output = output;
    this.#head = head;
  }

  /** Prints the cells unless the state of this key is the one that was printed last. */
  line(key: string, cells: readonly string[], state: string): void {
    if (this.#states.get(key) === state) return;
    this.#states.set(key, state);
    if (this.#widths.length === 0) {
      this.#widths = this.#head.map((title, index) =>
        Math.max(WIDTHS[title] ?? 0, stringWidth(title), stringWidth(cells[index] ?? '')),
      );
      this.#print(this.#head);
    }
    this.#print(cells);
  }

  /** Forgets all keys but these: what comes back is printed again. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of this.#states.keys()) if (!keys.has(key)) this.#states.delete(key);
  }

  /** Says once that the connection is lost, and once that it is there again. */
  trouble(text: string | undefined): void {
    if (text !== undefined && this.#trouble === undefined) this.#output.note(lostText(text));
    if (text === undefined && this.#trouble !== undefined) this.#output.note('Connected again.');
    this.#trouble = text;
  }

  #print(cells: readonly string[]): void {
    const padded = cells.map((cell, index) => {
      const room = (this.#widths[index] ?? 0) - stringWidth(cell);
      return cell + ' '.repeat(Math.max(0, room));
    });
    this.#output.line(padded.join('   ').trimEnd());
  }
}

/** Room for what later lines may have: lines that are printed already cannot become wider. */
const WIDTHS: Readonly<Record<string, number>> = { READY: 7, STATUS: 17, PROGRESS: 11, RATE: 6 };
