import { closed } from '#src/errors/closed.ts';
import type { Driver } from '../driver.ts';
import { layered, type LayeredDriver, type Operation } from '../layer.ts';

/**
 * A driver that works until it is given back, by disposing of it, or until its backend is closed. After that, each operation
 * fails with `BACKEND_NOT_READY` before a request leaves the process. Giving it back closes nothing below.
 */
export function lent(driver: Driver, isClosed: () => boolean): LayeredDriver {
  let isBack = false;
  const requireOpen = (operation: Operation): void => {
    if (isBack || isClosed()) throw closed({ op: `backend.${operation}` });
  };
  return layered(driver, {
    around: async ({ operation, signal }, next) => {
      requireOpen(operation);
      return next(signal);
    },
    iterate: ({ operation }, next) => {
      requireOpen(operation);
      return next();
    },
    overrides: () => ({
      [Symbol.asyncDispose]: async () => {
        isBack = true;
        return Promise.resolve();
      },
    }),
  });
}
