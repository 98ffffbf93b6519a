import { stripVTControlCharacters } from 'node:util';
import { escaped } from '#src/errors/printable.ts';

/** Where a command writes. Tests use one that keeps the text. */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  /** Columns of the terminal. */
  readonly columns?: number | undefined;
}

export interface Streams {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly stdin: AsyncIterable<Uint8Array | string> & {
    readonly isTTY?: boolean | undefined;
    /** Of a terminal: without echo, key by key. */
    readonly setRawMode?: ((on: boolean) => unknown) | undefined;
  };
}

export type Color = 'green' | 'yellow' | 'red' | 'dim' | 'bold';

const CODES: Readonly<Record<Color, readonly [number, number]>> = {
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
  dim: [2, 22],
  bold: [1, 22],
};

/** Text for a person: in color on a terminal, plain in a pipe and with NO_COLOR (https://no-color.org). */
export class Output {
  readonly #streams: Streams;
  readonly #hasColor: boolean;

  constructor(streams: Streams, env: Readonly<Record<string, string | undefined>>) {
    this.#streams = streams;
    const { isTTY } = streams.stdout;
    this.#hasColor = isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  }

  /** True when a person watches: lines can be drawn again. */
  get isTerminal(): boolean {
    return this.#streams.stdout.isTTY === true;
  }

  /** Of the terminal, or 0 in a pipe: there a line has any length. */
  get columns(): number {
    return this.isTerminal ? (this.#streams.stdout.columns ?? 80) : 0;
  }

  /** The result of the command. */
  line(text = ''): void {
    this.#streams.stdout.write(`${text}\n`);
  }

  /** What is not the result: hints, and how far the work is. */
  note(text: string): void {
    this.#streams.stderr.write(`${text}\n`);
  }

  /** A question; the answer is typed in the same line. */
  ask(text: string): void {
    this.#streams.stderr.write(text);
  }

  paint(color: Color, text: string): string {
    if (!this.#hasColor) return text;
    const [on, off] = CODES[color];
    return `\u001B[${on}m${text}\u001B[${off}m`;
  }
}

/** Text of a server or an object, without anything that a terminal obeys. */
export function printable(text: string): string {
  return escaped(stripVTControlCharacters(text));
}
