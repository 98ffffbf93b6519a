import { readFile, stat, writeFile } from 'node:fs/promises';
import { toKubernetesTime } from '#src/schema/meta.ts';
import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';
import type { Evidence } from './evidence.ts';
import { pageOf } from './html.ts';
import { evidenceOf } from './model.ts';
import { observe } from './read.ts';
import { textOf } from './text.ts';
import { verifyText } from './verify.ts';

/** The flags of `report`. */
export interface ReportFlags {
  readonly html: boolean;
  readonly json: boolean;
  /** File to write to. */
  readonly file?: string | undefined;
}

/** Larger files are not ours: about half a million keys as JSON. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** A page with more keys is too large for a browser: it has 1.2 KB for each. */
const MAX_KEYS_OF_PAGE = 50_000;

/** Writes the evidence report of a migration. Resolves with 1 if its numbers do not balance. */
export async function makeReport(invocation: Invocation, name: string, flags: ReportFlags): Promise<number> {
  const render = rendererOf(flags);
  await using cluster = await UserCluster.open(invocation);
  const { clock, signal, version, output, streams } = invocation;
  const observed = await observe(cluster, name, signal);
  requirePageSize(flags, observed.rows.length);
  const evidence = evidenceOf(observed, { madeAt: toKubernetesTime(clock.now()), version });
  const text = render(evidence);
  if (flags.file === undefined) streams.stdout.write(text);
  else await writeNew(flags.file, text);
  const say = (line: string): void => (flags.file === undefined ? output.note(line) : output.line(line));
  say(`${flags.file ?? name}: ${countsOf(evidence)}`);
  say(`head of the chain: ${evidence.chain.head}`);
  output.note('Keep the head in another place: with it, keyferry report verify finds every later change.');
  return tellBalance(invocation, evidence);
}

function rendererOf({ html, json }: ReportFlags): (evidence: Evidence) => string {
  if (html === json) throw new Problem('Say which report: --html for people, or --json for programs.');
  return html ? pageOf : textOf;
}

function requirePageSize({ html }: ReportFlags, keys: number): void {
  if (html && keys > MAX_KEYS_OF_PAGE)
    throw new Problem(`The migration has ${keys} keys, and a page can have ${MAX_KEYS_OF_PAGE}. Use --json.`);
}

function countsOf({ totals, chain }: Evidence): string {
  return `${totals.discovered} documents discovered, ${chain.rows} keys`;
}

function tellBalance({ output }: Invocation, { balance }: Evidence): number {
  if (balance.isBalanced) return 0;
  output.note('THE REPORT DOES NOT BALANCE:');
  for (const problem of balance.problems) output.note(`  ${problem}`);
  return 1;
}

/** Evidence is never overwritten. */
async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (failure) {
    throw fileProblem(file, failure);
  }
}

/** Checks a report without a cluster. Resolves with 1 if it is not as it was made. */
export async function verifyReport(
  { output, version }: Invocation,
  file: string,
  { head }: { readonly head?: string | undefined },
): Promise<number> {
  const { evidence, problems, notes } = verifyText(await textIn(file), { version, head });
  for (const note of notes) output.note(note);
  for (const problem of problems) output.note(`${file}: ${problem}`);
  if (problems.length > 0) return 1;
  const { migration, madeAt, chain } = evidence;
  const title = printable(`SecretMigration ${migration.namespace}/${migration.name}`);
  output.line(`${file}: unchanged, ${chain.rows} keys of ${title}, made ${printable(madeAt)}`);
  output.line(`head of the chain: ${printable(chain.head)}`);
  if (head === undefined)
    output.note(
      'Compare the head with the one that you kept, or give it: --head. Without it, a report with new hashes looks the same.',
    );
  if (!evidence.balance.isBalanced) output.note('The report itself says that it does not balance.');
  return 0;
}

async function textIn(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES)
      throw new Problem(`${file} is larger than any evidence report. Check the name of the file.`);
    return await readFile(file, 'utf8');
  } catch (failure) {
    throw failure instanceof Problem ? failure : fileProblem(file, failure);
  }
}

const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  EEXIST: 'exists already, and a report is never overwritten. Name another file, or move this one',
  ENOENT: 'does not exist, or its folder does not. Check the path',
  EACCES: 'may not be accessed. Check its permissions, or name another file',
  EISDIR: 'is a folder. Name a file',
};

function fileProblem(file: string, failure: unknown): Problem {
  const code = failure instanceof Error && 'code' in failure ? String(failure.code) : 'unknown';
  return new Problem(`${file} ${FILE_PROBLEMS[code] ?? `cannot be read or written (${code})`}.`);
}
