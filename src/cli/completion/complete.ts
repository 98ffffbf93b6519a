import type { Command } from 'commander';
import type { Invocation } from '../invocation.ts';
import { sourceOf } from './names.ts';
import { positionOf, type Position, type Valued, type Word } from './position.ts';

/*
 * The protocol of cobra, which kubectl and its scripts for shells speak: a candidate a line, with a tab before what it is
 * for, and a last line `:` with bits that say what the shell shall do.
 * https://github.com/spf13/cobra/blob/main/site/content/completions/_index.md
 */

const [SHELL_DECIDES, NO_FILES] = [0, 4] as const;

/** How long names may take, milliseconds: a person waits for them. */
const LIMIT_MS = 1_000;

/**
 * Of names of servers, those that every shell takes as they are. A script of another program (kubectl's, for one) can hand a
 * candidate to `eval`, and a name of a path in a store is chosen by a user who may write there.
 */
const SAFE = /^[\p{L}\p{N}_.:@%+,/][\p{L}\p{N}_.:@%+,/-]*$/u;

/** Formats that a description of `--output` can name. */
const FORMATS = ['json', 'yaml', 'wide', 'name'];

/**
 * Prints what can stand at the end of these words, of which the last one is its beginning and can be empty. `describes`: with
 * what each candidate is for. Silent about everything that fails. Resolves with the exit code 0.
 */
export async function completeLine(
  program: Command,
  typed: readonly string[],
  surroundings: Omit<Invocation, 'flags'> & { readonly describes: boolean },
): Promise<number> {
  const words = typed.slice(0, -1);
  const current = typed.at(-1) ?? '';
  const position = positionOf(program, words, current);
  const { candidates, directive } = await candidatesAt(position, surroundings);
  const before = position.kind === 'value' ? position.before : '';
  for (const { text, description } of candidates) {
    const candidate = `${before}${text}`;
    if (candidate.startsWith(current))
      surroundings.output.line(
        description === '' || !surroundings.describes ? candidate : `${candidate}\t${description}`,
      );
  }
  surroundings.output.line(`:${directive}`);
  return 0;
}

interface Candidates {
  readonly candidates: readonly Word[];
  readonly directive: number;
}

async function candidatesAt(
  position: Position,
  surroundings: Omit<Invocation, 'flags'>,
): Promise<Candidates> {
  if (position.kind === 'words') return { candidates: position.words, directive: NO_FILES };
  const { of, line } = position;
  const choices = choicesOf(of);
  if (choices.length > 0) return { candidates: wordsOf(choices), directive: NO_FILES };
  if (isFile(of)) return { candidates: [], directive: SHELL_DECIDES };
  const source = sourceOf(of);
  if (source === undefined) return { candidates: [], directive: NO_FILES };
  const text = (name: string): string | undefined => {
    const value = line.flags.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  const flags = { kubeconfig: text('kubeconfig'), context: text('context'), namespace: text('namespace') };
  const names = await inTime(surroundings, async (signal) =>
    source({ ...surroundings, flags, signal }, line),
  );
  const safe = names.filter((name) => SAFE.test(name));
  return { candidates: wordsOf(safe), directive: NO_FILES };
}

/** What resolves in time, or nothing. */
async function inTime(
  { signal: stopped, clock }: Omit<Invocation, 'flags'>,
  ask: (signal: AbortSignal) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stopped, stop.signal]);
  const limit = clock.sleep(LIMIT_MS, signal).then(() => []);
  try {
    return await Promise.race([ask(signal), limit]);
  } catch {
    return [];
  } finally {
    limit.catch(() => undefined);
    stop.abort(new Error('completed'));
  }
}

function choicesOf({ choices, description, name }: Valued): readonly string[] {
  if (choices.length > 0 || name !== 'output') return choices;
  const words = new Set(description.split(/[^a-z]+/));
  return FORMATS.filter((format) => words.has(format));
}

function isFile({ name, placeholder }: Valued): boolean {
  return ['file', 'folder'].includes(placeholder) || ['file', 'filename', 'kubeconfig'].includes(name);
}

function wordsOf(texts: readonly string[]): readonly Word[] {
  return texts.map((text) => ({ text, description: '' }));
}
