import { available, unavailable } from '#src/controllers/backend/statements.ts';
import type { Statement } from '#src/controllers/conditions.ts';
import { undoing, undone } from '#src/controllers/migration/undone.ts';
import {
  concluding,
  failing,
  progressing,
  slowedDown,
  statementsOf,
  suspended,
  type Finished,
  type Verdict,
} from '#src/controllers/migration/verdict.ts';
import { countOutcomes, type Outcome } from '#src/core/outcome.ts';
import { ERROR_CODES } from '#src/errors/codes.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';

/*
 * Every verdict that the code can reach, and how Flux and Helm (kstatus) and Argo CD should see it. The verdicts are made
 * by the functions that the operator calls; only what is expected is written here.
 */

/** kstatus: Failed ends a wait; InProgress lets it go on. Argo CD: Degraded ends a sync. */
export interface HealthCase {
  readonly title: string;
  readonly kind: 'SecretMigration' | 'SecretBackend' | 'ClusterSecretBackend';
  readonly statements: readonly Statement[];
  readonly kstatus: 'Current' | 'InProgress' | 'Failed';
  readonly argoCD: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended';
}

type Expected = readonly [kstatus: HealthCase['kstatus'], argoCD: HealthCase['argoCD']];

const DONE: Expected = ['Current', 'Healthy'];
const WORKING: Expected = ['InProgress', 'Progressing'];
/** It is tried again, but a person should know. */
const RETRIED: Expected = ['InProgress', 'Degraded'];
const NEEDS_A_CHANGE: Expected = ['Failed', 'Degraded'];

/** Codes after which nothing is tried again. */
const FINAL_CODES: readonly ErrorCode[] = [
  'SPEC_INVALID',
  'SELECTION_TOO_LARGE',
  'REQUEST_REJECTED',
  'DOCUMENT_REFUSED',
  'EXPIRED',
  'CONFIG_INVALID',
];
/** Codes of a migration, and of a backend, for which an object is missing that the same sync can bring. */
const WAITING_CODES: readonly ErrorCode[] = ['BACKEND_NOT_FOUND', 'BACKEND_NOT_READY', 'DEFAULT_MISSING'];
const WAITING_CODES_OF_BACKENDS: readonly ErrorCode[] = ['CREDENTIALS_MISSING'];

const isErrorCode = (word: string): word is ErrorCode => Object.hasOwn(ERROR_CODES, word);
const CODES = Object.keys(ERROR_CODES).filter(isErrorCode);

function anOutcome(rest: Partial<Outcome>): Outcome {
  return { name: 'a', keys: ['k'], state: 'Verified', ...rest };
}

function finished(outcomes: readonly Outcome[], rest: Partial<Finished> = {}): Verdict {
  return concluding({ counts: countOutcomes(outcomes), outcomes, dryRun: false, awaitsSoak: false, ...rest });
}

const CONFLICT = anOutcome({ state: 'Conflict', reason: 'DestinationDiffers', retry: 'later' });
const FAILED = anOutcome({ state: 'Failed', reason: 'PermissionDenied', retry: 'later' });
const COLLIDES = anOutcome({ state: 'Failed', reason: 'MappingCollision', retry: 'never' });
const MISMATCH = anOutcome({ state: 'Failed', reason: 'VerifyMismatch', retry: 'never' });
const NO_RULE = anOutcome({ state: 'Skipped', reason: 'NoRule', keys: [] });
const RENAMED = anOutcome({ state: 'Skipped', reason: 'AlreadyRenamed', keys: [] });
const WOULD_CREATE = anOutcome({ state: 'Pending', reason: 'WouldCreate' });
const PLAN = { create: 1, adopt: 0, overwrite: 0, conflicts: 0, remove: 0, excluded: 0, metadataLost: 0 };
const TO_APPROVE = {
  digest: `sha256:${'0'.repeat(64)}`,
  approved: 'nothing' as const,
  name: 'm',
  namespace: 'ns',
};
const PLANNED = anOutcome({ state: 'Pending', reason: 'WouldCreate', planned: { action: 'Create' } });
const DRIFTED = anOutcome({ state: 'Pending', reason: 'NeedsReplan', planned: { action: 'Create' } });
const LOSS = { reports: 1, rows: 1, unrecoverable: true };

const UNDONE = anOutcome({ state: 'Skipped', reason: 'Undone' });
const STAYING = anOutcome({ reason: 'CreatorUnknown' });
const TAKEN = anOutcome({ state: 'Removed', reason: 'SourceTaken', retry: 'later' });

function takenBack(outcomes: readonly Outcome[], loss?: typeof LOSS): Verdict {
  return undone({ counts: countOutcomes(outcomes), outcomes, loss });
}

