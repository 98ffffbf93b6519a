import type { Output } from '../output.ts';
import { printable } from '../output.ts';
import { printDocument } from '../format.ts';
import type { Format } from '../structured.ts';
import { tableOf } from '../table.ts';
import { exitCodeOf, EXIT, type Action, type PlannedDocument, type ShownPlan, type Totals } from './plan.ts';

/** Lines about single documents before the table; the table has all of them. */
const MOST_WARNINGS = 20;
/** Characters of the names of keys in the table. */
const MOST_KEYS = 40;

/** Prints a plan: what needs a person first, then the table, then the numbers. */
export async function printPlan(output: Output, plan: ShownPlan, format?: Format): Promise<void> {
  if (format !== undefined) {
    await printDocument(output, plan, format);
    return;
  }
  printWarnings(output, plan);
  printTable(output, plan);
  output.line(summaryOf(plan));
  if (plan.digest !== undefined) output.line(`Digest: ${printable(plan.digest)}`);
}

/** Conflicts and failures first, then what would be lost or held. */
function printWarnings(output: Output, { documents, isComplete }: ShownPlan): void {
  const urgent = documents.filter(({ action }) => action === 'fail' || action === 'conflict');
  const noted = documents.filter(
    ({ action, message }) => message !== undefined && action !== 'fail' && action !== 'conflict',
  );
  const all = [...urgent, ...noted];
  if (!isComplete)
    output.line(output.paint('red', 'Rows of this plan are missing: reports were deleted or changed.'));
  for (const document of all.slice(0, MOST_WARNINGS)) output.line(warningOf(output, document));
  const others = all.length - MOST_WARNINGS;
  if (others > 0) output.line(`… and ${others} more: -o yaml shows all.`);
  if (all.length > 0 || !isComplete) output.line();
}

function warningOf(output: Output, { action, message, name, reason }: PlannedDocument): string {
  const title = action === 'fail' ? 'cannot be planned' : action === 'conflict' ? 'conflict' : 'note';
  const color = action === 'fail' ? 'red' : 'yellow';
  const said = [reason, message].filter((part) => part !== undefined).join(': ');
  return `${output.paint(color, title)}: ${printable(name)}${said === '' ? '' : `: ${printable(said)}`}`;
}

/** The column of the sources is there only where something becomes of one. */
function printTable(output: Output, { documents }: ShownPlan): void {
  if (documents.length === 0) return;
  const hasFates = documents.some(({ source }) => source !== undefined);
  const rows = documents.map(({ action, destination = '', keys, name, reason = '', source = 'keep' }) => [
    WORDS[action],
    printable(name),
    printable(destination),
    printable(firstKeys(keys)),
    ...(hasFates ? [source] : []),
    printable(reason),
  ]);
  const head = ['ACTION', 'DOCUMENT', 'DESTINATION', 'KEYS', ...(hasFates ? ['SOURCE'] : []), 'REASON'];
  output.line(tableOf(head, rows));
  output.line();
}

const WORDS: Readonly<Record<Action, string>> = {
  create: 'create',
  adopt: 'adopt',
  overwrite: 'overwrite',
  conflict: 'conflict',
  fail: 'fail',
  skip: 'skip',
  none: '-',
};

/** `password,username +3` */
function firstKeys(keys: readonly string[]): string {
  const shown: string[] = [];
  for (const key of keys) {
    if (shown.length > 0 && [...shown, key].join(',').length > MOST_KEYS) break;
    shown.push(key);
  }
  const others = keys.length - shown.length;
  return `${shown.join(',')}${others > 0 ? ` +${others}` : ''}`;
}

/** `Plan: 12 to create, 3 to adopt, 2 conflicts, 12 sources to remove.` Without the zeros. */
export function summaryOf(plan: ShownPlan): string {
  const numbers = numbersOf(plan.totals);
  if (exitCodeOf(plan) !== EXIT.nothing) return `Plan: ${numbers.join(', ')}.`;
  return `Nothing to do${numbers.length === 0 ? '' : `: ${numbers.join(', ')}`}.`;
}

function numbersOf(totals: Totals): readonly string[] {
  const {
    adopt,
    conflicts,
    create,
    excluded = 0,
    failed,
    metadataLost = 0,
    overwrite,
    remove = 0,
    skipped,
  } = totals;
  const numbers: readonly (readonly [number, string])[] = [
    [create, 'to create'],
    [adopt, 'to adopt'],
    [overwrite, 'to overwrite'],
    [conflicts, conflicts === 1 ? 'conflict' : 'conflicts'],
    [failed, 'that cannot be planned'],
    [remove, remove === 1 ? 'source to remove' : 'sources to remove'],
    [skipped, 'skipped'],
    [excluded, 'excluded'],
    [metadataLost, 'that lose metadata'],
  ];
  return numbers.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
}
