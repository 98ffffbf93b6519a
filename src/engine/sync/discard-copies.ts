import { errorOf, isAbort } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { removing } from '../apply/run-permit.ts';

type Inputs = Pick<
  ApplyInputs,
  | 'clock'
  | 'destination'
  | 'expiryGate'
  | 'logger'
  | 'only'
  | 'permit'
  | 'prior'
  | 'shouldStop'
  | 'signal'
  | 'source'
  | 'sweeps'
>;

/**
 * Removes the kept copies that expired, at both sides. A whole pass looks for them if the migration has some, and once an hour
 * for those that no row names any more, once for all migrations of a store. A follow looks at most once an hour, and only if the
 * migration has some. What fails is logged and never fails the run. Throws only an abort.
 */
export async function discardCopies(inputs: Inputs): Promise<void> {
  if (inputs.expiryGate() !== undefined) return;
  for (const side of ['source', 'destination'] as const) await discardAt(inputs, inputs[side]);
}

async function discardAt(inputs: Inputs, driver: Inputs['source']): Promise<void> {
  const { clock, logger, permit, shouldStop, signal, sweeps } = inputs;
  const { copies } = driver;
  if (copies === undefined || shouldStop()) return;
  const { store } = driver.locationOf('');
  if (!isWanted(inputs, store)) return;
  sweeps.note(store, clock.monotonic());
  try {
    for await (const { address, error } of copies.discardExpired(clock.now(), removing(permit))) {
      if (error === undefined) logger.info('kept copy expired and was removed', { backup: address });
      else logger.warn('kept copy expired and was not removed', { backup: address, code: error.code });
      if (shouldStop()) return;
    }
  } catch (failure) {
    if (isAbort(failure, signal)) throw failure;
    logger.warn('kept copies could not be looked through', { store, code: errorOf(failure).code });
  }
}

function isWanted({ clock, only, prior, sweeps }: Inputs, store: string): boolean {
  const isDue = sweeps.isDue(store, clock.monotonic());
  if (only === undefined ? isDue : !isDue) return isDue;
  for (const { backup } of prior.values()) if (backup !== undefined) return true;
  return false;
}