const RUNS: readonly (readonly [title: string, verdict: Verdict, expected: Expected])[] = [
  ['at work', progressing(countOutcomes([WOULD_CREATE])), WORKING],
  ['slowed down by a quota', slowedDown(new OperatorError('RATE_LIMITED', { op: 'test' })), WORKING],
  ['suspended', suspended(), ['InProgress', 'Suspended']],
  ['completed', finished([anOutcome({})]), DONE],
  ['a dry run without conflict', finished([WOULD_CREATE], { dryRun: true, plan: PLAN }), DONE],
  [
    'awaiting approval',
    finished([PLANNED], { plan: PLAN, awaited: TO_APPROVE }),
    ['InProgress', 'Suspended'],
  ],
  [
    'awaiting approval, with a conflict',
    finished([PLANNED, CONFLICT], { plan: PLAN, awaited: TO_APPROVE }),
    ['InProgress', 'Suspended'],
  ],
  ['about to make another plan', finished([DRIFTED]), RETRIED],
  ['renamed before', finished([RENAMED]), DONE],
  ['awaiting its soak', finished([anOutcome({})], { awaitsSoak: true }), WORKING],
  ['in conflict', finished([CONFLICT]), NEEDS_A_CHANGE],
  ['in conflict, while another document soaks', finished([CONFLICT], { awaitsSoak: true }), RETRIED],
  ['a dry run with a conflict', finished([CONFLICT], { dryRun: true, plan: PLAN }), NEEDS_A_CHANGE],
  ['partly failed, tried again', finished([FAILED, CONFLICT]), RETRIED],
  ['partly failed, not tried again', finished([COLLIDES]), NEEDS_A_CHANGE],
  ['with bytes that differ', finished([MISMATCH]), NEEDS_A_CHANGE],
  ['with rows that were lost', finished([anOutcome({})], { loss: LOSS }), NEEDS_A_CHANGE],
  ['without any document', finished([]), RETRIED],
  ['without an effect', finished([NO_RULE]), RETRIED],
  ['that is taken back', undoing(countOutcomes([anOutcome({})])), WORKING],
  ['taken back', takenBack([UNDONE]), DONE],
  ['taken back, with nothing to take back', takenBack([]), DONE],
  ['taken back, except for a copy that stays', takenBack([UNDONE, STAYING]), NEEDS_A_CHANGE],
  ['taken back, except for a name that is taken', takenBack([UNDONE, TAKEN]), RETRIED],
  ['taken back, with rows that were lost', takenBack([UNDONE], LOSS), NEEDS_A_CHANGE],
];

/** In mode Sync there is no condition Succeeded. */
const IN_STEP: readonly (readonly [title: string, verdict: Verdict, expected: Expected])[] = [
  ['in step', finished([anOutcome({})], { isKeptInStep: true }), DONE],
  ['in step but for a conflict', finished([CONFLICT], { isKeptInStep: true }), NEEDS_A_CHANGE],
  ['in step but for a failure', finished([FAILED], { isKeptInStep: true }), RETRIED],
];

function expectedOf(code: ErrorCode, waiting: readonly ErrorCode[]): Expected {
  if (FINAL_CODES.includes(code)) return NEEDS_A_CHANGE;
  return waiting.includes(code) ? WORKING : RETRIED;
}

function casesOfMigrations(): readonly HealthCase[] {
  const failed = CODES.map((code) => {
    const verdict = failing(new OperatorError(code, { op: 'test' }));
    return [`failed with ${code}`, verdict, expectedOf(code, WAITING_CODES)] as const;
  });
  const cases = [...RUNS, ...failed].map((each) => caseOf(each, false));
  return [...cases, ...IN_STEP.map((each) => caseOf(each, true))];
}

function caseOf(
  [title, verdict, [kstatus, argoCD]]: (typeof RUNS)[number],
  isKeptInStep: boolean,
): HealthCase {
  const statements = statementsOf(verdict, isKeptInStep);
  return { title: `a migration ${title}`, kind: 'SecretMigration', statements, kstatus, argoCD };
}

function casesOfBackends(kind: 'SecretBackend' | 'ClusterSecretBackend'): readonly HealthCase[] {
  const works = available({ server: { product: 'OpenBao', version: '2' } });
  const failed = CODES.map((code) => {
    const [kstatus, argoCD] = expectedOf(code, WAITING_CODES_OF_BACKENDS);
    const statements = unavailable(new OperatorError(code, { op: 'test' }));
    return { title: `a ${kind} failed with ${code}`, kind, statements, kstatus, argoCD };
  });
  return [
    { title: `a ${kind} that works`, kind, statements: works, kstatus: 'Current', argoCD: 'Healthy' },
    ...failed,
  ];
}

export const HEALTH_CASES: readonly HealthCase[] = [
  ...casesOfMigrations(),
  ...casesOfBackends('SecretBackend'),
  ...casesOfBackends('ClusterSecretBackend'),
];
