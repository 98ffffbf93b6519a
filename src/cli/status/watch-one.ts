import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { commandLine } from '../hint.ts';
import type { Invocation } from '../invocation.ts';
import { hasCompleted, isRunning } from '../ready.ts';
import { readTable, type Table } from '../rows.ts';
import { screenOf, type Screen } from '../screen.ts';
import type { Look } from '../watch-objects.ts';
import { Changes } from './changes.ts';
import { cellsOf, headOf } from './columns.ts';
import { frameOf } from './frame.ts';
import { LineLog } from './line-log.ts';
import { doneOf, listedOf } from './listed.ts';
import { follow, type View } from './live.ts';
import { migrationOf } from '../secret-migrations.ts';
import type { Named } from './one.ts';
import { Pace } from './pace.ts';

/**
 * `status NAME -w`: one migration, drawn again with each change; in a pipe one line for each change. Ends with 0 when it has
 * completed; what is kept in step never does.
 */
export async function watchOne(invocation: Invocation, named: Named): Promise<number> {
  const { cluster, name } = named;
  // Says what is wrong if there is none.
  await cluster.get('SecretMigration', name);
  const choice = {
    kind: 'SecretMigration' as const,
    namespace: cluster.namespace,
    fieldSelector: `metadata.name=${name}`,
  };
  return follow(invocation, cluster, { choice, view: new OneView(invocation, named) });
}

/** Reports are read again at most this often: they are many. */
const REPORTS_EVERY_MS = 5000;
const COLUMNS = { inAllNamespaces: false, isWide: false };

class OneView implements View {
  readonly #invocation: Invocation;
  readonly #named: Named;
  readonly #screen: Screen | undefined;
  readonly #lines: LineLog;
  readonly #pace = new Pace();
  readonly #changes = new Changes();
  #migration: SecretMigration | undefined;
  #table: Table = { rows: [], stored: [], isComplete: true };
  #tableOf: { readonly resourceVersion: string; readonly atMs: number } | undefined;
  #isDeleted = false;
  exitCode: number | undefined;

  constructor(invocation: Invocation, named: Named) {
    this.#invocation = invocation;
    this.#named = named;
    this.#screen = screenOf(invocation);
    this.#lines = new LineLog(invocation.output, headOf(COLUMNS));
  }

  see(look: Exclude<Look, { readonly kind: 'lost' }>): void {
    const object = look.kind === 'all' ? look.objects[0] : look.object;
    if (object === undefined || look.kind === 'deleted') {
      this.#isDeleted = true;
      return;
    }
    this.#migration = migrationOf(object);
    const progress = doneOf(listedOf(object));
    if (progress !== undefined) this.#pace.note(progress.done, this.#invocation.clock.now());
    if (this.#screen === undefined) this.#print(object);
  }

  async draw(trouble: string | undefined): Promise<void> {
    if (this.#isDeleted) this.#endDeleted();
    if (this.#migration === undefined || this.#isDeleted) return;
    if (hasCompleted(this.#migration)) this.exitCode = 0;
    if (this.#screen === undefined) this.#lines.trouble(trouble);
    else await this.#drawOn(this.#screen, this.#migration, trouble);
  }

  end(): void {
    this.#screen?.end();
  }

  #endDeleted(): void {
    const { output } = this.#invocation;
    this.#screen?.end();
    output.note(`The SecretMigration ${this.#named.name} was deleted.`);
    this.exitCode = 1;
  }

  /** At once: each change has its line, however soon the next one follows. */
  #print(object: KubeObject): void {
    const { clock, output } = this.#invocation;
    const listed = listedOf(object);
    const cells = cellsOf(listed, COLUMNS, { nowMs: clock.now(), output });
    const age = headOf(COLUMNS).indexOf('AGE');
    this.#lines.trouble(undefined);
    this.#lines.line(object.metadata.uid, cells, JSON.stringify(cells.toSpliced(age, 1)));
  }

  async #drawOn(screen: Screen, migration: SecretMigration, trouble: string | undefined): Promise<void> {
    const { clock, flags, output } = this.#invocation;
    await this.#readTable(migration);
    const perSecond = isRunning(migration) ? this.#pace.perSecond : undefined;
    const seen = { migration, table: this.#table, changes: this.#changes.last, perSecond, trouble };
    const hint = commandLine(flags, 'explain', this.#named.name, '<key>');
    screen.draw(frameOf(seen, { nowMs: clock.now(), output, filter: this.#named.flags.filter, hint }));
  }

  /** Inline rows cost nothing. A failure keeps the table that is known. */
  async #readTable(migration: SecretMigration): Promise<void> {
    const { clock, signal } = this.#invocation;
    const { resourceVersion } = migration.metadata;
    const [before, atMs] = [this.#tableOf, clock.monotonic()];
    if (before?.resourceVersion === resourceVersion) return;
    const isCheap = migration.status.reports === undefined || this.exitCode !== undefined;
    if (!isCheap && before !== undefined && atMs - before.atMs < REPORTS_EVERY_MS) return;
    try {
      this.#table = await readTable(this.#named.cluster, migration, signal);
    } catch {
      return; // The look that follows says what is wrong.
    }
    this.#tableOf = { resourceVersion, atMs };
    this.#changes.see(this.#table.rows);
  }
}
