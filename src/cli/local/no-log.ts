import type { Logger } from '#src/ports.ts';

/** A command has no log: what a person needs to know is in rows, conditions and the final lines. */
export const NO_LOG: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => NO_LOG,
};
