import type { Address } from '#src/core/document.ts';
import { errorOf, OperatorError } from '#src/errors.ts';
import type { Clock, Random } from '#src/ports.ts';
import { failureOf } from './failures.ts';
import type { Folder } from './folder.ts';
import { transientName } from './names.ts';

/** One change of one document, of which there is one at a time (see driver.ts). */
export interface Change {
  readonly folder: Folder;
  readonly address: Address;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly op: string;
}

/** Error context. */
type About = Pick<Change, 'op' | 'address' | 'signal'>;

const ID_LENGTH = 12;

/** A name of this kind that nothing else has. */
export function transientFor({ address, random }: Change, kind: Parameters<typeof transientName>[1]): string {
  const id = Math.floor(random() * 16 ** ID_LENGTH).toString(16);
  return transientName(address, kind, id.padStart(ID_LENGTH, '0'));
}

/** Runs what may fail while nothing is decided yet. */
export async function attempt<T>(change: About, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (failure) {
    throw failureOf(failure, { op: change.op, target: change.address });
  }
}

/** Runs what comes after the step that decided the change: when it fails, only a read can tell how things are. */
export async function conclude<T>(change: About, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (failure) {
    change.signal.throwIfAborted();
    const about = { op: change.op, target: change.address, indeterminate: true };
    const error = errorOf(failureOf(failure, about));
    if (error.indeterminate) throw error;
    throw new OperatorError(error.code, {
      ...about,
      detail: 'The change was made, but a later step failed.',
    });
  }
}

/** It is no longer what was read; nothing was changed. */
export function conflict({ op, address }: Change): OperatorError {
  return new OperatorError('VERSION_CONFLICT', { op, target: address });
}
