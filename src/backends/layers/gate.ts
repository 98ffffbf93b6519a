import type { Address } from '#src/core/document.ts';
import { repeatable } from '#src/core/repeatable.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import { distinct, distinctIn } from '../addresses.ts';
import type { Driver, ReadOutcome } from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import type { Listed, ListedVersion, ListQuery } from '../listing.ts';
import { layered, type LayeredDriver, type Operation } from '../layer.ts';

/** Which addresses of a store its user must not use. */
export interface Gate {
  /** Code of the error for a refused address. */
  readonly code: ErrorCode;
  /** Why this address is refused, or undefined. An address below a refused one must be refused too. Pure. */
  readonly refusalOf: (address: Address) => Refusal | undefined;
}

/**
 * A driver that hides the addresses which the gate refuses: no listing shows one, and every operation on one fails
 * before a request leaves the process. Disposing of it does not close the driver below.
 */
export function gate(driver: Driver, { code, refusalOf }: Gate): LayeredDriver {
  const errorOf = (operation: Operation, addresses: readonly Address[]): OperatorError | undefined => {
    const refusal = addresses.map((address) => refusalOf(address)).find((found) => found !== undefined);
    return refusal && new OperatorError(code, { op: `backend.${operation}`, detail: refusal.message });
  };
  const requirePassed = (operation: Operation, addresses: readonly Address[]): void => {
    const error = errorOf(operation, addresses);
    if (error !== undefined) throw error;
  };
  return layered(driver, {
    around: async ({ operation, addresses, signal }, next) => {
      requirePassed(operation, addresses);
      return next(signal);
    },
    iterate: ({ operation, addresses }, next) => {
      requirePassed(operation, addresses);
      return next();
    },
    overrides: (base) => ({
      refusalOf: (document) => refusalOf(document.address) ?? base.refusalOf(document),
      addressRefusalOf: (address) => refusalOf(address) ?? base.addressRefusalOf(address),
      list: (query, signal) => passedItems({ query, refusalOf }, (visible) => base.list(visible, signal)),
      versions: (query, signal) =>
        passedItems({ query, refusalOf }, (visible) => base.versions(visible, signal)),
      async *readMany(addresses, signal, scope) {
        const refused: ReadOutcome[] = [];
        const passed = distinct(function* passing() {
          for (const address of distinctIn(addresses)) {
            const error = errorOf('read', [address]);
            if (error === undefined) yield address;
            else refused.push({ address, error });
          }
        });
        yield* base.readMany(passed, signal, scope);
        yield* refused;
      },
      async denied(needs, signal) {
        const refusals = new Map<Address, Refusal>();
        for (const { address } of needs) {
          const refusal = refusalOf(address);
          if (refusal !== undefined) refusals.set(address, refusal);
        }
        const passed = repeatable(function* passing() {
          for (const need of needs) if (!refusals.has(need.address)) yield need;
        });
        return new Map([...refusals, ...(await base.denied(passed, signal))]);
      },
    }),
  });
}

/**
 * Does not request a hidden folder: a failure would show its rights, its size or its depth. It counts as one document. A
 * problem of a hidden name is hidden, too: its address would show the name.
 */
async function* passedItems<T extends Listed | ListedVersion>(
  { query, refusalOf }: Pick<Gate, 'refusalOf'> & { readonly query: ListQuery },
  itemsOf: (visible: ListQuery) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const hidden = new Set<Address>();
  const isHidden = (address: Address): boolean => {
    if (refusalOf(address) === undefined) return false;
    if (!hidden.has(address)) query.leftOut?.('Reserved');
    hidden.add(address);
    return true;
  };
  const skips = (folder: Address): boolean => query.skips?.(folder) === true || isHidden(`${folder}/`);
  if (query.folder !== '' && skips(query.folder)) return;
  for await (const listed of itemsOf({ ...query, skips })) {
    if (!isHidden(listed.address)) yield listed;
  }
}
