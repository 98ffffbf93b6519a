import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileNamePattern, type Characters, type NamePattern } from './name-pattern.ts';

const SAMPLES = ['a', '1', 'a1', ':', '-', 'a-1', '/', '.'];
const literal = fc.constantFrom('', ...SAMPLES, 'x:', '-x', 'v1-a');
/** Patterns of up to three parts, as text. */
const pattern = fc
  .array(fc.tuple(literal, fc.constantFrom('x', 'y', 'z')), { minLength: 1, maxLength: 3 })
  .chain((parts) => literal.map((end) => parts.map(([before, part]) => `${before}{${part}}`).join('') + end));

function compiled(from: string, to: string): NamePattern | undefined {
  try {
    return compileNamePattern(from, to, 'rule');
  } catch {
    return undefined;
  }
}

/** How many ways there are to split a name, by trying all of them: what the matcher never does. */
function waysToSplit(name: string, pieces: readonly string[], outside: ReadonlySet<string>): number {
  const [piece, ...rest] = pieces;
  if (piece === undefined) return name === '' ? 1 : 0;
  if (!piece.startsWith('{')) {
    return name.startsWith(piece) ? waysToSplit(name.slice(piece.length), rest, outside) : 0;
  }
  let ways = 0;
  for (let length = 1; length <= name.length && !outside.has(name.charAt(length - 1)); length += 1) {
    ways += waysToSplit(name.slice(length), rest, outside);
  }
  return ways;
}

function piecesOf(text: string): readonly string[] {
  return text.match(/\{[a-z]\}|[^{}]+/g) ?? [];
}

function outsideOf(...texts: readonly string[]): ReadonlySet<string> {
  const next = texts.flatMap((text) =>
    [...text.matchAll(/\}([^{}])|([^{}])\{/g)].flatMap((match) => match.slice(1)),
  );
  return new Set(['/', ...next.filter((char) => char !== undefined && !/[A-Za-z0-9]/.test(char))]);
}

/** The text with parts in place of its placeholders, which makes names that match or nearly match. */
function filled(text: string, parts: readonly string[]): string {
  let next = 0;
  return text.replaceAll(/\{[a-z]\}/g, () => parts[next++ % parts.length] ?? '');
}

const parts = fc.array(fc.stringMatching(/^[a1:-]{1,3}$/), { minLength: 1, maxLength: 3 });

describe('a pattern', () => {
  it('matches a name exactly if there is a way to split it, and then there is only one', () => {
    let matches = 0;
    const check = (from: string, to: string, with_: readonly string[]): void => {
      const accepted = compiled(from, to);
      if (accepted === undefined) return;
      const outside = outsideOf(from, to);
      for (const name of [filled(from, with_), filled(to, with_), with_.join('')]) {
        const ways = waysToSplit(name, piecesOf(from), outside);
        expect(ways).toBeLessThanOrEqual(1);
        expect(accepted.rename(name) === undefined ? 0 : 1).toBe(ways);
        expect(accepted.isRenamed(name) ? 1 : 0).toBe(waysToSplit(name, piecesOf(to), outside));
        matches += ways;
      }
    };
    fc.assert(fc.property(pattern, pattern, parts, check), { numRuns: 3000 });
    expect(matches).toBeGreaterThan(50);
  });

  it('is refused exactly if some name can be split in two ways', () => {
    // Two parts around a literal, which is all that decides it.
    const check = (middle: string, to: string): void => {
      const from = `{x}${middle}{y}`;
      const name = `a${middle}a${middle}a`;
      const ways = waysToSplit(name, piecesOf(from), outsideOf(from, to));
      expect(compiled(from, to) === undefined).toBe(ways > 1 || middle === '');
    };
    fc.assert(fc.property(literal, fc.constantFrom('{x}', '{y}:n', 'n-{x}', 'n/{x}'), check));
  });

  it.each([
    ['{a}x{b}', '{a}:{b}', 'rule.from'],
    ['{a}x-y{b}', '{a}:{b}', 'rule.from'],
    ['{a}:{b}', '{a}1{b}', 'rule.to'],
  ])('%s → %s is refused, with the reason and what to write instead', (from, to, target) => {
    const problem = {
      code: 'SPEC_INVALID',
      target,
      message: expect.stringMatching(/more than one way.*letter or digit.*Start or end it with a separator/s),
    };
    expect(() => compileNamePattern(from, to, 'rule')).toThrow(expect.objectContaining(problem));
  });

  it.each([
    ['{a}x-y{b}', '{a}-{b}', '1x-y2', '1-2'],
    ['{a}x:{b}', '{b}.{a}', '1xx:2', '2.1x'],
    ['v{a}1', '{a}', 'v111', '11'],
    ['user-{id}', '{id}@x', 'user-ä😀', 'ä😀@x'],
  ])('%s → %s renames %s to %s: letters may stand beside a separator', (from, to, name, renamed) => {
    expect(compileNamePattern(from, to, 'rule').rename(name)).toBe(renamed);
  });
});

/** A name that counts how often one of its characters is read. */
class Counted implements Characters {
  reads = 0;
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  get length(): number {
    return this.#text.length;
  }
  charCodeAt(index: number): number {
    this.reads += 1;
    return this.#text.charCodeAt(index);
  }
  slice(start: number, end: number): string {
    this.reads += end - start;
    return this.#text.slice(start, end);
  }
}

describe('matching a name', () => {
  /** Twelve parts; the pattern of issue 12 froze the operator with letters between them. */
  const many = (between: string): string =>
    Array.from({ length: 12 }, (_, index) => `{p${index}}`).join(between);

  it('is refused for the twelve parts with letters between them that never ended', () => {
    expect(() => compileNamePattern(many('a'), '{p0}:x', 'rule')).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID' }),
    );
  });

  it.each([
    [many('a-'), '{p0}-x', 'a'.repeat(120)],
    [many('a-'), '{p0}-x', 'aa-'.repeat(40)],
    [many('-a'), '{p0}-x', '-a'.repeat(60)],
    [many('aaaaaaa:'), '{p0}:x', `${'a'.repeat(112)}:aaaaaaa`],
    ['{a}aaaaaaaaaa', 'x', `${'a'.repeat(119)}b`],
  ])('%s reads each of 120 characters at most three times', (from, to, text) => {
    const rule = compileNamePattern(from, to, 'rule');
    for (const ask of [(name: Characters) => rule.rename(name), (name: Characters) => rule.isRenamed(name)]) {
      const name = new Counted(text);
      ask(name);
      expect(name.reads).toBeLessThanOrEqual(3 * text.length);
    }
  });

  it('reads each character of any name at most three times, whatever the pattern', () => {
    const check = (from: string, to: string, with_: readonly string[]): void => {
      const rule = compiled(from, to);
      const name = new Counted(`${filled(from, with_)}${with_.join('')}`);
      rule?.rename(name);
      expect(name.reads).toBeLessThanOrEqual(3 * name.length);
    };
    fc.assert(fc.property(pattern, pattern, parts, check), { numRuns: 2000 });
  });
});
