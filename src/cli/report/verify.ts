import { breakOf, type Break, type Linked } from './chain.ts';
import { EvidenceSchema, type Evidence } from './evidence.ts';
import { DATA_CLOSING, DATA_OPENING, pageOf } from './html.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';
import { escapedName } from '#src/errors/printable.ts';
import { parseJson } from '#src/json/parse.ts';

/** What a check of a file found. */
export interface Verified {
  readonly evidence: Evidence;
  /** Why the file is not what was made; empty if it is. */
  readonly problems: readonly string[];
  /** What the check did not look at. */
  readonly notes: readonly string[];
}

export interface Expected {
  /** Version of the program that checks. */
  readonly version: string;
  /** The head that was kept in another place. */
  readonly head?: string | undefined;
}

/** Checks the text of a report, HTML or JSON. Pure. Throws `Problem` if it is not an evidence report. */
export function verifyText(text: string, { version, head }: Expected): Verified {
  const isPage = /^\s*<!doctype html>/i.test(text);
  const { evidence, raw } = parsed(isPage ? dataIn(text) : text);
  const { rows, chain, ...header } = raw;
  const problems = [...problemsOf(breakOf(header, rows, chain), evidence)];
  if (head !== undefined && head !== evidence.chain.head)
    problems.push(
      'The head of the chain is not the one that was kept: this is another report, or all of its hashes were computed again after a change.',
    );
  const isOwnPage = evidence.madeBy.version === version;
  if (isPage && isOwnPage && pageOf(evidence) !== text)
    problems.push('The page shows something else than its data: its visible part was changed.');
  const notes =
    isPage && !isOwnPage
      ? [
          `The page was made by keyferry ${printable(evidence.madeBy.version)}, and this is ${version}: its data was checked, and not whether the page shows them unchanged.`,
        ]
      : [];
  return { evidence, problems, notes };
}

/** The report as JSON, out of its page. */
function dataIn(page: string): string {
  const [, after, ...more] = page.split(DATA_OPENING);
  const end = after?.indexOf(DATA_CLOSING) ?? -1;
  if (after === undefined || end < 0 || more.length > 0) throw notOne();
  return after.slice(0, end);
}

interface Raw {
  readonly rows: readonly Linked<object>[];
  readonly chain: Evidence['chain'];
}

/** The typed report, and all that the file has: the chain covers that, known or not. */
function parsed(text: string): { readonly evidence: Evidence; readonly raw: Raw } {
  const raw = jsonOf(text);
  const result = EvidenceSchema.safeParse(raw);
  if (!result.success || !isRaw(raw)) throw notOne();
  return { evidence: result.data, raw };
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw notOne();
  }
}

/** The schema accepted it. */
function isRaw(raw: unknown): raw is Raw {
  return typeof raw === 'object' && raw !== null && 'rows' in raw && 'chain' in raw;
}

function notOne(): Problem {
  return new Problem(
    'The file is not an evidence report of this version, or it was cut off. Make one: keyferry report NAME --json -f FILE.',
  );
}

function problemsOf(found: Break | undefined, { rows }: Evidence): readonly string[] {
  if (found === undefined) return [];
  if (found.at === 'start')
    return ['The part before the rows was changed: the migration, its totals, times or backends.'];
  if (found.at === 'end')
    return [
      'The end of the chain was changed: rows after the last one are missing, or the head or the count was edited.',
    ];
  const row = rows[found.index];
  const name =
    row === undefined ? '' : ` (${[row.name, row.key].map((part) => escapedName(part)).join(' ')})`;
  return [
    `Row ${found.index + 1}${name} breaks the chain: it was changed, or rows before it were removed, added or moved.`,
  ];
}
