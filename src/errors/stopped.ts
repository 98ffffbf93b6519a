import { OperatorError } from '#src/errors.ts';

/** The reason of the signals of work that is stopped. `because`: one sentence. */
export function stopped(because: string): OperatorError {
  return new OperatorError('RUN_STOPPED', { op: 'run.stop', detail: because });
}
