import type { ConditionReason } from '#src/api/v1alpha1/conditions.ts';
import { doneRows, type Counts, type Outcome } from '#src/core/outcome.ts';
import { errorOf, type ErrorCode } from '#src/errors.ts';
import type { Statement } from '../conditions.ts';

/** What the conditions of a migration shall say. */
export interface Verdict {
  readonly ready: 'True' | 'False' | 'Unknown';
  readonly succeeded: 'True' | 'False' | 'Unknown';
  readonly reason: ConditionReason;
  readonly message: string;
  readonly reconciling: boolean;
  readonly stalled: boolean;
  readonly suspended: boolean;
}

function verdict(
  ready: Verdict['ready'],
  succeeded: Verdict['succeeded'],
  reason: ConditionReason,
  message: string,
): Verdict {
  const reconciling = ready === 'Unknown' && reason !== 'Suspended';
  return {
    ready,
    succeeded,
    reason,
    message,
    reconciling,
    stalled: false,
    suspended: reason === 'Suspended',
  };
}

export function progressing(counts: Counts): Verdict {
  return verdict(
    'Unknown',
    'Unknown',
    'Progressing',
    counts.total === 0
      ? 'The names are being gathered.'
      : `${doneRows(counts)} of ${counts.total} keys are done.`,
  );
}

export function suspended(): Verdict {
  return verdict(
    'Unknown',
    'Unknown',
    'Suspended',
    'spec.suspend is true; nothing is done until it is false.',
  );
}

const REASON_OF_CODE: Partial<Record<ErrorCode, ConditionReason>> = {
  BACKEND_SEALED: 'BackendSealed',
  BACKEND_UNREACHABLE: 'BackendUnavailable',
  SERVER_ERROR: 'BackendUnavailable',
  DEADLINE: 'BackendUnavailable',
  RATE_LIMITED: 'BackendUnavailable',
  REPLY_INVALID: 'BackendUnavailable',
  TLS_FAILED: 'TLSFailed',
  AUTH_DENIED: 'PermissionDenied',
  CREDENTIALS_MISSING: 'CredentialsMissing',
  BACKEND_NOT_FOUND: 'BackendNotFound',
  BACKEND_NOT_READY: 'BackendNotReady',
  BACKEND_FORBIDDEN: 'BackendForbidden',
  DEFAULT_MISSING: 'DefaultMissing',
  DEFAULT_CONFLICT: 'DefaultConflict',
  DEFAULT_CHANGED: 'DefaultChanged',
  NAME_RESERVED: 'ReservedName',
  MOUNT_MISSING: 'MountMissing',
  FOLDER_MISSING: 'FolderMissing',
  FOLDER_EXPOSED: 'FolderExposed',
  CAPABILITY_MISSING: 'CapabilityMissing',
  SPEC_INVALID: 'InvalidSpec',
  REQUEST_REJECTED: 'InvalidSpec',
  VERIFY_MISMATCH: 'IntegrityViolated',
  ENCODING_CORRUPT: 'IntegrityViolated',
};

/** A failure that is about the whole migration or backend, not about one document. */
export function failing(failure: unknown): Verdict {
  const error = errorOf(failure);
  const reason = REASON_OF_CODE[error.code] ?? 'InternalError';
  const target = error.target === undefined ? '' : ` (${error.target})`;
  const base = verdict('False', 'Unknown', reason, `${error.message}${target} ${error.hint}`);
  const stalled = error.disposition === 'stalled';
  return { ...base, stalled, reconciling: !stalled };
}

export interface Finished {
  readonly counts: Counts;
  readonly outcomes: Iterable<Outcome>;
  readonly dryRun: boolean;
  readonly awaitsSoak: boolean;
}

/** The verdict on a run that came to its end. */
export function concluding(run: Finished): Verdict {
  const { counts } = run;
  const kept = countKept(run.outcomes);
  const message = `${doneRows(counts)} of ${counts.total} keys are done${troubles(counts, kept)}.`;
  if (counts.total === 0) {
    const hint = 'Nothing was done. Correct spec.select, or create what it names.';
    return verdict('False', 'False', 'NothingSelected', `The selection matches no document. ${hint}`);
  }
  const trouble = failureReason(run, kept);
  if (trouble !== undefined) return verdict('False', 'False', trouble, message);
  if (run.dryRun) return verdict('True', 'Unknown', 'DryRunCompleted', dryRunMessage(counts));
  if (counts.pending + counts.copied + kept.soon > 0)
    return verdict('Unknown', 'Unknown', 'Progressing', message);
  if (run.awaitsSoak) return verdict('Unknown', 'Unknown', 'AwaitingSoak', message);
  return verdict('True', 'True', 'Completed', message);
}

function dryRunMessage(counts: Counts): string {
  return `Dry run: ${counts.pending} keys would be moved, nothing was written. Set spec.dryRun to false to go on.`;
}

/**
 * Documents that are proven although their source, which should go, could not be removed: their rows are fine, the
 * migration is not done. By how the removal will be tried again.
 */
interface Kept {
  readonly soon: number;
  readonly later: number;
}

function countKept(outcomes: Iterable<Outcome>): Kept {
  const kept = { soon: 0, later: 0 };
  for (const { state, retry } of outcomes) {
    if (state === 'Verified' && retry !== undefined) kept[retry === 'soon' ? 'soon' : 'later'] += 1;
  }
  return kept;
}

function failureReason({ counts, outcomes }: Finished, kept: Kept): ConditionReason | undefined {
  for (const outcome of outcomes) {
    if (outcome.reason === 'VerifyMismatch' || outcome.reason === 'DestinationLost')
      return 'IntegrityViolated';
  }
  if (counts.failed + counts.copied + kept.later > 0) return 'PartiallyFailed';
  return counts.conflict > 0 ? 'ConflictsFound' : undefined;
}

function troubles(counts: Counts, kept: Kept): string {
  const sources = kept.soon + kept.later;
  const parts = [
    counts.failed > 0 ? `${counts.failed} failed` : '',
    counts.conflict > 0 ? `${counts.conflict} in conflict` : '',
    counts.copied > 0 ? `${counts.copied} copied but not verified` : '',
    counts.pending > 0 ? `${counts.pending} pending` : '',
    sources > 0 ? `${sources} ${sources === 1 ? 'source' : 'sources'} not removed yet` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `; ${parts.join(', ')}`;
}

/** What a verdict says, condition by condition. */
export function statementsOf(verdict: Verdict): Statement[] {
  const { reason, message } = verdict;
  const statements: Statement[] = [
    { type: 'Ready', status: verdict.ready, reason, message },
    { type: 'Succeeded', status: verdict.succeeded, reason, message },
  ];
  if (verdict.reconciling) statements.push({ type: 'Reconciling', status: 'True', reason, message });
  if (verdict.stalled) statements.push({ type: 'Stalled', status: 'True', reason, message });
  if (verdict.suspended) statements.push({ type: 'Suspended', status: 'True', reason, message });
  return statements;
}
