const ESCAPE = '\u001B';
/** After the escape character: parameters, then the letter of the command (ECMA-48). */
const SEQUENCE = /^\[([?\d;]*)([A-Za-z])/;

/** What a terminal shows of what was written to it: as much of ECMA-48 as progress views use. Lines never wrap. */
export class TerminalScreen {
  #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  #isCursorShown = true;
  #hasColor = false;
  /** The beginning of a sequence whose end is not written yet. */
  #rest = '';

  get lines(): readonly string[] {
    return this.#lines.map((cells) =>
      Array.from(cells, (cell: string | undefined) => cell ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  get text(): string {
    return this.lines.join('\n');
  }

  get isCursorShown(): boolean {
    return this.#isCursorShown;
  }

  /** True once anything was written in a color. */
  get hasColor(): boolean {
    return this.#hasColor;
  }

  write(text: string): void {
    let left = this.#rest + text;
    this.#rest = '';
    while (left !== '') {
      if (left.startsWith(ESCAPE)) {
        const [whole, parameters = '', command = ''] = SEQUENCE.exec(left.slice(1)) ?? [];
        if (whole === undefined) {
          this.#rest = left;
          return;
        }
        this.#obey(parameters, command);
        left = left.slice(1 + whole.length);
      } else {
        const [character = ''] = left;
        this.#put(character);
        left = left.slice(character.length);
      }
    }
  }

  #put(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#moveTo(this.#row + 1);
    else {
      this.#line[this.#column] = character;
      this.#column += 1;
    }
  }

  #obey(parameters: string, command: string): void {
    const count = Number(parameters || '1');
    const known: Readonly<Record<string, () => void>> = {
      A: () => this.#moveTo(Math.max(0, this.#row - count)),
      B: () => this.#moveTo(this.#row + count),
      G: () => (this.#column = count - 1),
      K: () => this.#erase(parameters),
      m: () => (this.#hasColor ||= parameters !== ''),
      h: () => (this.#isCursorShown ||= parameters === '?25'),
      l: () => (this.#isCursorShown &&= parameters !== '?25'),
    };
    const obey = known[command];
    if (obey === undefined) throw new Error(`this screen does not know ${parameters}${command}`);
    obey();
  }

  #erase(parameters: string): void {
    this.#lines[this.#row] = parameters === '2' ? [] : this.#line.slice(0, this.#column);
  }

  #moveTo(row: number): void {
    while (this.#lines.length <= row) this.#lines.push([]);
    this.#row = row;
  }

  get #line(): string[] {
    return this.#lines[this.#row] ?? [];
  }
}
