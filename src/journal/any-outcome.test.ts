import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyRowsOf, type KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { isRowReason, ROW_REASONS, ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import { MAX_EXCEPTIONS_BYTES, parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { MAX_ROW_KEY, MAX_ROW_NAME, StatusRowSchema } from '#src/api/v1alpha1/status-row.ts';
import { MAX_REPORT_BYTES } from '#src/api/v1alpha1/secret-migration-report.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { problemsOf, schemaOf } from '#test/support/structural-check.ts';
import { MigrationJournal } from './journal.ts';

const { signal } = new AbortController();

function migrationWith(status: object) {
  const parsed = parseSecretMigration({
    ...aMigration('m'),
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1 },
    status,
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

async function open(reports: MemoryReports, status: object = {}) {
  const migration = migrationWith(status);
  const parts = { logger: new RecordedLog(), clock: new ManualClock(), signal };
  return MigrationJournal.open({ migration, reports, rules: [], acknowledgesLoss: false, ...parts });
}

/** Any text: control characters, halves of characters, and lengths far beyond every limit. */
const anyText = fc.oneof(
  fc.string(),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
    .map((units) => String.fromCharCode(...units)),
  fc
    .tuple(
      fc.constantFrom('a', '/', 'é', '€', '🔑', '\u0000', '\ud83d', '\udd11', '…'),
      fc.nat(5_000),
      fc.string(),
    )
    .map(([unit, times, end]) => unit.repeat(times) + end),
);
const aReason = fc.constantFrom(...Object.keys(ROW_REASONS).filter(isRowReason));
const aVersion = { version: anyText, identity: anyText };
const anyOutcome: fc.Arbitrary<Outcome> = fc.record(
  {
    name: anyText,
    keys: fc.uniqueArray(anyText, { maxLength: 4 }),
    state: fc.constantFrom(...ROW_STATES),
    reason: aReason,
    message: anyText,
    destination: fc.record({ path: anyText, ...aVersion, priorVersion: anyText }, { requiredKeys: ['path'] }),
    source: fc.record({ path: anyText, ...aVersion }, { requiredKeys: [] }),
    rule: anyText,
    backup: anyText,
  },
  { requiredKeys: ['name', 'keys', 'state'] },
);

const migrationSchema = schemaOf('SecretMigration');
const reportSchema = schemaOf('SecretMigrationReport');

function problemsOfStatus(status: object): readonly string[] {
  const statusSchema = migrationSchema.properties?.['status'];
  if (statusSchema === undefined) throw new Error('a migration has a status');
  return problemsOf(statusSchema, { observedGeneration: 1, ...status });
}

function problemsOfReports(reports: MemoryReports): readonly string[] {
  const inReport = reportSchema.properties?.['report'];
  if (inReport === undefined) throw new Error('a report has a report');
  return [...reports.objects.values()].flatMap(({ report }) => problemsOf(inReport, report));
}

const identityOf = ({ name, key }: KeyRow): string => JSON.stringify([name, key]);

describe('whatever the outcome', () => {
  it('its rows fit the schema, inline and in reports, stay apart, and are written once', async () => {
    const check = async (outcomes: readonly Outcome[]): Promise<void> => {
      const reports = new MemoryReports();
      const journal = await open(reports);
      for (const outcome of outcomes) await journal.record(outcome);
      await journal.storeReports();
      const table = journal.table();
      expect(problemsOfStatus(table)).toEqual([]);
      expect(problemsOfReports(reports)).toEqual([]);
      const rows = table.keys ?? reports.rows();
      for (const row of rows) expect(StatusRowSchema.safeParse(row).success).toBe(true);
      const shown = keyRowsOf(rows);
      expect(new Set(shown.map(identityOf)).size).toBe(journal.counts().total);
      expect(shown).toHaveLength(journal.counts().total);

      const writes = reports.writes.length;
      const again = await open(reports, JSON.parse(JSON.stringify(table)));
      for (const outcome of outcomes) await again.record(outcome);
      again.dropUnvisited();
      await again.storeReports();
      expect(again.table()).toEqual(table);
      expect(reports.writes).toHaveLength(writes);
    };
    const outcomes = fc.uniqueArray(anyOutcome, { maxLength: 30, selector: ({ name }) => name });
    await fc.assert(fc.asyncProperty(outcomes, check), { numRuns: 80 });
  });

  it('its exceptions and its report stay small', async () => {
    const reports = new MemoryReports();
    const journal = await open(reports);
    const long = '\u0001'.repeat(5_000);
    for (let index = 0; index < 30; index += 1) {
      const name = `${index}${long}`;
      await journal.record({
        name,
        keys: [long],
        state: 'Failed',
        destination: { path: long },
        backup: long,
      });
    }
    await journal.storeReports();
    expect(Buffer.byteLength(JSON.stringify(journal.table().exceptions))).toBeLessThan(MAX_EXCEPTIONS_BYTES);
    for (const { report } of reports.objects.values())
      expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(MAX_REPORT_BYTES);
  });
});

describe('a name that a row cannot hold', () => {
  it('is cut, differs from every other one, and the next run does not look for it', async () => {
    const reports = new MemoryReports();
    const journal = await open(reports);
    const common = 'x'.repeat(MAX_ROW_NAME);
    for (const end of ['a', 'b']) await journal.record({ name: common + end, keys: [], state: 'Failed' });
    const { keys = [] } = journal.table();
    expect(new Set(keys.map(({ name }) => name)).size).toBe(2);
    expect(keys.map(({ message }) => message)).toEqual(
      keys.map(() => 'Cut or escaped to fit this row: the name.'),
    );
    const next = await open(reports, journal.table());
    expect(next.prior.size).toBe(0);
    expect(next.counts().total).toBe(2);
  });

  it('differs from one that is spelled like the cut name', async () => {
    const journal = await open(new MemoryReports());
    await journal.record({ name: 'x'.repeat(MAX_ROW_NAME + 1), keys: [], state: 'Failed' });
    const [row] = journal.table().keys ?? [];
    await journal.record({ name: row?.name ?? '', keys: [], state: 'Skipped' });
    const names = (journal.table().keys ?? []).map(({ name }) => name);
    expect(new Set(names).size).toBe(2);
  });

  it('says so after what happened, in the room of a message', async () => {
    const journal = await open(new MemoryReports());
    const key = '🔑'.repeat(MAX_ROW_KEY);
    await journal.record({
      name: 'a',
      keys: [key],
      state: 'Failed',
      message: `It failed: ${'m'.repeat(300)}`,
    });
    const [row] = journal.table().keys ?? [];
    expect(row?.message).toMatch(/^It failed: m+… Cut or escaped to fit this row: the name of a key\.$/);
    expect(row?.keys[0]).toMatch(/^(🔑)+…[0-9a-f]{16}$/u);
  });
});
