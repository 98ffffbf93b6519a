import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { parseJson } from '#src/json/parse.ts';
import { isJsonObject } from '#src/kube/json.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { MigrationJournal } from './journal.ts';
import type { ReportObject } from './report-object.ts';

/*
 * A newer or older version of the operator wrote the table: during an upgrade both work on the same objects.
 */

const { signal } = new AbortController();
const SINCE = '2026-01-01T00:00:00Z';

function migrationWith(status: object, spec: object = {}): SecretMigration {
  const migration = aMigration('m');
  const parsed = parseSecretMigration({
    ...migration,
    spec: { ...migration.spec, ...spec },
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1 },
    status,
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

async function open(
  migration: SecretMigration,
  reports = new MemoryReports(),
  logger = new RecordedLog(),
): Promise<MigrationJournal> {
  const parts = { logger, clock: new ManualClock(), signal };
  return MigrationJournal.open({ migration, reports, rules: [], acknowledgesLoss: false, ...parts });
}

const COPY = { path: 'ns/a', version: '1', identity: 'i' };
const A_ROW = {
  name: 'a',
  keys: ['k'],
  state: 'Verified',
  destination: { ...COPY, algorithm: 'new' },
  source: { version: '7', identity: 's', zone: 'new' },
  lastTransitionTime: SINCE,
  attempts: 3,
  trace: { id: 'x' },
};
const PROVEN: Outcome = {
  name: 'a',
  keys: ['k'],
  state: 'Verified',
  destination: COPY,
  source: { version: '7', identity: 's' },
};

describe('a row of a newer version', () => {
  it('keeps what this version does not know, until the copy or the source is another one', async () => {
    const journal = await open(migrationWith({ keys: [A_ROW] }));
    expect(journal.table().keys).toEqual([A_ROW]);
    await journal.record(PROVEN);
    expect(journal.table().keys).toEqual([A_ROW]);
    await journal.record({ ...PROVEN, destination: { ...COPY, version: '2' } });
    const { algorithm: _of, ...destination } = A_ROW.destination;
    expect(journal.table().keys?.[0]).toMatchObject({ attempts: 3, source: A_ROW.source });
    expect(journal.table().keys?.[0]?.destination).toEqual({ ...destination, version: '2' });
  });

  it('with a state that is not known is Failed and proves nothing, and names the state', async () => {
    const row = { ...A_ROW, state: 'Sealed', reason: 'ByKey', message: 'Sealed by a key.' };
    const journal = await open(migrationWith({ keys: [row] }));
    expect(journal.prior.get('a')).toMatchObject({
      state: 'Failed',
      reason: 'UnknownState',
      destination: COPY,
    });
    expect(journal.counts()).toMatchObject({ total: 1, failed: 1, verified: 0, removed: 0 });
    expect(journal.table().keys?.[0]?.message).toBe(
      'Another version of the operator recorded the state Sealed, which this version does not know.',
    );
    await journal.record(PROVEN);
    expect(journal.table().keys?.[0]).toMatchObject({ state: 'Verified', attempts: 3 });
    expect(journal.table().keys?.[0]?.reason).toBeUndefined();
  });

  it('keeps a reason that is not known with a removed document, whose source no longer tells it', async () => {
    const row = { ...A_ROW, state: 'Removed', reason: 'ByApproval', message: 'Approved.' };
    const journal = await open(migrationWith({ keys: [row] }));
    await journal.record({ ...PROVEN, state: 'Removed' });
    expect(journal.table().keys).toEqual([row]);
    const proven = await open(migrationWith({ keys: [{ ...row, state: 'Verified' }] }));
    await proven.record(PROVEN);
    expect(proven.table().keys?.[0]).not.toHaveProperty('reason');
  });

  it('is read with longer texts and in a longer list than this version writes', async () => {
    const rows = Array.from({ length: 300 }, (_, index) => ({
      ...A_ROW,
      name: `a${index}`,
      rule: 'r'.repeat(99),
    }));
    const journal = await open(migrationWith({ keys: rows }));
    expect(journal.prior.size).toBe(300);
  });

  it.each(['Verified', 'Removed', 'Failed', 'Pending'])(
    'with the state %s is written back as it was',
    async (state) => {
      await fc.assert(
        fc.asyncProperty(
          fc.dictionary(fc.stringMatching(/^x[A-Za-z]{1,8}$/), fc.jsonValue()),
          fc.option(fc.stringMatching(/^X[a-z]{1,20}$/), { nil: undefined }),
          async (members, reason) => {
            const row = {
              ...A_ROW,
              ...members,
              state,
              ...(reason === undefined ? {} : { reason, message: 'why' }),
            };
            const stored = parseJson(JSON.stringify(row));
            const { keys } = (await open(migrationWith({ keys: [stored] }))).table();
            expect(parseJson(JSON.stringify(keys))).toEqual([stored]);
          },
        ),
        { numRuns: 50 },
      );
    },
  );
});

describe('a report of another version', () => {
  /** A table in reports, changed as if another version had written the first one. */
  async function written(change: (report: ReportObject['report']) => object) {
    const reports = new MemoryReports();
    const journal = await open(migrationWith({}), reports);
    for (let index = 0; index < 300; index += 1)
      await journal.record({ ...PROVEN, name: `doc-${String(index).padStart(3, '0')}` });
    await journal.storeReports();
    const [name, object] = [...reports.objects][0] ?? [];
    if (name === undefined || object === undefined) throw new Error('no report');
    const { report } = object;
    const metadata = { ...object.metadata, annotations: { team: 'ours' } };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what another version writes has another type
    reports.objects.set(name, { ...object, metadata, report: change(report) } as unknown as typeof object);
    return { reports, migration: migrationWith(journal.table()) };
  }

  it('is not taken for one that was changed by hand: rows of a newer version keep their fields', async () => {
    const { reports, migration } = await written((report) => ({
      ...report,
      rows: [{ ...report.rows[0], state: 'Sealed', attempts: 3 }, ...report.rows.slice(1)],
      summary: { ...report.summary, verified: 299, sealed: 1 },
      signature: 'new',
    }));
    const logger = new RecordedLog();
    const journal = await open(migration, reports, logger);
    expect(journal.loss).toBeUndefined();
    expect(logger.lines).toEqual([]);
    expect(journal.counts()).toMatchObject({ total: 300, verified: 299, failed: 1 });
    await journal.storeReports();
    expect(reports.writes).toHaveLength(1);

    await journal.record({ ...PROVEN, name: 'doc-000' });
    await journal.storeReports();
    const stored: unknown = [...reports.objects.values()][0];
    expect(stored).toMatchObject({
      metadata: { annotations: { team: 'ours' } },
      report: { signature: 'new', summary: { verified: 300, failed: 0 } },
    });
    expect(reports.rows()[0]).toMatchObject({ name: 'doc-000', state: 'Verified', attempts: 3 });
  });

  it('that counts less, because it is older, keeps its rows', async () => {
    const { reports, migration } = await written(({ summary: { skipped: _of, ...summary }, ...report }) => ({
      ...report,
      summary,
    }));
    const journal = await open(migration, reports);
    expect(journal.loss).toBeUndefined();
    expect(journal.prior.size).toBe(300);
  });
});

describe('a status of another version', () => {
  it('that this version cannot read in one member is read in all others', () => {
    const { status } = migrationWith({
      keys: [A_ROW],
      plan: { create: 1 },
      fallback: { state: 'Paused', hits: 4 },
      summary: { total: 1 },
      documents: 1,
    });
    expect(status).toMatchObject({ keys: [A_ROW], documents: 1 });
    expect(status.plan ?? status.fallback ?? status.summary).toBeUndefined();
  });

  it('is refused if its reference to reports cannot be read, because rows would be lost', () => {
    expect(() => migrationWith({ reports: { count: 'many', labelSelector: '' } })).toThrow(
      /status\.reports\.count/,
    );
  });

  it('names the fields of a spec that only the other version knows, and none of its own', () => {
    expect(migrationWith({}).unknownFields).toBeUndefined();
    const select = { names: ['a'], exclude: { names: ['b'], olderThan: '30d' } };
    const mapping = { prefixes: [{ from: 'a', to: 'b', since: 'x' }] };
    expect(migrationWith({}, { select, mapping, consent: 'Required' }).unknownFields).toEqual([
      'spec.select.exclude.olderThan',
      'spec.mapping.prefixes[0].since',
      'spec.consent',
    ]);
  });

  it('never makes reading it fail, whatever members it has', () => {
    const members = [
      'conditions',
      'progress',
      'summary',
      'plan',
      'inventory',
      'backends',
      'documents',
      'startTime',
    ];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...members, 'x', 'y'), fc.jsonValue()), (status) => {
        const read: unknown = migrationWith({ ...status, keys: [A_ROW] }).status;
        if (!isJsonObject(read)) throw new Error('not an object');
        expect(read['keys']).toEqual([A_ROW]);
      }),
    );
  });
});
