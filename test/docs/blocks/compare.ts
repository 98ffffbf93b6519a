/* Compares what a page shows with what the commands print. */

/** What differs from run to run, and stands for itself: a word in a column, or a value of a known form. */
const VARYING: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'UID'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| ?[+-]\d\d:?\d\d(?: \w+)?)?/g, 'TIME'],
  [/\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:[A-Z]+ )?\d{4}\b/g, 'TIME'],
  // Accessors of mounts.
  [/(?<=\b[a-z]+_)[0-9a-f]{8}\b/g, 'HASH'],
  // Headings of bao are as wide as the table below them, which has times of varying length.
  [/^={2,} ([A-Z][A-Za-z0-9 ]*) ={2,}$/g, '== $1 =='],
  // Ages as kubectl prints them.
  [/(?<=^|\s|\()(?:\d+[ydhms]){1,2}(?=\s|\)|$)/g, 'AGE'],
  [/\bresourceVersion: "\d+"/g, 'resourceVersion: VERSION'],
  [/"resourceVersion": "\d+"/g, '"resourceVersion": VERSION'],
  [/(?<=127\.0\.0\.1:|localhost:)\d+/g, 'PORT'],
  // The alphabet of generated names has no vowels.
  [/(?<=[a-z0-9]-)[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, 'HASH'],
  [/\b(?:hvs|hvb|s|b)\.[A-Za-z0-9_-]{20,}/g, 'TOKEN'],
  [/\bsha256:[0-9a-f]{64}\b/g, 'DIGEST'],
];

/**
 * What client-go logs when a program ends a watch that it no longer needs, as `helm --wait` does. Whether it comes in time to be shown is
 * an accident.
 */
const ENDED_WATCH =
  /^I\d{4} [\d:.]+ +\d+ reflector\.go:\d+\] "Warning: watch ended with error" .*context canceled/;

/** A line without what varies; columns stand two blanks apart, however wide they are. */
export function normalize(line: string): string {
  const [indent = ''] = /^\s*/.exec(line) ?? [];
  const columns = line.trim().replaceAll(/\s{2,}|\t/g, '  ');
  return `${indent}${VARYING.reduce((text, [pattern, name]) => text.replaceAll(pattern, name), columns)}`;
}

/** The lines without blank ones at both ends. */
export function trimmed(lines: readonly string[]): readonly string[] {
  const isText = (line: string): boolean => line.trim() !== '';
  return lines.slice(
    lines.findIndex(isText) === -1 ? lines.length : lines.findIndex(isText),
    lines.findLastIndex(isText) + 1,
  );
}

/** Whether the line is what the page shows, in which `…` stands for any text. */
export function matches(shown: string, line: string): boolean {
  const [first = '', ...rest] = shown.split('…');
  if (!line.startsWith(first)) return false;
  let at = first.length;
  const last = rest.pop();
  if (last === undefined) return line === first;
  for (const part of rest) {
    const found = line.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return line.length - last.length >= at && line.endsWith(last);
}

/**
 * Undefined if the output is what the page shows, otherwise a diff: `-` is only in the page, `+` only in the output. `…` alone
 * on a line of the page stands for any lines.
 */
export function difference(shown: readonly string[], output: readonly string[]): string | undefined {
  const said = output.filter((line) => !ENDED_WATCH.test(line));
  const alignment = new Alignment(trimmed(shown).map(normalize), trimmed(said).map(normalize));
  return alignment.cost(0, 0) === 0 ? undefined : alignment.diff().join('\n');
}

/** Lines of the page beside lines of the output, so that the fewest differ. */
class Alignment {
  readonly #expected: readonly string[];
  readonly #actual: readonly string[];
  /** How many lines differ between the page from i on and the output from j on, in row i and column j. */
  readonly #costs: number[][];

  constructor(expected: readonly string[], actual: readonly string[]) {
    this.#expected = expected;
    this.#actual = actual;
    this.#costs = Array.from({ length: expected.length + 1 }, () => []);
    for (let i = expected.length; i >= 0; i -= 1) {
      for (let j = actual.length; j >= 0; j -= 1) this.#costs[i]![j] = this.#leastCost(i, j);
    }
  }

  cost(i: number, j: number): number {
    return this.#costs[i]?.[j] ?? Infinity;
  }

  diff(): readonly string[] {
    const lines: string[] = [];
    let [i, j] = [0, 0];
    while (i < this.#expected.length || j < this.#actual.length) {
      const free = this.#isAny(i);
      if (!free && this.#isSame(i, j) && this.cost(i, j) === this.cost(i + 1, j + 1)) {
        lines.push(`  ${this.#actual[j]}`);
        [i, j] = [i + 1, j + 1];
      } else if (this.cost(i, j) === (free ? 0 : 1) + this.cost(i + 1, j)) {
        lines.push(`${free ? ' ' : '-'} ${this.#expected[i]}`);
        i += 1;
      } else {
        lines.push(`${free ? ' ' : '+'} ${this.#actual[j]}`);
        j += 1;
      }
    }
    return lines;
  }

  #leastCost(i: number, j: number): number {
    if (i === this.#expected.length && j === this.#actual.length) return 0;
    if (this.#isAny(i)) return Math.min(this.cost(i + 1, j), this.cost(i, j + 1));
    const skipped = 1 + Math.min(this.cost(i + 1, j), this.cost(i, j + 1));
    return this.#isSame(i, j) ? Math.min(skipped, this.cost(i + 1, j + 1)) : skipped;
  }

  #isAny(i: number): boolean {
    return this.#expected[i]?.trim() === '…';
  }

  #isSame(i: number, j: number): boolean {
    const [shown, line] = [this.#expected[i], this.#actual[j]];
    return shown !== undefined && line !== undefined && matches(shown, line);
  }
}
