import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { withoutReserved } from '#src/backends/layers/reserved.ts';
import type { Driver } from '#src/backends/driver.ts';
import { toIntent } from './compile.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { LiveMigrations } from '../crossings.ts';
import { takeInventory } from './inventory.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { maintain } from '../run.ts';

const RESERVED = [
  { prefix: 'sys_', allowNamespaces: [] },
  { prefix: 'app.migrated', allowNamespaces: [] },
];
const { signal } = new AbortController();

interface Listing {
  readonly [name: string]: Readonly<Record<string, string>>;
}

interface World {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly source?: Listing;
  readonly destination?: Listing;
  readonly from?: 'flat' | 'tree';
  readonly prior?: readonly PriorRecord[];
}

/** A backend of names behind the gate; any call other than for names and rights throws. */
function aStore(end: 'source' | 'destination', world: World, asked: string[]): Driver {
  const addressing = end === 'source' ? (world.from ?? 'flat') : 'tree';
  const bare: Partial<Driver> = {
    traits: { addressing, concurrency: 1, statesAttributes: false },
    backups: undefined,
    claims: undefined,
    isLeaving: async () => Promise.resolve(false),
    projections: undefined,
    addressRefusalOf: () => undefined,
    locationOf: (path) => ({ store: end, path }),
    denied: async () => Promise.resolve(new Map()),
    async *list({ folder }) {
      asked.push(`list ${folder}`);
      for (const [address, labels] of Object.entries(world[end] ?? {})) yield { address, labels };
      await Promise.resolve();
    },
    ...(addressing === 'flat' && {
      backups: {
        addressOf: (address) => `${address}.migrated-bak`,
        has: async () => Promise.reject(new Error('asked for a backup')),
        get: async () => Promise.reject(new Error('asked for a backup')),
        retire: async () => Promise.reject(new Error('asked for a backup')),
        discard: async () => Promise.reject(new Error('asked for a backup')),
      },
    }),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an unexpected call throws
  return withoutReserved(bare as Driver, RESERVED, 'ns');
}

function aRun(world: World) {
  const { spec, from = 'flat', prior = [] } = world;
  const asked: string[] = [];
  const parsed = parseSecretMigration({
    apiVersion: API_VERSION,
    kind: 'SecretMigration',
    metadata: { name: 'm', namespace: 'ns', uid: 'u', generation: 1, resourceVersion: '1' },
    spec: {
      source: { backendRef: { name: 'a' } },
      destination: { backendRef: { name: 'b' } },
      ...spec,
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  const context: Partial<ApplyInputs> = {
    intent: toIntent(parsed.value, {
      source: { addressing: from, statesAttributes: false },
      destination: { addressing: 'tree', statesAttributes: false },
    }),
    source: aStore('source', world, asked),
    destination: aStore('destination', world, asked),
    prior: new Map(prior.map((record) => [record.name, record])),
    concurrency: 1,
    crossings: new LiveMigrations().of('ns/m'),
    gates: [],
    copyGate: () => undefined,
    journal: {
      prior: new Map(prior.map((record) => [record.name, record])),
      expect: () => undefined,
      record: async () => Promise.resolve(),
      forget: async () => Promise.resolve(),
      flush: async () => Promise.resolve(),
    },
    clock: {
      now: () => Date.parse('2026-01-01T00:00:00Z'),
      monotonic: () => 0,
      sleep: async () => Promise.resolve(),
      schedule: () => () => undefined,
    },
    shouldStop: () => false,
    signal,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the missing members are not used before a read
  return { asked, context: context as ApplyInputs };
}

async function refusalOf(world: World): Promise<{ message: string; asked: readonly string[] }> {
  const { asked, context } = aRun(world);
  try {
    await takeInventory(context);
  } catch (error) {
    expect(error).toMatchObject({ code: 'NAME_RESERVED' });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked in the line above
    return { message: (error as { target: string }).target, asked };
  }
  throw new Error('it was not refused');
}

const names = (...all: readonly string[]) => ({ select: { names: all } });
const all = { select: { all: true } };
const IN_AN_HOUR = '2026-01-01T01:00:00Z';
const AN_HOUR_AGO = '2025-12-31T23:00:00Z';

function withFallback(prefix: string, untilTime: string) {
  return { source: { backendRef: { name: 'a' }, fallback: { prefix, untilTime } } };
}

describe('a request with a reserved name', () => {
  it.each<[string, World, string]>([
    ['by name', { spec: names('fine', 'sys_a') }, 'sys_a'],
    [
      'by name, where the target needs labels',
      { spec: { ...names('fine', 'sys_a'), mapping: { path: '{label:team}/{name}' } } },
      'sys_a',
    ],
    [
      'as the target of a prefix rule',
      { spec: { ...names('fine', 'x-a'), mapping: { prefixes: [{ from: 'x-', to: 'sys_' }] } } },
      'x-a at ns/sys_x-a',
    ],
    [
      'as the target of an override',
      { spec: { ...names('fine', 'a'), mapping: { overrides: [{ name: 'a', path: 'team/sys_a' }] } } },
      'a at team/sys_a',
    ],
    [
      'as a folder of the path',
      { spec: { ...names('fine'), mapping: { path: 'sys_all/{name}' } } },
      'fine at sys_all/fine',
    ],
    [
      'as the old address of a fallback',
      { from: 'tree', spec: { ...names('fine'), ...withFallback('{namespace}/sys_', IN_AN_HOUR) } },
      'fine at ns/sys_fine',
    ],
    [
      'as the name of a backup',
      { spec: { ...names('fine', 'app'), sourcePolicy: 'Backup' } },
      'app at app.migrated-bak',
    ],
  ])('%s is refused before any backend is called', async (_, world, target) => {
    expect(await refusalOf(world)).toEqual({ message: target, asked: [] });
  });

  it('as a target that depends on a label is refused once the names are known', async () => {
    const source = { fine: { team: 'web' }, other: { team: 'sys_web' } };
    const world: World = { spec: { ...all, mapping: { path: '{label:team}/{name}' } }, source };
    expect((await refusalOf(world)).message).toBe('other at sys_web/other');
  });

  it('is refused in the same way whether the target exists or not: it is not read', async () => {
    const spec = { ...names('a'), mapping: { overrides: [{ name: 'a', path: 'sys_a' }] } };
    const there = await refusalOf({ spec, destination: { sys_a: {} } });
    expect(there).toEqual(await refusalOf({ spec }));
  });

  it('is accepted when the name is excluded, or the fallback to its old address has ended', async () => {
    const excluded = { select: { names: ['a', 'sys_a'], exclude: { names: ['sys_a'] } } };
    const { context } = aRun({ spec: excluded });
    expect([...(await takeInventory(context)).documents].map(({ name }) => name)).toEqual(['a']);
    const ended = { ...names('a'), ...withFallback('{namespace}/sys_', AN_HOUR_AGO) };
    const late = aRun({ spec: ended, from: 'tree' });
    expect([...(await takeInventory(late.context)).documents].map(({ name }) => name)).toEqual(['a']);
  });
});

function aRow(name: string, more: Partial<PriorRecord> = {}): PriorRecord {
  return {
    name,
    keys: ['k'],
    state: 'Removed',
    destination: { path: `ns/${name}`, version: '1' },
    since: 0,
    ...more,
  };
}

describe('names that are reserved', () => {
  it('are not part of a selection of everything', async () => {
    const { context } = aRun({ spec: all, source: { a: {}, sys_a: {}, sys_b: {} } });
    const { documents, refused, unlisted } = await takeInventory(context);
    expect([...documents].map(({ name }) => name)).toEqual(['a']);
    expect([[...refused], [...unlisted]]).toEqual([[], []]);
  });

  it('remove the rows of earlier runs, in whichever backend they are reserved now', async () => {
    const prior = [
      aRow('unlisted'),
      aRow('sys_gone'),
      aRow('moved', { destination: { path: 'sys_moved', version: '1' } }),
      aRow('found', { source: { path: 'ns/sys_found' } }),
    ];
    const { context } = aRun({ spec: all, source: { a: {} }, prior });
    expect([...(await takeInventory(context)).unlisted]).toEqual(['unlisted']);
  });

  it('are reported while a backup under one is still to expire', async () => {
    const spec = { ...all, sourcePolicy: 'Backup', backupTTLSeconds: 60 };
    const prior = [aRow('sys_a', { backup: 'sys_a.migrated-bak' })];
    expect((await refusalOf({ spec, prior })).asked).toEqual([]);
    await expect(maintain(aRun({ spec, prior }).context)).rejects.toMatchObject({ code: 'NAME_RESERVED' });
    const hidden = [
      aRow('sys_a', { backup: '.sys_a.migrated.bak', destination: { path: 'ns/a', version: '1' } }),
    ];
    expect((await refusalOf({ spec, prior: hidden })).message).toBe('sys_a');
    const kept = { ...all, sourcePolicy: 'Backup' };
    expect([...(await takeInventory(aRun({ spec: kept, prior }).context)).unlisted]).toEqual([]);
  });
});
