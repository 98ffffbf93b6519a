import type { Permit } from '#src/ports.ts';

/** A permit that is never withdrawn before its signal aborts. */
export function permitted(signal: AbortSignal): Permit {
  return { signal, require: () => undefined };
}
