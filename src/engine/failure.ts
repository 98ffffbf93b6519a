import type { ErrorCode, OperatorError } from '#src/errors.ts';
import { errorOf } from '#src/errors.ts';
import type { RowReason } from '#src/api/v1alpha1/conditions.ts';
import type { Outcome, State } from '#src/core/outcome.ts';

/** Row reasons for error codes; a code that is not here shows as `ServerError`. */
const REASONS: Partial<Record<ErrorCode, RowReason>> = {
  AUTH_DENIED: 'PermissionDenied',
  BACKEND_SEALED: 'BackendSealed',
  BACKEND_UNREACHABLE: 'BackendUnavailable',
  TLS_FAILED: 'BackendUnavailable',
  DEADLINE: 'Timeout',
  RATE_LIMITED: 'RateLimited',
  MOUNT_MISSING: 'MountMissing',
  FOLDER_MISSING: 'FolderMissing',
  FOLDER_EXPOSED: 'FolderExposed',
  REQUEST_REJECTED: 'Rejected',
  DOCUMENT_REFUSED: 'NotRepresentable',
  NAME_RESERVED: 'ReservedName',
  FIELDS_COLLIDE: 'MappingCollision',
  VERIFY_MISMATCH: 'VerifyMismatch',
  ENCODING_CORRUPT: 'EncodingCorrupt',
  VERSION_CONFLICT: 'DestinationChanged',
  ALREADY_EXISTS: 'DestinationChanged',
  REPLY_INVALID: 'ReplyInvalid',
  CREDENTIALS_MISSING: 'CredentialsMissing',
  INVARIANT: 'InternalError',
};

/** Of a document whose time came before it was written. */
export const EXPIRED = {
  state: 'Skipped',
  reason: 'Expired',
  message: 'It came to the end of its life; an expired value is not brought back.',
} as const satisfies Pick<Outcome, 'state' | 'reason' | 'message'>;

const RETRY = {
  conflict: 'soon',
  transient: 'soon',
  waiting: 'later',
  stalled: 'later',
  integrity: 'later',
  bug: 'later',
} as const satisfies Record<OperatorError['disposition'], Outcome['retry']>;

export function reasonOf(failure: OperatorError): RowReason {
  return REASONS[failure.code] ?? 'ServerError';
}

/** The row of a document whose step failed, in the state it had reached. */
export function failedOutcome(
  base: Omit<Outcome, 'state'>,
  failure: unknown,
  state: State = 'Failed',
): Outcome {
  const error = errorOf(failure);
  return {
    ...base,
    state,
    reason: reasonOf(error),
    message: `${error.message} ${error.hint}`.slice(0, 256),
    retry: RETRY[error.disposition],
  };
}
