import { describe, expect, it } from 'vitest';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { aMigration } from '#test/builders/objects.ts';
import { approvalFor, type PlannedFor } from './approval.ts';

interface Case {
  readonly spec?: object;
  readonly uid?: string;
  readonly reason?: string;
  readonly backendUid?: string;
  readonly store?: string;
  readonly rows?: readonly PriorRecord[];
}

const ROW: PriorRecord = {
  name: 'a',
  keys: ['k'],
  state: 'Pending',
  planned: { action: 'Create', path: 'ns/a', source: { version: '1' } },
  since: 0,
};
const ROWS = [ROW, { ...ROW, name: 'b' }];

function migrationOf({ spec = {}, uid = 'u', reason = 'AwaitingApproval' }: Case): SecretMigration {
  const migration = aMigration('m');
  const ready = { type: 'Ready', status: 'False', observedGeneration: 2, reason, message: '' };
  const parsed = parseSecretMigration({
    ...migration,
    metadata: { name: 'm', namespace: 'ns', uid, resourceVersion: '1', generation: 2 },
    spec: { ...migration.spec, approval: { required: true }, ...spec },
    status: { observedGeneration: 2, conditions: [{ ...ready, lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

function plannedFor({ backendUid = 'x', rows = ROWS, store = 'cluster' }: Case): PlannedFor {
  const metadata = { name: 'b', namespace: 'ns', uid: backendUid, resourceVersion: '1', generation: 1 };
  const backend = { kind: 'SecretBackend', metadata } as const;
  const end = { driver: { locationOf: (path: string) => ({ store, path }) } };
  const prior = new Map(rows.map((row) => [row.name, row]));
  const journal = { prior, outcomes: () => prior.values() };
  return { backends: { source: backend, destination: backend }, source: end, destination: end, journal };
}

const DIGEST = approvalFor(migrationOf({}), plannedFor({})).digest(ROWS);
const approved = (rest: object = {}): object => ({ approval: { required: true, digest: DIGEST }, ...rest });
const isPlan = (each: Case): boolean => approvalFor(migrationOf(each), plannedFor(each)).isPlan;

describe('an approval', () => {
  it('releases the plan whose digest it has', () => {
    const { approved: plan, isPlan: isShown } = approvalFor(
      migrationOf({ spec: approved() }),
      plannedFor({}),
    );
    expect([isShown, [...(plan ?? [])].map(([name]) => name)]).toEqual([false, ['a', 'b']]);
    expect(isPlan({})).toBe(true);
  });

  it('releases it whether the plan was made by a dry run, was suspended meanwhile, or is half done', () => {
    const dryRun = approvalFor(migrationOf({ spec: { dryRun: true, suspend: true } }), plannedFor({}));
    expect(dryRun.digest(ROWS)).toBe(DIGEST);
    const rows: readonly PriorRecord[] = [
      { ...ROW, state: 'Verified' },
      { ...ROW, name: 'b', state: 'Failed' },
    ];
    expect(isPlan({ spec: approved(), rows })).toBe(false);
  });

  it.each<readonly [string, Case]>([
    ['of another spec', { spec: approved({ sourcePolicy: 'Delete' }) }],
    ['with a shorter soak', { spec: approved({ soakSeconds: 1 }) }],
    ['of another migration of this name', { uid: 'other' }],
    ['of another backend of this name', { backendUid: 'other' }],
    ['of another store', { store: 'other' }],
    ['that lost a row', { rows: [ROW] }],
    ['with another action', { rows: [ROW, { ...ROW, name: 'b', planned: { action: 'Overwrite' } }] }],
    ['that drifted', { reason: 'NeedsReplan' }],
    ['without any document', { rows: [] }],
  ])('releases no plan %s', (_what, each) => {
    expect(isPlan({ spec: approved(), ...each })).toBe(true);
  });

  it('is not asked for in a dry run, or where none is required', () => {
    const free = approvalFor(migrationOf({ spec: { approval: { digest: DIGEST } } }), plannedFor({}));
    expect([free.isPlan, free.approved]).toEqual([false, undefined]);
    const dryRun = approvalFor(migrationOf({ spec: approved({ dryRun: true }) }), plannedFor({}));
    expect([dryRun.isPlan, dryRun.approved]).toEqual([true, undefined]);
  });
});
