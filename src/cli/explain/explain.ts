import { isRowReason, ROW_REASONS, ROW_STATE_MEANINGS } from '#src/api/v1alpha1/conditions.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { ageOf } from '../age.ts';
import { UserCluster } from '../cluster.ts';
import { fieldsOf } from '../fields.ts';
import { commandLine } from '../hint.ts';
import type { Invocation } from '../invocation.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';
import { readTable, type Table } from '../rows.ts';
import { leftOutOf } from '../status/header.ts';
import { keyTable } from '../status/key-table.ts';
import { migrationOf } from '../secret-migrations.ts';
import { lastEqual, ledBy } from './led.ts';
import { matchesOf, type Match } from './match.ts';
import { nextOf } from './next.ts';
import { commandsFor, plainSteps } from './steps.ts';

/** Says everything that is known of one document or key. Resolves with the exit code: 1 if several match. */
export async function explainKey(
  invocation: Invocation,
  { name, key }: { readonly name: string; readonly key: string },
): Promise<number> {
  const { clock, output, signal } = invocation;
  await using cluster = await UserCluster.open(invocation);
  const migration = migrationOf(await cluster.get('SecretMigration', name));
  const table = await readTable(cluster, migration, signal);
  const { found, similar } = matchesOf(table.rows, key);
  const [match, ...others] = found;
  if (match === undefined) throw new Problem(noneOf(invocation, { migration, key, table, similar }));
  if (table.missing !== undefined) output.note(`Rows are missing. ${table.missing}`);
  if (others.length === 0) {
    output.line(explanationOf(migration, match, invocation));
    return 0;
  }
  output.line(
    keyTable(
      found.flatMap(({ rows }) => rows),
      { nowMs: clock.now(), output },
    ),
  );
  output.note(`Several keys match "${printable(key)}". Give one of them as NAME/KEY.`);
  return 1;
}

interface NotFound {
  readonly migration: SecretMigration;
  readonly key: string;
  readonly table: Table;
  readonly similar: readonly string[];
}

function noneOf({ flags }: Invocation, { migration, key, table, similar }: NotFound): string {
  const { name } = migration.metadata;
  const none = `The migration ${name} has no document or key "${printable(key)}".`;
  if (table.missing !== undefined) return `${none} Rows are missing. ${table.missing}`;
  if (similar.length > 0) return `${none} Similar: ${similar.map(printable).join(', ')}.`;
  if (table.rows.length === 0) return `${none} It has no keys yet: ${commandLine(flags, 'status', name)}`;
  const without = leftOutOf(migration.status);
  const perhaps = without === undefined ? '' : ` The source lists documents that have no row: ${without}.`;
  return `${none}${perhaps} To see all keys: ${commandLine(flags, 'status', name, '--all')}`;
}

/** All keys of a document share what is said of it, but one that was asked for by its name stands alone. */
export function explanationOf(
  migration: SecretMigration,
  { rows }: Match,
  { clock, flags, output }: Pick<Invocation, 'clock' | 'flags' | 'output'>,
): string {
  const [row] = rows;
  const nowMs = clock.now();
  const { metadata } = migration;
  const since = row.lastTransitionTime;
  const keys = rows.map(({ key }) => printable(key)).filter((key) => key !== '');
  return fieldsOf(
    [
      ['Document', printable(row.name)],
      [keys.length > 1 ? 'Keys' : 'Key', keys.join(', ')],
      ['Migration', `${metadata.name} (namespace ${metadata.namespace}, ${migration.spec.mode})`],
      ['State', `${row.state}, for ${ageOf(since, nowMs)} (since ${since})`],
      ['Reason', printable(row.reason ?? '')],
      ['Message', printable(row.message ?? '')],
      ...placesOf(migration, rows),
      ['Meaning', meaningOf(row)],
      ['Last change', ledBy(migration, row)],
      ['Next', nextOf(migration, row, nowMs)],
      ['What to do', plainSteps(row.reason ?? '').join('\n')],
      ['Commands', commandsFor(migration, row, flags).join('\n')],
    ],
    output.columns,
  );
}

type Field = readonly [label: string, text: string | undefined];

function placesOf({ status: { backends } }: SecretMigration, rows: Match['rows']): readonly Field[] {
  const [row] = rows;
  const { backup, rule, source } = row;
  return [
    ['Source', placeOf(backends?.source, source?.path ?? row.name, source?.version)],
    ...destinationOf(backends?.destination, row),
    newKeysOf(rows),
    ['Last equal', printable(lastEqual(row) ?? '')],
    ['Rule', rule && `spec.mapping.${printable(rule)}`],
    ['Backup', printable(backup ?? '')],
  ];
}

function destinationOf(backend: string | undefined, { destination }: KeyRow): readonly Field[] {
  if (destination === undefined) return [];
  const { path, priorVersion, version } = destination;
  return [
    ['Destination', placeOf(backend, path, version)],
    ['Version before', printable(priorVersion ?? '')],
  ];
}

/** In the order of the keys; nothing if all keep their names. */
function newKeysOf(rows: Match['rows']): Field {
  if (rows.every(({ destination }) => destination?.key === undefined)) return ['New key', ''];
  const names = rows.map(({ destination, key }) => printable(destination?.key ?? key));
  return [names.length > 1 ? 'New keys' : 'New key', names.join(', ')];
}

function placeOf(backend: string | undefined, path: string, version: string | undefined): string {
  const parts = [backend, path, version === undefined ? undefined : `version ${version}`];
  return printable(parts.filter((part) => part !== undefined).join(', '));
}

function meaningOf({ reason, state }: KeyRow): string {
  const meaning = ROW_STATE_MEANINGS[state];
  if (reason === undefined) return meaning;
  const why = isRowReason(reason) ? ROW_REASONS[reason] : 'Another version of the operator gave the reason.';
  return why === meaning ? meaning : `${meaning} ${why}`;
}
