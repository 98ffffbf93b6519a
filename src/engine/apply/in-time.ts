import type { ErrorDetail } from '#src/errors.ts';
import { Deadline, EitherSignal } from '#src/io/deadline.ts';
import type { Clock } from '#src/ports.ts';
import type { RunPermit } from './run-permit.ts';

interface Timed {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly permit: RunPermit;
}

/**
 * Does the work on one document within `ms`: nothing of it goes on or begins after that. Rejects with `DEADLINE` then; with
 * the reason of the run when that stops.
 */
export async function inTime<I extends Timed, T>(
  inputs: I,
  { ms, ...about }: ErrorDetail & { readonly ms: number },
  work: (inputs: I) => Promise<T>,
): Promise<T> {
  const { clock, permit, signal } = inputs;
  const { toComplete } = permit;
  using time = new Deadline(clock, ms, toComplete.signal, about);
  using beginning = new EitherSignal(time.signal, signal);
  const requireTime = (): void => time.signal.throwIfAborted();
  return await work({
    ...inputs,
    signal: beginning.signal,
    permit: {
      signal: beginning.signal,
      require: () => {
        requireTime();
        permit.require();
      },
      toComplete: {
        signal: time.signal,
        require: () => {
          requireTime();
          toComplete.require();
        },
      },
    },
  });
}
