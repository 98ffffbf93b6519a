import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { readyOf } from '#src/controllers/conditions.ts';
import { ageOf } from '../age.ts';
import { wrapped } from '../fields.ts';
import { printable, type Output } from '../output.ts';
import type { Table } from '../rows.ts';
import type { Change } from './changes.ts';
import { paintedBy } from './columns.ts';
import type { Filter } from './flags.ts';
import { countsOf, progressOf } from './header.ts';
import { exceptionsFirst, filtered, isException, keyTable, needsPerson } from './key-table.ts';
import { lostText } from './lost.ts';

/** What a watch knows of one migration. */
export interface Seen {
  readonly migration: SecretMigration;
  readonly table: Table;
  readonly changes: readonly Change[];
  readonly perSecond: number | undefined;
  readonly trouble: string | undefined;
}

export interface Framing {
  readonly nowMs: number;
  readonly output: Output;
  readonly filter: Filter;
  /** The command that explains a key. */
  readonly hint: string;
}

const MOST_MESSAGE_LINES = 3;
const MOST_CHANGES = 5;

/** One picture of a migration, not higher than the terminal. */
export function frameOf(seen: Seen, framing: Framing): string {
  const { output } = framing;
  const top = topOf(seen, output);
  const changes = changesOf(seen, framing);
  const bottom = [
    ...changes,
    ...(seen.trouble === undefined ? [] : ['', output.paint('yellow', lostText(seen.trouble))]),
  ];
  // log-update ends with an empty line.
  const room = output.rows - top.length - bottom.length - 2;
  return [...top, ...keysOf(seen, framing, room), ...bottom].join('\n');
}

function topOf({ migration, perSecond }: Seen, output: Output): readonly string[] {
  const { status } = migration;
  const message = wrapped(printable(readyOf(status)?.message ?? ''), output.columns);
  const progress = progressOf(status, { output, perSecond });
  return [
    titleOf(migration, output),
    ...message.slice(0, MOST_MESSAGE_LINES),
    ...(progress === undefined ? [] : ['', progress]),
    ...[countsOf(status)].filter((counts) => counts !== undefined),
  ];
}

function titleOf({ metadata, status }: SecretMigration, output: Output): string {
  const { backends } = status;
  const ready = readyOf(status);
  const reason = printable(ready?.reason ?? 'Waiting for the operator');
  return [
    output.paint('bold', metadata.name),
    paintedBy(ready, output, reason),
    ...(backends === undefined ? [] : [printable(`${backends.source} → ${backends.destination}`)]),
  ].join('   ');
}

/** Without a filter, only what is not done: all keys are in the table without -w. */
function keysOf({ table }: Seen, { filter, hint, nowMs, output }: Framing, room: number): readonly string[] {
  const isChosen = filter.states !== undefined || filter.text !== undefined;
  const chosen = filtered(table.rows, filter);
  const rows = exceptionsFirst(isChosen ? chosen : chosen.filter(isException));
  // An empty line, the head, and the last line.
  const most = Math.max(0, room - 3);
  if (rows.length === 0 || most === 0) return [];
  const shown = rows.slice(0, most);
  const more = rows.length - shown.length;
  return [
    '',
    ...keyTable(shown, { nowMs, output }).split('\n'),
    ...(more > 0 ? [`… and ${more} more`] : []),
    ...(more === 0 && rows.some(needsPerson) ? [output.paint('dim', `To see what to do: ${hint}`)] : []),
  ];
}

function changesOf({ changes }: Seen, { nowMs, output }: Framing): readonly string[] {
  if (changes.length === 0) return [];
  return [
    '',
    output.paint('bold', 'Last changes'),
    ...changes.slice(0, MOST_CHANGES).map((change) => lineOf(change, nowMs)),
  ];
}

function lineOf({ before, row }: Change, nowMs: number): string {
  const { key, name, reason, state } = row;
  const what = reason === undefined ? state : `${state} (${printable(reason)})`;
  const title = printable(key === '' ? name : `${name}/${key}`);
  return `  ${ageOf(row.lastTransitionTime, nowMs)} ago   ${title}   ${before === undefined ? '' : `${before} → `}${what}`;
}
