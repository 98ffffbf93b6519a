import type { Permit } from '#src/ports.ts';

/**
 * Permission of a run to change documents. After a stop it permits nothing that begins; `toComplete` still permits what
 * completes a change that was sent, and its signal lets the reply and the read after it arrive.
 */
export interface RunPermit extends Permit {
  readonly toComplete: Permit;
}

/** Permits one write: from its first request on it may be completed, so that a stop leaves no half of it behind. */
export function completing(permit: RunPermit): Permit {
  let hasBegun = false;
  return {
    signal: permit.toComplete.signal,
    require: () => {
      if (hasBegun) permit.toComplete.require();
      else permit.require();
      hasBegun = true;
    },
  };
}

/** Permits one removal: no request of it leaves after a stop; the reply to one that was sent is awaited. */
export function removing(permit: RunPermit): Permit {
  return { signal: permit.toComplete.signal, require: () => permit.require() };
}
