import type { Address } from '#src/core/document.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';

/** What a driver is asked to do. A read of many is one `read` an address. */
export type Operation =
  | 'probe'
  | 'list'
  | 'read'
  | 'denied'
  | 'write'
  | 'delete'
  | 'finish'
  | 'mark'
  | 'has'
  | 'retire'
  | 'discard';

export interface Call {
  readonly operation: Operation;
  /** The folder of a `list`; '' where an operation has none. */
  readonly address: Address;
  /** The one revision that a read asks for. */
  readonly revision?: string | undefined;
}

export type Hook = (call: Call) => void | Promise<void>;

/** Where a test stands between a driver and its store. A hook may change the store, and may throw. */
export interface Hooks {
  /** Before the store is looked at: what it throws is a failure with nothing done. */
  readonly before?: Hook;
  /** After the store has done it: what it throws is a lost reply. */
  readonly after?: Hook;
}

export interface When {
  readonly address?: Address;
  /** How many such calls to let pass first. Default: none. */
  readonly skip?: number;
}

/** Acts at one call of this operation and at no other. */
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

/** For the place of `act`: fails with this code, and nothing was done. */
export function failsWith(code: ErrorCode): () => never {
  return () => {
    throw new OperatorError(code, { op: 'memory.fault' });
  };
}

/** For the place of `act` after a call: it was done, or not, and the caller cannot know. */
export function losesReply(): never {
  throw new OperatorError('BACKEND_UNREACHABLE', { op: 'memory.fault', indeterminate: true });
}
