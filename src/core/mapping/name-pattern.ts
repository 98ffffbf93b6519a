import { OperatorError } from '#src/errors.ts';

/**
 * `from` and `to` of a composite name: literals around parts in braces, such as `session:{id}` and
 * `session:{id}:{provider}`. A part is one or more characters, but none that stands next to a part in `from` or `to`: a
 * separator inside a part would make a name ambiguous. A closed grammar; nothing is looked up.
 */
export interface NamePattern {
  /** The new name of `name`, or undefined when it does not match `from`. */
  rename(name: string): string | undefined;
  /** True when `name` already matches `to`. */
  isRenamed(name: string): boolean;
}

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
function partClass(separators: string): string {
  const forbidden = [...new Set(`/${separators}`)].filter((char) => !/[A-Za-z0-9]/.test(char));
  return `[^${literalOf(forbidden.join(''))}]+`;
}

function literalOf(text: string): string {
  return Array.from(text, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`).join('');
}

function matcherOf(pieces: readonly Piece[], part: string, target: string): RegExp {
  const seen = new Set<string>();
  const source = pieces.map((piece) => {
    if ('literal' in piece) return literalOf(piece.literal);
    if (seen.has(piece.part)) throw invalid(target, `{${piece.part}} occurs twice.`);
    seen.add(piece.part);
    return `(?<${piece.part}>${part})`;
  });
  return new RegExp(`^${source.join('')}$`, 'u');
}

/** Throws `SPEC_INVALID` for a pattern outside the grammar; `target` is the path of the rule in the spec. */
export function compileNamePattern(from: string, to: string, target: string): NamePattern {
  const [old, next] = [piecesOf(from, `${target}.from`), piecesOf(to, `${target}.to`)];
  const part = partClass(separatorsOf(old, `${target}.from`) + separatorsOf(next, `${target}.to`));
  const [isOld, isNext] = [matcherOf(old, part, `${target}.from`), matcherOf(next, part, `${target}.to`)];
  const known = new Set(old.flatMap((piece) => ('part' in piece ? [piece.part] : [])));
  const unknown = next.find((piece) => 'part' in piece && !known.has(piece.part));
  if (unknown !== undefined && 'part' in unknown) {
    throw invalid(`${target}.to`, `{${unknown.part}} does not occur in from.`);
  }
  return {
    rename(name) {
      const parts = isOld.exec(name)?.groups;
      if (parts === undefined && !isOld.test(name)) return undefined;
      return next.map((piece) => ('literal' in piece ? piece.literal : (parts?.[piece.part] ?? ''))).join('');
    },
    isRenamed: (name) => isNext.test(name),
  };
}
