import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRowReason, ROW_REASONS, ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { parseJson } from '#src/json/parse.ts';
import { RowCodec } from './packed-row.ts';
import type { TableEntry } from './rows.ts';

/** Any text: as drivers make them, halves of characters, and lengths far beyond those of a row. */
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
    .map((units) => String.fromCharCode(...units)),
  fc.uuid(),
  fc.uuid().map((text) => text.toUpperCase()),
  fc.nat().map(String),
  fc.stringMatching(/^[-0-9:.TZ+]{0,40}$/),
  fc.tuple(fc.constantFrom('a', 'é', '🔑', '1'), fc.nat(400)).map(([unit, times]) => unit.repeat(times)),
);
const version = fc.record({ version: anyText, identity: anyText }, { requiredKeys: [] });
const aReason = fc.constantFrom(...Object.keys(ROW_REASONS).filter(isRowReason));

/** A text, or one that a mapping makes of the name: with the name in it, or with the end of it. */
const pathOf = (name: string) =>
  fc.oneof(
    anyText,
    fc.tuple(anyText, anyText).map(([before, after]) => before + name + after),
    fc.tuple(anyText, fc.nat(20)).map(([before, cut]) => before + name.slice(cut)),
  );

const outcomeOf = (name: string): fc.Arbitrary<Outcome> =>
  fc.record(
    {
      name: fc.constant(name),
      keys: fc.array(anyText, { maxLength: 4 }),
      newKeys: fc.array(anyText, { maxLength: 4 }),
      state: fc.constantFrom(...ROW_STATES),
      reason: aReason,
      message: anyText,
      destination: fc.record(
        {
          path: pathOf(name),
          version: anyText,
          identity: anyText,
          priorVersion: anyText,
          created: fc.boolean(),
          originalVersion: anyText,
        },
        { requiredKeys: ['path'] },
      ),
      source: fc.record({ path: pathOf(name), version: anyText, identity: anyText }, { requiredKeys: [] }),
      base: fc.record({ source: version, destination: version }, { requiredKeys: [] }),
      planned: fc.record(
        {
          action: fc.constantFrom('Create', 'Adopt', 'Overwrite', 'Keep'),
          path: pathOf(name),
          source: version,
          destination: version,
          removal: fc.constantFrom('Delete', 'Backup', 'Project'),
          held: aReason,
          losesMetadata: fc.constant(true as const),
          reason: aReason,
        },
        { requiredKeys: ['action'] },
      ),
      rule: anyText,
      backup: pathOf(name),
      retry: fc.constantFrom('soon', 'later', 'never'),
      copiedNow: fc.constant(true as const),
    },
    { requiredKeys: ['name', 'keys', 'state'] },
  );

const anyTime = fc.oneof(
  fc
    .integer({ min: 0, max: 4_000_000_000 })
    .map((seconds) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')),
  fc.constantFrom('2026-01-01T00:00:00.5Z', '2026-01-01T00:00:00+02:00', '1969-12-31T23:59:59Z', 'never'),
);
const members = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.jsonValue());
const unknownMembers = fc.record(
  {
    row: members,
    destination: members,
    source: members,
    reason: fc.record({ reason: anyText, message: anyText }, { requiredKeys: ['reason'] }),
  },
  { requiredKeys: ['row', 'destination', 'source'] },
);
const anyEntry: fc.Arbitrary<TableEntry> = anyText.chain((name) =>
  fc.record(
    {
      outcome: outcomeOf(name),
      since: anyTime,
      unknown: fc.array(fc.tuple(anyText, unknownMembers), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    },
    { requiredKeys: ['outcome', 'since'] },
  ),
);

/** JSON as the rows of a document are compared: `-0` and an own `__proto__` of unknown members do not matter. */
function asJson({ unknown, ...entry }: TableEntry): unknown {
  return parseJson(JSON.stringify({ ...entry, unknown: unknown && Object.fromEntries(unknown) }));
}

function numberOfUse(packed: ReadonlySet<string>, codec: RowCodec): ReadonlySet<number> {
  const used = new Set<number>();
  for (const row of packed) codec.numbersIn(row, used);
  return used;
}

function aCodec(): { readonly codec: RowCodec; readonly kept: Set<string> } {
  const kept = new Set<string>();
  const codec: RowCodec = new RowCodec(() => numberOfUse(kept, codec));
  return { codec, kept };
}

function proven(index: number, more: Partial<Outcome> = {}): TableEntry {
  const name = `app-credentials-service-${String(index).padStart(6, '0')}`;
  const outcome: Outcome = {
    name,
    keys: ['host', 'password', 'username'],
    state: 'Verified',
    destination: {
      path: `team/${name}`,
      version: '1',
      identity: '2026-01-01T00:10:06.100000001Z',
      created: true,
    },
    source: { version: '4000001', identity: '6b1f3c2e-8f0a-4d3b-9d55-0a1b2c3d4e5f' },
    ...more,
  };
  return { outcome, since: '2026-01-01T00:00:00Z' };
}

describe('a packed row', () => {
  it('is unpacked as it was, whatever the entry, and among whatever others', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 3 }), (entries) => {
        const { codec } = aCodec();
        // Three times: what is seen once is not shared, then it is, then it is known.
        for (let round = 0; round < 3; round += 1) {
          const packed = entries.map((entry) => [entry, codec.pack(entry)] as const);
          for (const [entry, row] of packed)
            expect(asJson(codec.unpack(entry.outcome.name, row))).toEqual(asJson(entry));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('has one byte a character, so that a letter beyond Latin-1 does not double all others', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const packed = aCodec().codec.pack(entry);
        expect(Buffer.from(packed, 'latin1').toString('latin1')).toBe(packed);
      }),
    );
  });

  it('costs less than its JSON where it shares nothing', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        fc.pre(entry.unknown === undefined);
        const json = Buffer.byteLength(JSON.stringify(entry).toWellFormed());
        expect(aCodec().codec.pack(entry).length).toBeLessThan(json);
      }),
    );
  });

  it('of a document that fared like the others is a seventh of its JSON', () => {
    const { codec } = aCodec();
    for (let index = 0; index < 3; index += 1) codec.pack(proven(index));
    const entry = proven(4);
    expect(codec.pack(entry).length).toBeLessThan(JSON.stringify(entry).length / 7);
  });
});

describe('what rows share', () => {
  it('goes when no row has it any more, and what a row has never goes', () => {
    const { codec, kept } = aCodec();
    const stays = new Map<string, TableEntry>();
    for (let index = 0; index < 30_000; index += 1) {
      const message = `why ${index >> 1}`;
      const entry = proven(index, { state: 'Failed', message });
      const packed = codec.pack(entry);
      codec.pack(entry);
      if (index % 100 !== 0) continue;
      const shared = codec.pack(entry);
      kept.add(packed).add(shared);
      stays.set(shared, entry);
    }
    expect(codec.shared).toBeLessThanOrEqual(5_000);
    // There is room again: rows with yet another message share it.
    const another = [1, 2, 3].map((index) =>
      codec.pack(proven(index, { state: 'Failed', message: 'another' })),
    );
    expect(another.at(-1)?.length).toBeLessThan(60);
    for (const [packed, entry] of stays) expect(codec.unpack(entry.outcome.name, packed)).toEqual(entry);
  });

  it('is not what a single row has, however many there are', () => {
    const { codec } = aCodec();
    for (let index = 0; index < 10_000; index += 1)
      codec.pack(proven(index, { state: 'Failed', message: `why ${index}` }));
    // The folder of the path, which all have.
    expect(codec.shared).toBe(1);
  });
});
