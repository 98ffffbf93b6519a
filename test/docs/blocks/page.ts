import { existsSync } from 'node:fs';
import { join } from 'node:path';

/* The blocks of a page of documentation, as docs/contributing/documentation.md describes them. */

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** What a page may expect: a cluster without Keyferry, one with its CRDs and rights, or one with an operator too. */
const NEEDS = ['installs', 'cluster', 'operator'] as const;
export type Needs = (typeof NEEDS)[number];

/** Languages that nothing executes. */
const SHOWN: ReadonlySet<string> = new Set(['json', 'hcl', 'text', 'mermaid', 'ts', 'import-law']);
const FENCE = /^( *)(```+|~~~+) *(\S*)/;
const COMMENT = /^ *<!-- test: (.*?) *-->$/;
const NOT_RUN = /^not run; because (\S.*); covered by (\S+)$/;
const LIST_ITEM = /^ *(?:[-*+]|\d+[.)]) /;

/** One thing to execute. */
export interface Step {
  /** Where it stands in the page, counted from 1. */
  readonly line: number;
  /** Text for bash, or the YAML of a fragment. */
  readonly text: string;
  readonly kind: 'command' | 'fragment';
  /** Lines that the page shows; undefined where it shows none. */
  readonly expected: readonly string[] | undefined;
  /** Whether the page says that it fails. */
  readonly fails: boolean;
}

/** A block that the page says is not executed. */
export interface NotRun {
  readonly line: number;
  readonly reason: string;
  /** A path from the root of the repository. */
  readonly coveredBy: string;
}

export interface Page {
  readonly file: string;
  readonly needs: Needs;
  /** Files of test/docs/with, without `.sh`: what the reader has when the page begins. */
  readonly prepared: readonly string[];
  readonly steps: readonly Step[];
  readonly notRun: readonly NotRun[];
}

interface Block {
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
  /** What a comment says about it, without `test:`. */
  readonly comment: string | undefined;
}

/**
 * Reads a page. Throws, with the file and the line, for a block that is neither executed nor announced as not executed: one
 * without a known language, an indented one, or YAML that is not complete; and for a comment that says nothing known.
 */
export function parsePage(file: string, text: string): Page {
  const lines = text.split('\n');
  const refuse = (line: number, problem: string): never => {
    throw new Error(`${file}:${line}: ${problem}`);
  };
  const blocks = blocksOf(lines, refuse);
  const steps: Step[] = [];
  const notRun: NotRun[] = [];
  for (const block of blocks) {
    const exception = block.comment === undefined ? null : NOT_RUN.exec(block.comment);
    if (exception !== null) {
      notRun.push({ line: block.line, reason: exception[1] ?? '', coveredBy: exception[2] ?? '' });
    } else if (block.comment !== undefined && block.comment !== 'fails') {
      refuse(block.line, `"test: ${block.comment}" says nothing known`);
    } else steps.push(...stepsOf(block, refuse));
  }
  return { file, ...requirementsOf(lines[0] ?? '', refuse), steps, notRun };
}

/** The problem with a block that is not executed, or undefined: the test that covers it must exist. */
export function problemOf({ coveredBy }: NotRun): string | undefined {
  return existsSync(join(ROOT, coveredBy)) ? undefined : `${coveredBy} does not exist`;
}

type Refuse = (line: number, problem: string) => never;

/** `needs=operator with=payments`; the second one may be missing. */
function requirementsOf(first: string, refuse: Refuse): Pick<Page, 'needs' | 'prepared'> {
  const comment = COMMENT.exec(first)?.[1] ?? '';
  if (!comment.startsWith('needs=')) return { needs: 'operator', prepared: [] };
  const [, word = '', names = ''] = /^needs=(\w+)(?: with=([a-z,-]+))?$/.exec(comment) ?? [];
  const needs = NEEDS.find((known) => known === word);
  if (needs === undefined)
    return refuse(1, `"${comment}" is not needs=${NEEDS.join('|')}, perhaps with=<file>`);
  const prepared = names.split(',').filter((name) => name !== '');
  const missing = prepared.map(preparation).find((path) => !existsSync(path));
  if (missing !== undefined) refuse(1, `${missing} is missing`);
  return { needs, prepared };
}

/** The script that prepares a page with this name. */
export function preparation(name: string): string {
  return join(ROOT, 'test', 'docs', 'with', `${name}.sh`);
}

function blocksOf(lines: readonly string[], refuse: Refuse): readonly Block[] {
  const blocks: Block[] = [];
  let at = lines[0] !== undefined && COMMENT.exec(lines[0])?.[1]?.startsWith('needs=') === true ? 1 : 0;
  let comment: string | undefined;
  while (at < lines.length) {
    const block = blockAt(lines, at, refuse);
    if (block !== undefined) {
      blocks.push({ ...block, comment });
      comment = undefined;
      at += block.lines.length + 1;
    } else {
      if (isIndented(lines, at)) refuse(at + 1, 'an indented block: use ```console, ```sh or ```text');
      const next = commentAfter(lines[at] ?? '', comment);
      comment = next === MISPLACED ? refuse(at + 1, 'a comment "test:" has no block below it') : next;
    }
    at += 1;
  }
  return blocks;
}

