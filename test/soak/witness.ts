import type { V1Secret } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { ReplyError } from '#test/cluster/json-client.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Group } from './groups.ts';
import { Order, type Entry, type Found } from './ledger.ts';
import { foundInSecret } from './sides.ts';

/** One request for changes lasts this long, so that the reply of a plain request is enough. */
const WATCH_SECONDS = 2;
/** While servers restart. */
const DEADLINE_MS = 180_000;

interface WatchEvent {
  readonly type: string;
  readonly object: Stored<V1Secret>;
}

/**
 * Sees every change of a Secret, because Secrets have no history. Notes values that nobody wrote, values that come back and
 * Secrets that go without a deletion by the model.
 */
export class Witness {
  readonly violations: string[] = [];
  readonly #cluster: Cluster;
  readonly #entries: ReadonlyMap<string, Group>;
  readonly #orders = new Map<Entry, Order>();
  readonly #deletions = new Map<Entry, number>();
  #isStopped = false;

  constructor(cluster: Cluster, groups: readonly Group[]) {
    this.#cluster = cluster;
    this.#entries = new Map(groups.map((group) => [group.tenant.namespace, group]));
  }

  /** Goes on until it is disposed of. */
  start(): AsyncDisposable {
    const watched = this.#watch();
    return {
      [Symbol.asyncDispose]: async () => {
        this.#isStopped = true;
        await watched;
      },
    };
  }

  async #watch(): Promise<void> {
    let version: string | undefined;
    while (!this.#isStopped) {
      version = await eventually('the witness sees the Secrets', async () => this.#next(version), {
        deadlineMs: DEADLINE_MS,
        pollMs: 200,
      });
    }
  }

  /** Resolves with the version that was seen last. After a gap, which a restart can make, all is listed. */
  async #next(version: string | undefined): Promise<string> {
    if (version === undefined) return this.#list();
    try {
      return await this.#changesSince(version);
    } catch (error) {
      const isTooOld = error instanceof ReplyError && error.status === 410;
      if (isTooOld) return this.#list();
      throw error;
    }
  }

  async #changesSince(version: string): Promise<string> {
    const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${version}`;
    const path = `/api/v1/secrets?${query}`;
    const events = eventsIn(await this.#cluster.kube<string | WatchEvent | undefined>('GET', path));
    let last = version;
    for (const { object, type } of events) {
      if (type === 'ERROR') return this.#list();
      last = object.metadata.resourceVersion;
      if (type !== 'BOOKMARK') this.#see(object, type === 'DELETED');
    }
    return last;
  }

  async #list(): Promise<string> {
    const list = await this.#cluster.kube<StoredList<V1Secret> & { metadata: { resourceVersion: string } }>(
      'GET',
      '/api/v1/secrets',
    );
    for (const secret of list.items) this.#see(secret, false);
    return list.metadata.resourceVersion;
  }

  #see({ metadata, data }: Stored<V1Secret>, isDeleted: boolean): void {
    const group = this.#entries.get(metadata.namespace ?? '');
    const entry = group?.entries.find(({ name }) => name === metadata.name);
    if (entry === undefined) return;
    const found: Found = isDeleted ? { state: 'absent' } : foundInSecret(data === undefined ? {} : { data });
    const order = this.#orders.get(entry) ?? new Order();
    this.#orders.set(entry, order);
    this.#note(entry, order.next(entry, found));
    if (isDeleted) this.#countDeletion(entry);
  }

  #countDeletion(entry: Entry): void {
    const count = (this.#deletions.get(entry) ?? 0) + 1;
    this.#deletions.set(entry, count);
    if (count > entry.secretsDeleted) this.#note(entry, 'was deleted, and not by the model');
  }

  #note(entry: Entry, what: string | undefined): void {
    if (what === undefined) return;
    const line = `${new Date().toISOString()} the Secret ${entry.group}/${entry.name} ${what}`;
    this.violations.push(line);
    console.log(`VIOLATION ${line}`);
  }
}

/** One is JSON, more are text of which the last line can be cut off by a server that ends. */
function eventsIn(body: string | WatchEvent | undefined): readonly WatchEvent[] {
  if (typeof body !== 'string') return body === undefined ? [] : [body];
  return body.split('\n').flatMap((line) => {
    try {
      const event: WatchEvent = JSON.parse(line);
      return [event];
    } catch {
      return [];
    }
  });
}
