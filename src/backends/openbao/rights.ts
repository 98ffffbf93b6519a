import type { Address } from '#src/core/document.ts';
import type { Need } from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import type { Session } from './auth/session.ts';
import { readCapabilities } from './capabilities-self.ts';

/** The right of a policy that a verb needs. */
export interface NeededRight {
  /** Not encoded and with the mount, as in policies. */
  readonly path: string;
  readonly right: string;
}

export interface RightsQuestion {
  readonly session: Session;
  readonly rightFor: (address: Address, verb: Need['verbs'][number]) => NeededRight;
}

/** The needs that the token lacks rights for, one refusal per address; empty if the token has no right to ask. */
export async function findDenied(
  { session, rightFor }: RightsQuestion,
  needs: Iterable<Need>,
  signal: AbortSignal,
): Promise<ReadonlyMap<Address, Refusal>> {
  const wanted = [...needs].flatMap(({ address, verbs }) =>
    verbs.map((verb) => ({ address, verb, ...rightFor(address, verb) })),
  );
  const rights = await readCapabilities(session, [...new Set(wanted.map(({ path }) => path))], signal);
  const refusals = new Map<Address, Refusal>();
  if (rights === undefined) return refusals;
  for (const { address, path, right, verb } of wanted) {
    const held = rights.get(path) ?? [];
    if (refusals.has(address) || held.includes(right) || held.includes('root')) continue;
    refusals.set(address, {
      reason: 'PermissionDenied',
      message: `The policy must allow "${right}" on ${path} to ${verb} it.`,
    });
  }
  return refusals;
}
