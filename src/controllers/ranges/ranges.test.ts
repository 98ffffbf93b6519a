import { beforeEach, describe, expect, it } from 'vitest';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { ConditionReason } from '#src/errors/reasons.ts';
import { MigrationJournal } from '#src/journal/journal.ts';
import { beginningOf, rangeName, rangeObject, reportsOfRange } from '#src/journal/range-object.ts';
import { reportName } from '#src/journal/report-object.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { aParsedMigration } from '#test/support/migration-rows.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { hasEnded, isDue, isOver } from './ended.ts';
import { lossOfRange, readRanges } from './read.ts';
import { RangeSums } from './sums.ts';
import { verdictOn } from './verdict.ts';

const { signal } = new AbortController();
const PODS = 3;
const DOCUMENTS_OF_A_RANGE = 300;

let reports: MemoryReports;
let migration: SecretMigration;

beforeEach(() => {
  reports = new MemoryReports();
  migration = aParsedMigration({ spec: { parallelism: { pods: PODS } } });
});

interface Told {
  readonly reason?: ConditionReason;
  readonly status?: 'True' | 'False' | 'Unknown';
  readonly stalled?: boolean;
  readonly documents?: number;
  /** Of the inventory. */
  readonly selected?: number;
  readonly failed?: number;
}

/** What the pod of a range stores: its rows, and at the end its state. */
async function tell(index: number, told: Told = {}): Promise<void> {
  const { documents = DOCUMENTS_OF_A_RANGE, failed = 0, reason = 'Completed', status = 'True' } = told;
  const range = { index, count: PODS };
  const journal = await MigrationJournal.open({
    migration: { ...migration, status: beginningOf(migration) },
    reports: reportsOfRange(reports, range),
    logger: new RecordedLog(),
    clock: new ManualClock(),
    signal,
    rules: [],
    acknowledgesLoss: false,
  });
  for (let at = 0; at < documents; at += 1)
    await journal.record({
      name: `doc-${index}-${at}`,
      keys: ['k'],
      state: at < failed ? 'Failed' : 'Verified',
    });
  await journal.storeReports();
  const condition = {
    status,
    reason,
    message: `What range ${index} says.`,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const stalled = told.stalled === true ? [{ ...condition, type: 'Stalled', status: 'True' as const }] : [];
  const selected = told.selected ?? documents;
  const state = {
    ...journal.table(),
    observedGeneration: migration.metadata.generation,
    conditions: [{ ...condition, type: 'Ready' }, ...stalled],
    inventory: { discovered: selected, selected },
  };
  const ended = { generation: migration.metadata.generation };
  await reports.create(rangeObject(migration, range, { ended, status: JSON.parse(JSON.stringify(state)) }));
}

async function verdict() {
  const ranges = await readRanges(reports, migration, signal);
  const losses = [];
  for (const range of ranges) losses.push(await lossOfRange(reports, migration, range, signal));
  const sums = new RangeSums(ranges, losses);
  return { ranges, sums, verdict: () => verdictOn(ranges, sums) };
}

describe('the sums of all ranges', () => {
  it('count every row of them, and complete when each has completed', async () => {
    for (let index = 0; index < PODS; index += 1) await tell(index);
    const all = await verdict();
    const total = PODS * DOCUMENTS_OF_A_RANGE;
    expect(all.sums.counts()).toMatchObject({ total, verified: total });
    expect(all.sums.table()).toMatchObject({
      progress: `${total}/${total}`,
      documents: total,
      keysTruncated: true,
      reports: { rows: total },
    });
    expect(all.sums.loss).toBeUndefined();
    expect(all.verdict()).toMatchObject({ ready: 'True', succeeded: 'True', reason: 'Completed' });
  });

  it('complete with a range that has no document', async () => {
    await tell(0);
    await tell(1, { documents: 0, reason: 'NothingSelected', status: 'False' });
    await tell(2);
    expect((await verdict()).verdict()).toMatchObject({ reason: 'Completed' });
  });

  it('say that nothing is selected when no range has a document', async () => {
    for (let index = 0; index < PODS; index += 1)
      await tell(index, { documents: 0, reason: 'NothingSelected', status: 'False' });
    expect((await verdict()).verdict()).toMatchObject({ ready: 'False', reason: 'NothingSelected' });
  });

  it('are never Completed with a range that did not complete, and name the worst one', async () => {
    await tell(0);
    await tell(1, { failed: 2, reason: 'PartiallyFailed', status: 'False', stalled: true });
    await tell(2, { failed: 1, reason: 'IntegrityViolated', status: 'False' });
    const { sums, verdict: said } = await verdict();
    expect(said()).toMatchObject({
      ready: 'False',
      succeeded: 'False',
      reason: 'IntegrityViolated',
      stalled: false,
    });
    expect(said().message).toContain('897/900 keys verified; 3 failed. Range 2 of 3: What range 2 says.');
    expect(sums.table().exceptions?.map(({ name }) => name)).toEqual(['doc-1-0', 'doc-1-1', 'doc-2-0']);
  });

  it('are not Completed when a report of a range is gone', async () => {
    for (let index = 0; index < PODS; index += 1) await tell(index);
    reports.objects.delete(`${reportName(migration.metadata, 0)}-p1`);
    const { sums, verdict: said } = await verdict();
    expect(sums.loss).toMatchObject({ reports: 1 });
    expect(said()).toMatchObject({ ready: 'False', reason: 'ReportsIncomplete', stalled: true });
  });

  it('do not conclude when the inventories do not balance', async () => {
    await tell(0);
    await tell(1, { selected: DOCUMENTS_OF_A_RANGE + 1 });
    await tell(2);
    const { verdict: said } = await verdict();
    expect(said).toThrow(expect.objectContaining({ code: 'INVARIANT' }));
  });
});

describe('the state of a range', () => {
  it('is not told by a report of another migration, and not by one of another number of pods', async () => {
    for (let index = 0; index < PODS; index += 1) await tell(index);
    const others = { ...migration, metadata: { ...migration.metadata, uid: 'another' } };
    expect((await readRanges(reports, others, signal)).map(({ ended }) => ended)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const more = aParsedMigration({ spec: { parallelism: { pods: PODS + 1 } } });
    expect((await readRanges(reports, more, signal)).every(({ ended }) => ended === undefined)).toBe(true);
  });

  it('is the end of this generation and this request only', () => {
    const { generation } = migration.metadata;
    expect(hasEnded({ generation }, migration)).toBe(true);
    expect(hasEnded({ generation: generation - 1 }, migration)).toBe(false);
    expect(hasEnded({ generation, requested: 'an earlier one' }, migration)).toBe(false);
    expect(hasEnded(undefined, migration)).toBe(false);
  });

  it('is over until there is more to do', () => {
    const { generation } = migration.metadata;
    const ended = { generation, retryTime: '2026-01-01T00:01:00Z' };
    const at = Date.parse(ended.retryTime);
    expect([isDue(ended, at - 1), isDue(ended, at)]).toEqual([false, true]);
    expect([isOver(ended, migration, at - 1), isOver(ended, migration, at)]).toEqual([true, false]);
  });

  it('has a name that no report of another migration can have', () => {
    const names = ['x', 'x-p1', 'x-0', 'x-range1', 'x-0-p1', 'x.p1'].map((name) => ({ name }));
    const all = names.flatMap((metadata) => [
      ...[0, 1].map((shard) => reportName(metadata, shard)),
      ...[0, 1].flatMap((index) => [rangeName(metadata, index), `${reportName(metadata, 0)}-p${index}`]),
    ]);
    expect(new Set(all).size).toBe(all.length);
  });
});
