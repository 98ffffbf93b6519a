import { onAbort } from '#src/io/abort.ts';
import type { Clock, Logger } from '#src/ports.ts';

/** A part of the process that starts and stops: a server, an informer, a controller. */
export interface Component {
  readonly name: string;
  /**
   * Resolves when the component is ready for those after it. It runs until `signal` aborts; `done` settles when it has
   * stopped, and rejects when it failed.
   */
  start(signal: AbortSignal): Promise<{ readonly done: Promise<void> }>;
}

export interface ManagerOptions {
  /** In start order; stopped in reverse. */
  readonly components: readonly Component[];
  /** Time for all components together, from the first stop; components that still run then are abandoned. */
  readonly graceMs: number;
  /** Called once, before the first component is stopped; with the failure, if one failed. */
  readonly onEnd?: (failure?: unknown) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Running {
  readonly name: string;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/**
 * Starts the components one after the other, waits until `signal` aborts or one of them ends, then stops them in reverse
 * order, each after the previous one has ended. Rejects with the failure of the first component that failed.
 */
export async function runComponents(options: ManagerOptions, signal: AbortSignal): Promise<void> {
  const running: Running[] = [];
  const end = Promise.withResolvers<void>();
  end.promise.catch(() => undefined); // It may reject after a failed start has already ended the wait.
  using _ending = onAbort(signal, () => end.resolve());
  try {
    await startAll(options, { running, end, signal });
    await end.promise;
    options.onEnd?.();
  } catch (failure) {
    options.onEnd?.(failure);
    throw failure;
  } finally {
    await stopAll(options, running);
  }
}

async function startAll(
  options: ManagerOptions,
  state: {
    readonly running: Running[];
    readonly end: PromiseWithResolvers<void>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  for (const component of options.components) {
    if (state.signal.aborted) return;
    const stop = new AbortController();
    // A component may take long to become ready (a cache waits for its first list); shutdown must not wait for that.
    const canceling = onAbort(state.signal, () => stop.abort(state.signal.reason));
    const starting = component.start(stop.signal);
    const started = await Promise.race([starting, state.end.promise]).finally(() =>
      canceling[Symbol.dispose](),
    );
    if (started === undefined) {
      stop.abort();
      const done = starting.then(
        async (late) => await late.done,
        () => undefined, // It could not start because it was stopped.
      );
      state.running.push({ name: component.name, stop, done });
      return;
    }
    started.done.then(() => state.end.resolve(), state.end.reject);
    state.running.push({ name: component.name, stop, done: started.done });
    options.logger.debug('component started', { component: component.name });
  }
}

async function stopAll(options: ManagerOptions, running: readonly Running[]): Promise<void> {
  const { clock, logger, graceMs } = options;
  const timer = new AbortController();
  const timeUp = clock.sleep(graceMs, timer.signal).then(
    () => 'late',
    () => 'late',
  );
  for (const component of running.toReversed()) {
    component.stop.abort();
    const ended = component.done.then(
      () => 'stopped',
      () => 'stopped', // Its failure already ended the wait, or comes from the stop itself.
    );
    const outcome = await Promise.race([ended, timeUp]);
    if (outcome === 'stopped') logger.debug('component stopped', { component: component.name });
    else logger.warn('component did not stop in time', { component: component.name });
  }
  timer.abort();
}
