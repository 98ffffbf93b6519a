import { describe, expect, it } from 'vitest';
import { aRow, evidenceWith, MAKING, observedWith } from '#test/support/evidence-samples.ts';
import { evidenceOf } from './model.ts';
import { textOf } from './text.ts';

describe('an evidence report', () => {
  it('accounts for every document that the source had', () => {
    const { totals, balance, excluded } = evidenceWith({
      spec: { sourcePolicy: 'Delete' },
      rows: [
        aRow('moved', { state: 'Removed' }),
        aRow('moved', { state: 'Removed', key: 'user' }),
        aRow('found', { state: 'Removed', destination: { path: 'found', created: false } }),
        aRow('overwritten', { state: 'Removed', destination: { path: 'x', priorVersion: '2' } }),
        aRow('soaking', { reason: 'AwaitingSoak' }),
        aRow('next'),
        aRow('trust', { state: 'Skipped', reason: 'TrustRoot' }),
        aRow('taken', { state: 'Conflict', reason: 'DestinationDiffers' }),
        aRow('large', { state: 'Failed', reason: 'TooLarge' }),
      ],
      status: {
        inventory: { discovered: 11, selected: 8, leftOut: [{ reason: 'Excluded', documents: 3 }] },
      },
    });
    expect(balance).toEqual({ isBalanced: true, problems: [] });
    expect(totals).toEqual({
      discovered: 11,
      migrated: 2,
      adopted: 1,
      migratedOrAdopted: 0,
      skipped: 1,
      excluded: 3,
      held: 1,
      failed: 2,
      pending: 1,
      sinceLastPass: 0,
    });
    expect(excluded).toEqual([
      { reason: 'Excluded', documents: 3, meaning: 'spec.select.exclude excludes the name.' },
    ]);
  });

  it('counts a copy that spec.undo takes back next as pending', () => {
    const { totals } = evidenceWith({ rows: [aRow('a', { reason: 'Undoing' })] });
    expect(totals).toMatchObject({ pending: 1, migrated: 0 });
  });

  it('says of older rows only what they tell: a version that is older than the migration was found', () => {
    const identityOf = (identity: string) => ({ destination: { path: 'p', version: '1', identity } });
    const { rows } = evidenceWith({
      rows: [
        aRow('a', identityOf('2026-11-27T08:00:00.5Z')),
        aRow('b', identityOf('2026-11-27T09:59:00Z')),
        aRow('c', identityOf('b2b0b1fe-36a1-4d4e-8d4e-6a7f0a8c0b11')),
      ],
    });
    expect(rows.map(({ outcome }) => outcome)).toEqual(['adopted', 'migratedOrAdopted', 'migratedOrAdopted']);
  });

  it.each([
    [
      'a document of the source is nowhere',
      { status: { inventory: { discovered: 3, selected: 2 } } },
      /had 3 documents, and 2 are accounted for/,
    ],
    ['no run has ended', { status: { inventory: undefined } }, /No run has ended yet/],
    ['a report cannot be read', { isComplete: false }, /SecretMigrationReport of this migration is missing/],
    [
      'rows were lost',
      {
        status: {
          reports: { count: 1, labelSelector: 'x', lost: { reports: 1, rows: 2, unrecoverable: true } },
        },
      },
      /deleted or changed by another writer/,
    ],
    [
      'the status counts other keys',
      { status: { summary: { ...NO_KEYS(), total: 2, verified: 1, failed: 1 } } },
      /counts 1 keys as Failed, and the table has 0/,
    ],
    [
      'the status counts other documents',
      { status: { documents: 5 } },
      /counts 5 documents, and 2 have rows/,
    ],
  ])('does not balance when %s', (_what, sample, problem) => {
    const { balance } = evidenceWith({ rows: [aRow('a'), aRow('b')], ...sample });
    expect(balance.isBalanced).toBe(false);
    expect(balance.problems.join(' ')).toMatch(problem);
  });

  it('balances in mode Sync after documents joined since the last pass, and says how many', () => {
    const { balance, totals } = evidenceWith({
      spec: { mode: 'Sync' },
      rows: [aRow('a'), aRow('b'), aRow('joined')],
      status: { inventory: { discovered: 4, selected: 2, leftOut: [{ reason: 'Excluded', documents: 2 }] } },
    });
    expect(balance.isBalanced).toBe(true);
    expect(totals).toMatchObject({ discovered: 4, migrated: 3, excluded: 2, sinceLastPass: 1 });
  });
});

describe('what an evidence report holds', () => {
  it('has no version that a process made up from values', () => {
    const made = { version: 'aG1hYyBvZiBhIHZhbHVl' };
    const { rows } = evidenceWith({
      rows: [aRow('a', { source: made, base: { source: made }, destination: { path: 'p', ...made } })],
    });
    expect(JSON.stringify(rows)).not.toContain(made.version);
    expect(rows[0]?.source).toEqual({ version: 'unversioned' });
  });

  it('has no member of an object that it does not know', () => {
    const observed = observedWith({ rows: [Object.assign(aRow('a'), { sizeInBytes: 31_337 })] });
    expect(textOf(evidenceOf(observed, MAKING))).not.toContain('31337');
  });

  it('says which program wrote the object and its approval, and that no user is known', () => {
    const digest = 'sha256:0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8';
    const observed = observedWith({
      rows: [],
      metadata: {
        managedFields: [
          {
            manager: 'kubectl-keyferry',
            operation: 'Update',
            time: '2026-11-27T10:05:00Z',
            fieldsV1: { 'f:spec': { 'f:approval': { 'f:digest': {} } } },
          },
          {
            manager: 'argocd-controller',
            operation: 'Apply',
            time: '2026-11-27T10:00:00Z',
            fieldsV1: { 'f:spec': { 'f:select': {} } },
          },
        ],
      },
    });
    const spec = { ...observed.migration.spec, approval: { required: true, digest } };
    const migration = { ...observed.migration, spec };
    const { approval, writers, notKnown } = evidenceOf({ ...observed, migration }, MAKING);
    expect(writers.map(({ manager, parts }) => [manager, ...parts])).toEqual([
      ['argocd-controller', 'spec'],
      ['kubectl-keyferry', 'spec', 'spec.approval.digest'],
    ]);
    expect(approval).toEqual({
      required: true,
      approvedDigest: digest,
      manager: 'kubectl-keyferry',
      time: '2026-11-27T10:05:00Z',
    });
    expect(notKnown.join(' ')).toContain('audit log of the API server has the user');
  });
});

function NO_KEYS() {
  return { total: 0, pending: 0, copied: 0, verified: 0, removed: 0, conflict: 0, failed: 0, skipped: 0 };
}
