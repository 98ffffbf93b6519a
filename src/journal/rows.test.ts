import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRowReason, ROW_REASONS, ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import { StatusRowSchema } from '#src/api/v1alpha1/status-row.ts';
import { recordedVersion, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import { toPriorRecords, toRows } from './rows.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';

const text = (maxLength: number) => fc.string({ minLength: 1, maxLength });

/** Any version that a driver can return. */
const version = fc
  .record({ revision: text(64), identity: text(128), isEphemeral: fc.boolean() })
  .map(({ isEphemeral, ...rest }) =>
    recordedVersion(isEphemeral ? { ...rest, isEphemeral: true as const } : rest),
  );

const side = fc.oneof(fc.constant({}), version);

const source = fc
  .tuple(fc.record({ path: text(80) }, { requiredKeys: [] }), side)
  .map(([place, seen]) => ({ ...place, ...seen }));

const destination = fc
  .tuple(fc.record({ path: text(80), priorVersion: text(64) }, { requiredKeys: ['path'] }), side)
  .map(([place, seen]) => ({ ...place, ...seen }));

const record: fc.Arbitrary<PriorRecord> = fc.record(
  {
    name: text(40),
    keys: fc.uniqueArray(text(20), { maxLength: 5 }),
    state: fc.constantFrom(...ROW_STATES),
    reason: fc.constantFrom(...Object.keys(ROW_REASONS).filter(isRowReason)),
    message: text(256),
    destination,
    source,
    rule: text(20),
    backup: text(80),
    since: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000),
  },
  { requiredKeys: ['name', 'keys', 'state', 'since'] },
);

function rowsOf({ since, ...outcome }: PriorRecord) {
  return toRows({ outcome, since: toKubernetesTime(since) });
}

describe('the rows of a document', () => {
  it('are read back as the same record, and as the same JSON from the API server', () => {
    const records = fc.uniqueArray(record, { selector: ({ name }) => name, maxLength: 6 });
    fc.assert(
      fc.property(records, (written) => {
        const rows = written.flatMap(rowsOf);
        const parsed = rows.map((row) => StatusRowSchema.parse(structuredClone(row)));
        expect(JSON.stringify(parsed)).toBe(JSON.stringify(rows));
        expect([...toPriorRecords(parsed).values()]).toEqual(written);
      }),
    );
  });

  it('are the same JSON whatever the order of members in an outcome', () => {
    const place = { path: 'ns/a', version: '2', identity: 'i', priorVersion: '1' };
    const shuffled = { priorVersion: '1', identity: 'i', path: 'ns/a', version: '2' };
    const base = { name: 'a', keys: ['k'], state: 'Verified' } as const;
    const rows = (outcome: Outcome) => JSON.stringify(toRows({ outcome, since: '2026-01-01T00:00:00Z' }));
    expect(rows({ ...base, destination: shuffled })).toBe(rows({ ...base, destination: place }));
    expect(rows({ ...base, source: { identity: 'i', version: '2' } })).toBe(
      rows({ ...base, source: { version: '2', identity: 'i' } }),
    );
  });

  it('never contain an identity that is derived from a value', () => {
    const ephemeral = { revision: 'unversioned', identity: 'digest', isEphemeral: true } as const;
    expect(recordedVersion(ephemeral)).toEqual({ version: 'unversioned' });
  });
});
