import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { readyOf } from '#src/controllers/conditions.ts';
import type { Clock } from '#src/ports.ts';
import type { Invocation } from '../invocation.ts';
import { printable, type Output } from '../output.ts';
import { tableOf } from '../table.ts';

/** Rows that a person reads at once; `-o yaml` has all. */
const MOST_ROWS = 100;
/** Names of keys in one cell. */
const MOST_KEYS = 3;
/** Between two lines of progress in a pipe. */
const LINE_EVERY_MS = 10_000;

/** How far the run is: one line that is drawn again on a terminal, a line now and then in a pipe. */
export class Progress {
  readonly #streams: Invocation['streams'];
  readonly #clock: Pick<Clock, 'monotonic'>;
  #lineAt: number;
  #isDrawn = false;

  constructor({ clock, streams }: Pick<Invocation, 'clock' | 'streams'>) {
    this.#streams = streams;
    this.#clock = clock;
    this.#lineAt = clock.monotonic() + LINE_EVERY_MS;
  }

  show(migration: SecretMigration): void {
    const ready = readyOf(migration.status);
    if (ready?.status !== 'Unknown') return;
    const { columns = 80, isTTY } = this.#streams.stderr;
    const text = printable(ready.message);
    if (isTTY === true) this.#draw(text.slice(0, columns - 1));
    else if (this.#clock.monotonic() >= this.#lineAt) {
      this.#lineAt = this.#clock.monotonic() + LINE_EVERY_MS;
      this.#streams.stderr.write(`${text}\n`);
    }
  }

  /** Removes the line: what follows is the result. */
  end(): void {
    if (this.#isDrawn) this.#draw('');
    this.#isDrawn = false;
  }

  #draw(text: string): void {
    this.#isDrawn = true;
    // Back to the start of the line, and clear it.
    this.#streams.stderr.write(`\r\u001B[2K${text}`);
  }
}

/** The documents that are not done, or in a dry run what would become of each; then the totals. */
export function showEnd(output: Output, migration: SecretMigration, rows: readonly StatusRow[]): void {
  const { dryRun } = migration.spec;
  const shown = documentsOf(rows.filter((row) => dryRun || isOpen(row)));
  if (shown.length > 0) {
    output.line(tableOf(HEAD, shown.slice(0, MOST_ROWS).map(cellsOf)));
    const more = shown.length - MOST_ROWS;
    if (more > 0) output.line(`… and ${more} more; -o yaml has all.`);
    output.line();
  }
  const ready = readyOf(migration.status);
  if (ready !== undefined) {
    const color = ready.status === 'True' ? 'green' : ready.status === 'False' ? 'red' : 'yellow';
    // A status cannot know of the flag.
    const said = ready.message.replace(
      'set spec.dryRun to false to start',
      'run it without --dry-run to start',
    );
    output.line(`${output.paint(color, ready.reason)}: ${printable(said)}`);
  }
  output.line(totalsOf(migration));
}

const HEAD = ['NAME', 'KEYS', 'STATE', 'REASON', 'MESSAGE'];

/** A verified row with a message is one whose source is still to be removed, or that lost something on its way. */
function isOpen({ message, state }: StatusRow): boolean {
  return state === 'Verified' || state === 'Removed' ? message !== undefined : true;
}

interface Document {
  readonly row: StatusRow;
  readonly keys: string[];
}

/** One line for each document and state, whatever the number of its rows. */
function documentsOf(rows: readonly StatusRow[]): readonly Document[] {
  const documents: Document[] = [];
  for (const row of rows) {
    const last = documents.at(-1);
    if (last !== undefined && last.row.name === row.name && last.row.state === row.state)
      last.keys.push(...row.keys);
    else documents.push({ row, keys: [...row.keys] });
  }
  return documents;
}

function cellsOf({ keys, row: { message = '', name, reason = '', state } }: Document): readonly string[] {
  const more = keys.length - MOST_KEYS;
  const named = keys.slice(0, MOST_KEYS).join(', ');
  return [name, more > 0 ? `${named} and ${more} more` : named, state, reason, message].map(printable);
}

/** `12 keys: 10 verified, 2 failed.` */
function totalsOf({ status: { summary } }: SecretMigration): string {
  if (summary === undefined) return 'No keys.';
  const { total, ...states } = summary;
  const counted = Object.entries(states).flatMap(([state, keys]) => (keys > 0 ? [`${keys} ${state}`] : []));
  return `${total} ${total === 1 ? 'key' : 'keys'}${counted.length === 0 ? '' : `: ${counted.join(', ')}`}.`;
}
