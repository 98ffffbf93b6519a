import type { KubeObject } from '#src/kube/client.ts';
import { objectKey } from '#src/runtime/store.ts';
import type { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { screenOf, type Screen } from '../screen.ts';
import { tableOf } from '../table.ts';
import type { Look } from '../watch-objects.ts';
import { cellsOf, headOf, type Columns } from './columns.ts';
import type { StatusFlags } from './flags.ts';
import { LineLog } from './line-log.ts';
import { choiceOf, noneIn } from './list.ts';
import { doneOf, listedOf, type Listed } from './listed.ts';
import { follow, type View } from './live.ts';
import { lostText } from './lost.ts';
import { Pace } from './pace.ts';

/** `status -w`: the table of migrations, drawn again with each change; in a pipe one line for each change. */
export async function watchList(
  invocation: Invocation,
  cluster: UserCluster,
  flags: StatusFlags,
): Promise<number> {
  const view = new ListView(invocation, cluster, flags);
  return follow(invocation, cluster, { choice: choiceOf(flags, cluster), view });
}

class ListView implements View {
  readonly exitCode = undefined;
  readonly #invocation: Invocation;
  readonly #none: string;
  readonly #columns: Columns;
  readonly #screen: Screen | undefined;
  readonly #lines: LineLog;
  readonly #migrations = new Map<string, Listed>();
  readonly #paces = new Map<string, Pace>();
  #isSeen = false;

  constructor(invocation: Invocation, cluster: UserCluster, flags: StatusFlags) {
    const { output } = invocation;
    this.#invocation = invocation;
    this.#none = noneIn(flags, cluster);
    this.#columns = { inAllNamespaces: flags.inAllNamespaces, isWide: flags.format === 'wide' };
    this.#screen = screenOf(invocation);
    this.#lines = new LineLog(output, headOf(this.#columns));
  }

  see(look: Exclude<Look, { readonly kind: 'lost' }>): void {
    this.#isSeen = true;
    if (look.kind === 'all') {
      this.#migrations.clear();
      for (const object of look.objects) this.#put(object);
    } else if (look.kind === 'deleted') this.#migrations.delete(objectKey(look.object.metadata));
    else this.#put(look.object);
    if (this.#screen === undefined) this.#print();
  }

  draw(trouble: string | undefined): void {
    if (!this.#isSeen) return;
    if (this.#screen === undefined) this.#lines.trouble(trouble);
    else this.#screen.draw(this.#frame(trouble));
  }

  end(): void {
    this.#screen?.end();
  }

  #put(object: KubeObject): void {
    const listed = listedOf(object);
    const key = objectKey(object.metadata);
    this.#migrations.set(key, listed);
    const pace = this.#paces.get(key) ?? new Pace();
    this.#paces.set(key, pace);
    const progress = doneOf(listed);
    if (progress !== undefined) pace.note(progress.done, this.#invocation.clock.now());
  }

  /** At once: each change has its line, however soon the next one follows. */
  #print(): void {
    this.#lines.trouble(undefined);
    for (const [key, listed] of this.#sorted())
      this.#lines.line(key, this.#cells(listed), stateOf(listed, this.#columns));
    this.#lines.keep(new Set(this.#migrations.keys()));
  }

  #frame(trouble: string | undefined): string {
    const { output } = this.#invocation;
    const rows = this.#sorted().map(([, listed]) => this.#cells(listed));
    const lines = rows.length === 0 ? [this.#none] : tableOf(headOf(this.#columns), rows).split('\n');
    const room = Math.max(2, output.rows - 3);
    const shown =
      lines.length > room ? [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more`] : lines;
    return [...shown, ...(trouble === undefined ? [] : [output.paint('yellow', lostText(trouble))])].join(
      '\n',
    );
  }

  #sorted(): readonly (readonly [string, Listed])[] {
    return [...this.#migrations].toSorted(([left], [right]) => (left < right ? -1 : 1));
  }

  #cells(listed: Listed): readonly string[] {
    const { clock, output } = this.#invocation;
    const rateOf = ({ metadata, ready }: Listed): number | undefined =>
      ready?.status === 'Unknown' ? this.#paces.get(objectKey(metadata))?.perSecond : undefined;
    return cellsOf(listed, this.#columns, { nowMs: clock.now(), output, rateOf });
  }
}

/** What makes a new line: everything in it but what moves by itself. */
function stateOf({ ready, status }: Listed, { isWide }: Columns): string {
  const { failed, conflict } = status.summary;
  return JSON.stringify([
    ready?.status,
    ready?.reason,
    status.progress,
    failed,
    conflict,
    ...(isWide ? [ready?.message, status.backends, status.lastSyncTime] : []),
  ]);
}
