import { MAX_ROW_MESSAGE } from '#src/api/v1alpha1/status-row.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { fitted, type Message } from '#src/errors/explain.ts';
import type { Asked, Held, RemovalCandidate, RemovalGate } from './gates.ts';

/*
 * The gates that ask who depends on a document: programs that write or replicate it, and objects that use it.
 */

/** What is known of the users of a document. */
export interface Use {
  /** The first of them (`Deployment web`), and how many there are. */
  readonly users: { readonly first: readonly string[]; readonly count: number };
  /** Why there can be more; absent if all are known. */
  readonly unknown?: Message;
}

/** Asks a server who uses a document. Throws only the reason of the signal. */
export type AskUse = (document: RemovalCandidate, asked: Asked) => Promise<Use>;

/** Holds what another program owns, writes or replicates: it would make the document again, or remove its copies. */
export function ownedElsewhereGate(side: Side = 'source'): RemovalGate {
  return ({ ties: { manager, owner, replicator } = {} }) => {
    const happened =
      manager !== undefined
        ? `The ${side} is kept: ${manager} manages this Secret`
        : owner !== undefined
          ? `The ${side} is kept: it belongs to ${owner}`
          : replicator === undefined
            ? undefined
            : `The ${side} is kept: ${replicator} copies this Secret, and the copies depend on it`;
    if (happened === undefined) return undefined;
    return held('OwnedElsewhere', {
      happened,
      hint: 'Remove it there, or set spec.removal.owned to Remove.',
    });
  };
}

/** Holds what a PushSecret would delete elsewhere, too. What is unknown is left to the gate of users. */
export function propagationGate(askPushers: AskUse, side: Side = 'source'): RemovalGate {
  return async (document, asked) => {
    const { users } = await askPushers(document, asked);
    if (users.count === 0) return undefined;
    const happened = `The ${side} is kept: ${listed(users)} would delete what was pushed of this Secret`;
    return held('WouldPropagate', { happened, hint: 'Set its deletionPolicy to None.' });
  };
}

/** Holds what is in use, and what cannot be told not to be: by any of the answers. */
export function inUseGate(asks: readonly AskUse[], side: Side = 'source'): RemovalGate {
  return async (document, asked) => {
    const answers = await Promise.all(asks.map(async (ask) => ask(document, asked)));
    const used = answers.find(({ users }) => users.count > 0);
    if (used !== undefined) {
      const happened = `The ${side} is kept: ${listed(used.users)} ${used.users.count === 1 ? 'uses' : 'use'} this Secret`;
      return held('InUse', { happened, hint: 'Remove the reference, or set spec.removal.inUse to Ignore.' });
    }
    const unknown = answers.find((answer) => answer.unknown !== undefined)?.unknown;
    if (unknown === undefined) return undefined;
    const { hint, where } = unknown;
    const happened = `The ${side} is kept, because its users are unknown: ${unknown.happened}`;
    return held('InUseUnknown', { happened, where, hint });
  };
}

/** The removal is still wanted: it is tried again until nothing holds it. */
function held(reason: Held['reason'], message: Message): Held {
  return { reason, message: fitted(message, MAX_ROW_MESSAGE), retry: 'later' };
}

function listed({ first, count }: Use['users']): string {
  const more = count - first.length;
  return more > 0 ? `${first.join(', ')} and ${more} more` : first.join(' and ');
}
