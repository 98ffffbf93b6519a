import { OperatorError } from '#src/errors.ts';

/**
 * `from` and `to` of a composite name: literals around parts in braces, such as `session:{id}` and
 * `session:{id}:{provider}`. A part is one or more characters, but none that stands next to a part in `from` or `to`: a
 * separator inside a part would make a name ambiguous. A closed grammar; nothing is looked up. Matching reads each
 * character of a name a constant number of times: there is one way to split it, so nothing is ever tried twice (ADR 0043).
 */
export interface NamePattern {
  /** The new name of `name`, or undefined when it does not match `from`. */
  rename(name: Characters): string | undefined;
  /** True when `name` already matches `to`. */
  isRenamed(name: Characters): boolean;
}

/** What matching needs of a string: a test counts how often it reads one. */
export type Characters = Pick<string, 'length' | 'charCodeAt' | 'slice'>;

type Piece = { readonly literal: string } | { readonly part: string };

const PART = /\{([^{}]*)\}/g;
const PART_NAME = /^[a-z][a-z0-9_]*$/;

function invalid(target: string, detail: string): OperatorError {
  return new OperatorError('SPEC_INVALID', { op: 'mapping.compile', target, detail });
}

function piecesOf(text: string, target: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(PART)) {
    const part = match[1] ?? '';
    if (!PART_NAME.test(part)) throw invalid(target, `{${part}} is not a valid part; write a part as {id}.`);
    if (match.index > end) pieces.push({ literal: text.slice(end, match.index) });
    pieces.push({ part });
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push({ literal: text.slice(end) });
  if (pieces.some((piece) => 'literal' in piece && /[{}]/.test(piece.literal))) {
    throw invalid(target, 'Unbalanced brace.');
  }
  return pieces;
}

/** The characters next to parts. Two parts without a character between them are ambiguous. */
function separatorsOf(pieces: readonly Piece[], target: string): string {
  let separators = '';
  for (const [index, piece] of pieces.entries()) {
    const next = pieces[index + 1];
    if (next === undefined) break;
    if ('part' in piece && 'part' in next) throw invalid(target, 'Two parts need a separator between them.');
    if ('literal' in piece) separators += piece.literal.at(-1) ?? '';
    else if ('literal' in next) separators += next.literal[0] ?? '';
  }
  return separators;
}

/** Letters and digits next to a part are text, not separators: in `v1-{id}` and `{id}x` a part may contain them. */
function outsideParts(separators: string): ReadonlySet<string> {
  return new Set(Array.from(`/${separators}`).filter((char) => !/[A-Za-z0-9]/.test(char)));
}

/** A part, the literal after it, and where in that literal is the first character that a part cannot contain. */
interface Run {
  readonly part: string;
  readonly literal: string;
  /** -1 only after the last part, which ends where the name does. */
  readonly stop: number;
}

/** A pattern as it is read from left to right. */
interface Reading {
  readonly start: string;
  readonly runs: readonly Run[];
}

/**
 * Refuses a pattern that could split a name in two ways. `a1b1c` is `a` and `b1c` for `{x}1{y}`, or `a1b` and `c`. A literal
 * between two parts divides them in one way exactly if it has a character that no part can contain.
 */
function readingOf(pieces: readonly Piece[], outside: ReadonlySet<string>, target: string): Reading {
  const seen = new Set<string>();
  const runs: Run[] = [];
  for (const [index, piece] of pieces.entries()) {
    if ('literal' in piece) continue;
    if (seen.has(piece.part)) throw invalid(target, `{${piece.part}} occurs twice.`);
    seen.add(piece.part);
    const literal = literalAt(pieces, index + 1);
    const stop = Array.from({ length: literal.length }, (_, at) => literal.charAt(at)).findIndex((char) =>
      outside.has(char),
    );
    const next = pieces[index + 2];
    if (stop < 0 && next !== undefined && 'part' in next) {
      throw ambiguous(target, `{${piece.part}}`, `{${next.part}}`);
    }
    runs.push({ part: piece.part, literal, stop });
  }
  return { start: literalAt(pieces, 0), runs };
}

function ambiguous(target: string, one: string, other: string): OperatorError {
  const detail = `A name could be split in more than one way: text that starts and ends with a letter or digit does not divide ${one} from ${other}. Start or end it with a separator, as in ${one}:${other}.`;
  return invalid(target, detail);
}

function literalAt(pieces: readonly Piece[], index: number): string {
  const piece = pieces[index];
  return piece !== undefined && 'literal' in piece ? piece.literal : '';
}

function hasAt(name: Characters, literal: string, at: number): boolean {
  if (at < 0 || at + literal.length > name.length) return false;
  for (let index = 0; index < literal.length; index += 1) {
    if (name.charCodeAt(at + index) !== literal.charCodeAt(index)) return false;
  }
  return true;
}

/** The parts of a name; undefined when it does not match. */
function partsOf(
  name: Characters,
  { start, runs }: Reading,
  outside: ReadonlySet<number>,
): ReadonlyMap<string, string> | undefined {
  if (!hasAt(name, start, 0)) return undefined;
  const parts = new Map<string, string>();
  let begin = start.length;
  for (const { part, literal, stop } of runs) {
    let run = begin;
    while (run < name.length && !outside.has(name.charCodeAt(run))) run += 1;
    // The part and the literal up to `stop` end where the run does.
    const end = stop < 0 ? run - literal.length : run - stop;
    if (end <= begin || !hasAt(name, literal, end)) return undefined;
    parts.set(part, name.slice(begin, end));
    begin = end + literal.length;
  }
  return begin === name.length ? parts : undefined;
}

/** Throws `SPEC_INVALID` for a pattern outside the grammar; `target` is the path of the rule in the spec. */
export function compileNamePattern(from: string, to: string, target: string): NamePattern {
  const [old, next] = [piecesOf(from, `${target}.from`), piecesOf(to, `${target}.to`)];
  const outside = outsideParts(separatorsOf(old, `${target}.from`) + separatorsOf(next, `${target}.to`));
  const readOld = readingOf(old, outside, `${target}.from`);
  const readNext = readingOf(next, outside, `${target}.to`);
  const known = new Set(readOld.runs.map(({ part }) => part));
  const unknown = readNext.runs.find(({ part }) => !known.has(part));
  if (unknown !== undefined) throw invalid(`${target}.to`, `{${unknown.part}} does not occur in from.`);
  const codes = new Set([...outside].map((char) => char.charCodeAt(0)));
  return {
    rename(name) {
      const parts = partsOf(name, readOld, codes);
      if (parts === undefined) return undefined;
      return next
        .map((piece) => ('literal' in piece ? piece.literal : (parts.get(piece.part) ?? '')))
        .join('');
    },
    isRenamed: (name) => partsOf(name, readNext, codes) !== undefined,
  };
}
