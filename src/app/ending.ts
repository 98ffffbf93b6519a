import { whenAborted } from '#src/io/abort.ts';
import type { Clock, Logger } from '#src/ports.ts';
import type { Component } from '#src/runtime/manager.ts';
import { loop } from './components.ts';

/** What may be left to do after the grace: closing connections. */
const OVERTIME_MS = 1_000;

export interface EndingOptions {
  readonly graceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the process with this code. */
  readonly exit: (code: number) => void;
}

/** From when its end has begun, the process has its grace and one second, whatever is still open or never answers. */
export class Ending {
  readonly #options: EndingOptions;
  #hasBegun = false;

  constructor(options: EndingOptions) {
    this.#options = options;
  }

  /** The first call decides on the code, and starts the time. */
  begin(code: number): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const { clock, exit, graceMs, logger } = this.#options;
    clock.schedule(graceMs + OVERTIME_MS, () => {
      logger.warn('exits with work that did not end in time', { exitCode: code });
      exit(code);
    });
  }
}

/** Fails with what nothing caught: an exception in a callback, a rejected promise. Node would print its text, and a value in it. */
export function uncaughtFailures(logger: Logger): Component {
  return loop('process', async (signal) => {
    const failed = Promise.withResolvers<never>();
    // It stays until the process exits: closing can fail, too.
    process.on('uncaughtException', (failure) => {
      logger.error('uncaught failure', failure);
      failed.reject(failure);
    });
    await Promise.race([failed.promise, whenAborted(signal)]);
  });
}