/** The fenced block that begins here, without its indentation. */
function blockAt(lines: readonly string[], at: number, refuse: Refuse): Omit<Block, 'comment'> | undefined {
  const fence = FENCE.exec(lines[at] ?? '');
  if (fence === null) return undefined;
  const [, indent = '', mark = '', language = ''] = fence;
  const length = lines.slice(at + 1).findIndex((line) => line.trim().startsWith(mark));
  if (length === -1) refuse(at + 1, 'the block has no end');
  const content = lines
    .slice(at + 1, at + 1 + length)
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
  return { line: at + 1, language, lines: content };
}

const MISPLACED = Symbol('misplaced');

/** The comment that is above the next line: blank lines may stand between it and its block, text must not. */
function commentAfter(line: string, comment: string | undefined): string | typeof MISPLACED | undefined {
  if (line.trim() === '') return comment;
  return comment === undefined ? COMMENT.exec(line)?.[1] : MISPLACED;
}

/** Whether a block of code begins here by its indentation; text of a list is indented, too. */
function isIndented(lines: readonly string[], at: number): boolean {
  if (!/^ {4}/.test(lines[at] ?? '') || (lines[at - 1] ?? '').trim() !== '') return false;
  const parent = lines.slice(0, at).findLast((line) => /^\S/.test(line));
  return parent === undefined || !LIST_ITEM.test(parent);
}

function stepsOf(block: Block, refuse: Refuse): readonly Step[] {
  const { line, language, lines } = block;
  const text = lines.join('\n');
  const step = {
    line: line + 1,
    expected: undefined,
    kind: 'command',
    fails: block.comment === 'fails',
  } as const;
  if (language === 'console') return consoleSteps(block, refuse);
  if (language === 'sh') return [{ ...step, text }];
  if (language === 'yaml') {
    if (text.startsWith('spec:')) return [{ ...step, text, kind: 'fragment' }];
    if (/^apiVersion:/m.test(text) && /^kind:/m.test(text)) return [{ ...step, text: applied(text) }];
    return refuse(
      line,
      'YAML without apiVersion and kind: begin a fragment with "spec:", or say that it is not run',
    );
  }
  const hidden = SHOWN.has(language) ? lines.findIndex((shown) => shown.startsWith('$ ')) : -1;
  if (hidden !== -1)
    return refuse(line + 1 + hidden, 'a command in a block that is not executed: use console');
  if (SHOWN.has(language)) return [];
  return refuse(line, `a block of the language "${language}" is not executed: use console, sh, yaml or text`);
}

function applied(yaml: string): string {
  return `kubectl apply -f - <<'END OF BLOCK'\n${yaml}\nEND OF BLOCK`;
}

/** `$ command`, lines of the command that go on after `> `, and what it prints. */
function consoleSteps(block: Block, refuse: Refuse): readonly Step[] {
  const steps: { line: number; command: string[]; expected: string[] }[] = [];
  for (const [index, line] of block.lines.entries()) {
    const last = steps.at(-1);
    if (line.startsWith('$ '))
      steps.push({ line: block.line + 1 + index, command: [line.slice(2)], expected: [] });
    else if (last === undefined) refuse(block.line + 1 + index, 'a console block begins with "$ command"');
    else if (last.expected.length === 0 && /^>( |$)/.test(line)) last.command.push(line.slice(2));
    else last.expected.push(line);
  }
  return steps.map(({ line, command, expected }, index) => ({
    line,
    text: command.join('\n'),
    kind: 'command',
    expected,
    fails: block.comment === 'fails' && index === steps.length - 1,
  }));
}
