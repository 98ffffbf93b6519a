import type { RecordedRequest } from './request-history.ts';

/** Which requests match; an absent part matches everything. */
export type RequestMatch =
  | ((request: RecordedRequest) => boolean)
  | { readonly method?: string; readonly path?: RegExp; readonly query?: RegExp };

/** What happens to a request. */
export type Action =
  /** Never reaches the server; the connection breaks. */
  | { readonly kind: 'drop-before' }
  /** The server applies it; the reply is lost and the connection breaks. */
  | { readonly kind: 'drop-after' }
  /** The proxy replies; the request never reaches the server. */
  | {
      readonly kind: 'status';
      readonly code: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Passed on once the promise resolves, unless the client is gone by then. */
  | { readonly kind: 'hold'; readonly until: Promise<unknown> }
  /** The connection breaks, and the server gets the request once the promise resolves, as from a slow network. */
  | { readonly kind: 'deliver-late'; readonly until: Promise<unknown> }
  /** The `Date` of the server's reply is changed by these milliseconds, as if its clock was wrong. */
  | { readonly kind: 'redate'; readonly byMs: number }
  /** The server applies it; the reply is passed on once the promise resolves. Its status is recorded as it arrives. */
  | { readonly kind: 'answer-late'; readonly until: Promise<unknown> }
  /** The JSON body of the server's reply is replaced by what `change` makes of it. */
  | { readonly kind: 'mutate'; readonly change: (body: unknown) => unknown };

/** An active rule. */
export interface Rule {
  /** How many requests it was applied to. */
  readonly hits: number;
  /** Resolves with the first of them as it arrives, before the action takes effect. */
  readonly firstHit: Promise<RecordedRequest>;
  remove(): void;
}

interface Entry {
  readonly match: RequestMatch;
  readonly action: Action;
  remaining: number;
  hits: number;
  readonly announce: (request: RecordedRequest) => void;
}

/** The rules of one proxy, oldest first. */
export class RuleBook {
  readonly #entries: Entry[] = [];

  add(match: RequestMatch, action: Action, times: number): Rule {
    const { promise, resolve } = Promise.withResolvers<RecordedRequest>();
    const entry: Entry = { match, action, remaining: times, hits: 0, announce: resolve };
    this.#entries.push(entry);
    return {
      get hits() {
        return entry.hits;
      },
      firstHit: promise,
      remove: () => (entry.remaining = 0),
    };
  }

  /** The action of the first matching rule; counts the rule as applied. */
  actionFor(request: RecordedRequest): Action | undefined {
    const entry = this.#entries.find((each) => each.remaining > 0 && this.matches(each.match, request));
    if (entry === undefined) return undefined;
    entry.remaining -= 1;
    entry.hits += 1;
    entry.announce(request);
    return entry.action;
  }

  matches(match: RequestMatch, request: RecordedRequest): boolean {
    if (typeof match === 'function') return match(request);
    return (
      (match.method ?? request.method) === request.method &&
      (match.path?.test(request.path) ?? true) &&
      (match.query?.test(request.query) ?? true)
    );
  }
}
