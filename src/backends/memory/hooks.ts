import type { Address } from '#src/core/document.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';

/** An operation of a driver. A read of many is one `read` per address. */
export type Operation =
  | 'probe'
  | 'list'
  | 'versions'
  | 'read'
  | 'denied'
  | 'write'
  | 'recreate'
  | 'delete'
  | 'finish'
  | 'undo'
  | 'undelete'
  | 'overwriteRefusal'
  | 'mark'
  | 'unmark'
  | 'has'
  | 'readBackup'
  | 'retire'
  | 'discard'
  | 'keep'
  | 'discardExpired'
  | 'claim'
  | 'release'
  | 'isLeaving';

export interface Call {
  readonly operation: Operation;
  /** The folder of a `list` or `versions`; '' where an operation has none. */
  readonly address: Address;
  /** The revision that a read requests. */
  readonly revision?: string | undefined;
}

export type Hook = (call: Call) => void | Promise<void>;

/** Hooks of a test between a driver and its store. A hook may change the store, and may throw. */
export interface Hooks {
  /** Runs before the store is read: an error it throws is a failure with nothing done. */
  readonly before?: Hook;
  /** Runs after the store has changed: an error it throws is a lost reply. */
  readonly after?: Hook;
}

export interface When {
  readonly address?: Address;
  /** How many such calls to let pass first. Default: none. */
  readonly skip?: number;
}

/** Acts at exactly one call of this operation. */
export function once(operation: Operation, act: () => void, { address, skip = 0 }: When = {}): Hook {
  let calls = 0;
  return (call) => {
    if (call.operation !== operation || (address !== undefined && call.address !== address)) return;
    calls += 1;
    if (calls === skip + 1) act();
  };
}

/** Acts at each call of this operation. */
export function always(operation: Operation, act: (call: Call) => void): Hook {
  return (call) => {
    if (call.operation === operation) act(call);
  };
}

/** Several hooks as one, in this order. */
export function all(...hooks: readonly Hook[]): Hook {
  return async (call) => {
    for (const hook of hooks) await hook(call);
  };
}

/** An `act` that fails with this code; nothing is done. */
export function failsWith(code: ErrorCode): () => never {
  return () => {
    throw new OperatorError(code, { op: 'memory.fault' });
  };
}

/** An `act` after a call: the caller cannot tell whether the call was done. */
export function losesReply(): never {
  throw new OperatorError('BACKEND_UNREACHABLE', { op: 'memory.fault', indeterminate: true });
}
