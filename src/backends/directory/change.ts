import type { Address } from '#src/core/document.ts';
import { errorOf, OperatorError } from '#src/errors.ts';
import type { Clock, Permit, Random } from '#src/ports.ts';
import { failureOf } from './failures.ts';
import type { Folder } from './folder.ts';
import { transientName } from './names.ts';

/** One change of one document. A lock allows one change per document at a time (store.ts). */
export interface Change {
  readonly folder: Folder;
  readonly address: Address;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Asked right before each system call that takes or gives a name. */
  readonly permit: Pick<Permit, 'require'>;
  readonly op: string;
}

/** Error context. */
type About = Pick<Change, 'op' | 'address' | 'signal'>;

const ID_LENGTH = 12;

/** A unique transient name of this kind. */
export function transientFor({ address, random }: Change, kind: Parameters<typeof transientName>[1]): string {
  const id = Math.floor(random() * 16 ** ID_LENGTH).toString(16);
  return transientName(address, kind, id.padStart(ID_LENGTH, '0'));
}

/** Runs a step before the commit point: its failure is certain. */
export async function attempt<T>(change: About, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (failure) {
    throw failureOf(failure, { op: change.op, target: change.address });
  }
}

/** Runs a step after the commit point: its failure is indeterminate, only a read can tell the state. */
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

/** The document is no longer in the state that was read; nothing was changed. */
export function conflict({ op, address }: Change): OperatorError {
  return new OperatorError('VERSION_CONFLICT', { op, target: address });
}
