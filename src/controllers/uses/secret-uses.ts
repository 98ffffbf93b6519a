import { errorOf } from '#src/errors.ts';
import { shownMessage, type Message } from '#src/errors/explain.ts';
import { Deadline } from '#src/io/deadline.ts';
import { Fresh } from '#src/io/fresh.ts';
import type { Clock } from '#src/ports.ts';
import { BUILT_IN, INJECTABLE, OPTIONAL } from './kinds.ts';
import { PUSH_SECRETS } from './push-secrets.ts';
import { UserLists, type Lister, type Lists, type Reference } from './user-lists.ts';
import { NOBODY, together, Untold, UserIndex, type Users } from './users.ts';

/** Of the Secret of a namespace: who uses it. */
export interface Use {
  readonly users: Users;
  /** Why there can be more users; absent if all are known. */
  readonly unknown?: Message;
}

/** Which Secret is meant, and how fresh the answer must be. */
export interface UseQuery {
  readonly namespace: string;
  readonly secret: string;
  readonly asked: { readonly for: 'plan' | 'removal'; readonly signal: AbortSignal };
  /** No older answer will do, monotonic milliseconds: a run must not find what was before it was asked for. */
  readonly since: number;
}

/** An answer for a plan, which is only shown, and for a removal. */
const MAX_AGE_MS = { plan: 60_000, removal: 5_000 } as const;
/** One list, with all of its pages. */
const LIST_MS = 15_000;
const MOST_SECRETS = 20_000;

type Found = { readonly index: UserIndex } | { readonly unknown: Message };

/**
 * Who uses Secrets, from lists of the API server: one list of each kind for all Secrets of a run and a namespace, at most
 * every five seconds. Of the objects only names are kept.
 */
export class SecretUses {
  readonly #clock: Clock;
  readonly #lists: UserLists;
  readonly #found: Fresh<Found>;

  /** `lister`: who lacks a right to list. Default: the operator. */
  constructor({
    clock,
    lists,
    lister,
  }: {
    readonly clock: Clock;
    readonly lists: Lists;
    readonly lister?: Lister;
  }) {
    this.#clock = clock;
    this.#lists = new UserLists(lists, lister);
    this.#found = new Fresh(clock);
  }

  /** Who uses the Secret: objects of Kubernetes, those at the references, and what takes a CA from it. */
  async usersOf(
    query: UseQuery,
    {
      references = [],
      suppliesCa,
    }: { readonly references?: readonly Reference[] | undefined; readonly suppliesCa: boolean },
  ): Promise<Use> {
    const { namespace, secret } = query;
    const here = [
      ...BUILT_IN.map(async (kind) =>
        this.#of(query, kind.resource.plural, (into, signal) =>
          this.#lists.ofKind(into, { kind, namespace }, signal),
        ),
      ),
      ...OPTIONAL.map(async (kind) =>
        this.#of(query, kind.resource.plural, (into, signal) =>
          this.#lists.ofServed(into, { kind, namespace }, signal),
        ),
      ),
      ...references.map(async (reference) =>
        this.#of(query, titleOf(reference), (into, signal) =>
          this.#lists.ofReference(into, { reference, namespace }, signal),
        ),
      ),
    ];
    const injected = suppliesCa ? INJECTABLE : [];
    const cluster = injected.map(async (kind) =>
      this.#of({ ...query, namespace: '' }, kind.resource.plural, (into, signal) =>
        this.#lists.ofKind(into, { kind }, signal),
      ),
    );
    const [found, foundInjected] = await Promise.all([Promise.all(here), Promise.all(cluster)]);
    const users = [...usersIn(found, secret), ...usersIn(foundInjected, `${namespace}/${secret}`)];
    return { users: together(users), ...unknownIn([...found, ...foundInjected]) };
  }

  /** The PushSecrets that delete what they pushed of the Secret, once it is gone. */
  async pushersOf(query: UseQuery): Promise<Use> {
    const { namespace, secret } = query;
    const found = await this.#of(query, PUSH_SECRETS.plural, (into, signal) =>
      this.#lists.ofPushSecrets(into, namespace, signal),
    );
    return { users: together(usersIn([found], secret)), ...unknownIn([found]) };
  }

  async #of(
    { namespace, since, asked: { for: purpose, signal } }: Omit<UseQuery, 'secret'>,
    key: string,
    fill: (into: UserIndex, signal: AbortSignal) => Promise<void>,
  ): Promise<Found> {
    const fresh = { maxAgeMs: MAX_AGE_MS[purpose], since, signal };
    return await this.#found.get(`${namespace}/${key}`, fresh, async (asking) => {
      const index = new UserIndex(MOST_SECRETS);
      using time = new Deadline(this.#clock, LIST_MS, asking, { op: 'kube.list', target: key });
      try {
        await fill(index, time.signal);
        return { index };
      } catch (thrown) {
        asking.throwIfAborted();
        // Also a failure is an answer, for as long: a right that is missing is not asked for with each Secret.
        return { unknown: thrown instanceof Untold ? thrown.told : shownMessage(errorOf(thrown)) };
      }
    });
  }
}

/** The name of what is listed, for its answer and in its errors. */
function titleOf({ path, resource: { group = '', plural, version } }: Reference): string {
  return [group, version, plural, path].join('/');
}

function usersIn(found: readonly Found[], secret: string): readonly Users[] {
  return found.map((each) => ('index' in each ? each.index.usersOf(secret) : NOBODY));
}

function unknownIn(found: readonly Found[]): Pick<Use, 'unknown'> {
  const unknown = found.find((each) => 'unknown' in each);
  return unknown === undefined ? {} : { unknown: unknown.unknown };
}
