import type { UserCluster } from '../cluster.ts';
import { commandsOfHeld } from '../explain/steps.ts';
import { commandLine } from '../hint.ts';
import type { Invocation } from '../invocation.ts';
import { isRunning } from '../ready.ts';
import { readTable, type Table } from '../rows.ts';
import { structured } from '../structured.ts';
import type { StatusFlags } from './flags.ts';
import { headerOf } from './header.ts';
import { exceptionsFirst, filtered, keyTable, needsPerson } from './key-table.ts';
import { migrationOf, titled } from '../secret-migrations.ts';
import { withAllRows } from './objects.ts';
import { paceOfRows } from './pace.ts';

/** One migration of the cluster, and how it is shown. */
export interface Named {
  readonly cluster: UserCluster;
  readonly name: string;
  readonly flags: StatusFlags;
}

/** Rows of a long table on a terminal; a pipe gets all. */
const MOST_ROWS = 50;

/** Prints one migration with its keys. Resolves with the exit code. */
export async function showMigration(invocation: Invocation, named: Named): Promise<number> {
  const { clock, output, signal } = invocation;
  const { cluster, flags, name } = named;
  const object = await cluster.get('SecretMigration', name);
  const { format } = flags;
  if (format === 'json' || format === 'yaml') {
    output.line(structured(await withAllRows(object, { cluster, output, signal }), format));
    return 0;
  }
  if (format === 'name') {
    output.line(titled(object.metadata.name));
    return 0;
  }
  const migration = migrationOf(object);
  const table = await readTable(cluster, migration, signal);
  const nowMs = clock.now();
  const perSecond = isRunning(migration) ? paceOfRows(table.rows, nowMs) : undefined;
  output.line(headerOf(migration, { nowMs, output, perSecond }));
  printKeys(invocation, named, table);
  const [release] = commandsOfHeld(migration, invocation.flags)?.slice(-1) ?? [];
  if (release !== undefined && output.isTerminal) output.note(`To go on: ${release}`);
  return 0;
}

/** The table of keys, cut on a terminal, and what to know about it. */
function printKeys({ clock, flags: global, output }: Invocation, named: Named, table: Table): void {
  const { flags, name } = named;
  const rows = exceptionsFirst(filtered(table.rows, flags.filter));
  const isCut = output.isTerminal && !flags.showsAll && rows.length > MOST_ROWS;
  const shown = isCut ? rows.slice(0, MOST_ROWS) : rows;
  output.line();
  if (table.rows.length === 0) output.line('No keys yet.');
  else if (rows.length === 0) output.line('No key matches --state and --filter.');
  else output.line(keyTable(shown, { nowMs: clock.now(), output }));
  if (isCut) {
    const all = commandLine(global, 'status', name, ...wordsOf(flags), '--all');
    output.line(`… and ${rows.length - shown.length} more. To see all of them: ${all}`);
  }
  if (table.missing !== undefined) output.note(`Rows are missing. ${table.missing}`);
  const first = rows.find(needsPerson);
  if (first !== undefined && output.isTerminal)
    output.note(`To see what to do: ${commandLine(global, 'explain', name, first.name)}`);
}

/** The filters again, for a command line. */
function wordsOf({ filter: { states, text } }: StatusFlags): readonly string[] {
  return [
    ...(states === undefined ? [] : ['--state', [...states].join(',')]),
    ...(text === undefined ? [] : ['--filter', text]),
  ];
}
