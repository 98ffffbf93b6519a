import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRowReason, ROW_REASONS, ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import { MAX_ROW_KEYS, MAX_ROW_KEYS_BYTES, StatusRowSchema } from '#src/api/v1alpha1/status-row.ts';
import { keyRowsOf } from '#src/api/v1alpha1/key-rows.ts';
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

/** Keys with or without new names: few, or more than one row has. */
const keyNames = fc
  .tuple(fc.uniqueArray(text(512), { maxLength: 400, size: 'max' }), fc.boolean(), fc.boolean())
  .map(([all, isLong, isRenamed]) => {
    const keys = isLong ? all : all.slice(0, 4);
    return { keys, ...(isRenamed && keys.length > 0 ? { newKeys: keys.map((key) => `to ${key}`) } : {}) };
  });

const record: fc.Arbitrary<PriorRecord> = fc
  .tuple(
    keyNames,
    fc.record(
      {
        name: text(40),
        state: fc.constantFrom(...ROW_STATES),
        reason: fc.constantFrom(...Object.keys(ROW_REASONS).filter(isRowReason)),
        message: text(256),
        destination,
        source,
        rule: text(20),
        backup: text(80),
        since: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000),
      },
      { requiredKeys: ['name', 'state', 'since'] },
    ),
  )
  .map(([{ keys, newKeys }, rest]) => ({
    ...rest,
    keys,
    // Without a destination there is no place for them.
    ...(newKeys === undefined || rest.destination === undefined ? {} : { newKeys }),
  }));

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

  it('are one for all its keys, unless those are too many or too long for one', () => {
    fc.assert(
      fc.property(record, (written) => {
        const rows = rowsOf(written);
        for (const { keys, destination } of rows) {
          const bytes = Buffer.byteLength([...keys, ...(destination?.keys ?? [])].join(''));
          expect(keys.length).toBeLessThanOrEqual(MAX_ROW_KEYS);
          expect(keys.length === 1 || bytes <= MAX_ROW_KEYS_BYTES).toBe(true);
        }
        const names = Buffer.byteLength([...written.keys, ...(written.newKeys ?? [])].join(''));
        if (written.keys.length <= MAX_ROW_KEYS && names <= MAX_ROW_KEYS_BYTES) expect(rows).toHaveLength(1);
      }),
    );
  });

  it('tell each key with its name at the destination, in the order of the keys', () => {
    fc.assert(
      fc.property(record, (written) => {
        const keys = written.keys.length > 0 ? written.keys : [''];
        const shown = keyRowsOf(rowsOf(written));
        expect(shown.map(({ key }) => key)).toEqual(keys);
        const there = shown.map(({ destination, key }) => destination?.key ?? key);
        expect(there).toEqual(written.newKeys ?? keys);
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
