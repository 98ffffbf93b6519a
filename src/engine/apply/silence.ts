import { hasCode, isAbort } from '#src/errors.ts';
import type { ApplyInputs } from './inputs.ts';
import type { Progress } from './progress.ts';

/** A server that answered is not asked again for this long. */
const ASKED_MS = 30_000;

type Inputs = Pick<ApplyInputs, 'clock' | 'destination' | 'signal' | 'source'>;

/**
 * Tells a document that hangs from a server that does. After a document was not answered in time, both servers are probed: one
 * that is silent ends the run, which would otherwise wait for each of its documents.
 */
export class Silence {
  readonly #inputs: Inputs;
  readonly #progress: Pick<Progress, 'noteBackendFailure'>;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(inputs: Inputs, progress: Pick<Progress, 'noteBackendFailure'>) {
    this.#inputs = inputs;
    this.#progress = progress;
  }

  /** `failure`: that of a document, or undefined. */
  async after(failure: unknown): Promise<void> {
    if (failure === undefined || !hasCode(failure, 'DEADLINE')) return;
    if (this.#inputs.clock.monotonic() - this.#askedAt < ASKED_MS) return;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  async #ask(): Promise<void> {
    const { clock, destination, signal, source } = this.#inputs;
    try {
      await Promise.all([source.probe(signal), destination.probe(signal)]);
      this.#askedAt = clock.monotonic();
    } catch (failure) {
      if (isAbort(failure, signal)) throw failure;
      this.#progress.noteBackendFailure(failure);
    }
  }
}
