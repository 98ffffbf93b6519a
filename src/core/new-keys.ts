import { isCut } from './bounded-text.ts';
import type { KeyNames } from './mapping/key-names.ts';
import type { Outcome, PriorRecord } from './outcome.ts';

/**
 * The outcome with the names that `mapping.keys` gives its keys at the destination. `prior`: what an earlier run recorded. A
 * document that was removed then keeps the names that it was moved with, and so does one with a name that was cut.
 */
export function withNewKeys(
  { newKeys: _before, ...outcome }: Outcome,
  prior: PriorRecord | undefined,
  names: Pick<KeyNames, 'newNameOf'>,
): Outcome {
  const { destination, keys } = outcome;
  const isRecorded = prior?.state === 'Removed' || keys.some(isCut);
  const newKeys =
    isRecorded && isSame(keys, prior?.keys) ? prior?.newKeys : keys.map((key) => names.newNameOf(key));
  if (destination === undefined || newKeys === undefined || isSame(newKeys, keys)) return outcome;
  return { ...outcome, newKeys };
}

function isSame(left: readonly string[], right: readonly string[] | undefined): boolean {
  return left.length === right?.length && left.every((name, index) => name === right[index]);
}
