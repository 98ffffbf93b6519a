import { OperatorError, type ErrorDetail } from '#src/errors.ts';

/** The one error of everything that was closed and is asked to work: a pool, a driver, a session, a client. */
export function closed({ op, target }: Pick<ErrorDetail, 'op' | 'target'>): OperatorError {
  return new OperatorError('BACKEND_NOT_READY', {
    op,
    ...(target === undefined ? {} : { target }),
    detail: 'The connection to it was closed.',
    hint: 'No action needed; Keyferry connects again.',
  });
}
