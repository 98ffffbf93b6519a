import { describe, expect, it } from 'vitest';
import { once } from '#src/backends/memory/hooks.ts';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

/** Requested writes, including those that failed. */
const writesIn = (log: readonly string[]): number =>
  log.filter((line) => line.startsWith('destination write')).length;

function withSource(): World {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  return world;
}

interface Row {
  readonly spec?: object;
  readonly there?: (world: World) => void;
  readonly outcome: object;
  /** What the destination has afterwards. */
  readonly holds: Readonly<Record<string, string>> | undefined;
  readonly writes: number;
}
const differs = ({ destination }: World) => destination.put('ns/a', { k: 'theirs' });
const table: Record<string, Row> = {
  'that the destination does not have is written and proven': {
    outcome: { state: 'Verified', keys: ['k'], destination: { path: 'ns/a', version: '1' } },
    holds: { k: 'v' },
    writes: 1,
  },
  'that the destination already has is adopted': {
    there: ({ destination }) => {
      destination.put('ns/a', { k: 'older' });
      destination.put('ns/a', { k: 'v' });
    },
    outcome: { state: 'Verified', destination: { path: 'ns/a', version: '2' } },
    holds: { k: 'v' },
    writes: 0,
  },
  'that differs is a conflict and stays as it is': {
    there: differs,
    outcome: { state: 'Conflict', reason: 'DestinationDiffers', retry: 'later' },
    holds: { k: 'theirs' },
    writes: 0,
  },
  'whose destination was deleted is a conflict and stays deleted': {
    there: ({ destination }) => {
      destination.put('ns/a', { k: 'v' });
      destination.remove('ns/a');
    },
    outcome: { state: 'Conflict', reason: 'DestinationDeleted', retry: 'later' },
    holds: undefined,
    writes: 0,
  },
  'that differs is skipped with KeepDestination, and its source stays': {
    spec: { conflictPolicy: 'KeepDestination', sourcePolicy: 'Delete' },
    there: differs,
    outcome: { state: 'Skipped', reason: 'DestinationDiffers' },
    holds: { k: 'theirs' },
    writes: 0,
  },
  'gets the new names of its keys': {
    spec: { mapping: { keys: [{ from: 'k', to: 'key' }] } },
    outcome: { state: 'Verified', keys: ['k'], newKeys: ['key'] },
    holds: { key: 'v' },
    writes: 1,
  },
  'is reported by a dry run as one to write': {
    spec: { dryRun: true },
    outcome: { state: 'Pending', reason: 'WouldCreate' },
    holds: undefined,
    writes: 0,
  },
  'is reported by a dry run as one to adopt': {
    spec: { dryRun: true, sourcePolicy: 'Delete' },
    there: ({ destination }) => destination.put('ns/a', { k: 'v' }),
    outcome: { state: 'Pending', reason: 'WouldAdopt' },
    holds: { k: 'v' },
    writes: 0,
  },
  'is reported by a dry run as one to overwrite': {
    spec: { dryRun: true, conflictPolicy: 'Overwrite' },
    there: differs,
    outcome: { state: 'Pending', reason: 'WouldOverwrite', destination: { priorVersion: '1' } },
    holds: { k: 'theirs' },
    writes: 0,
  },
  'is reported by a dry run as a conflict': {
    spec: { dryRun: true },
    there: differs,
    outcome: { state: 'Conflict', reason: 'DestinationDiffers' },
    holds: { k: 'theirs' },
    writes: 0,
  },
  'is reported by a dry run as skipped': {
    spec: { dryRun: true, conflictPolicy: 'KeepDestination' },
    there: differs,
    outcome: { state: 'Skipped', reason: 'DestinationDiffers' },
    holds: { k: 'theirs' },
    writes: 0,
  },
};
describe('a document', () => {
  it.each(Object.entries(table))('%s', async (_sentence, { spec, there, outcome, holds, writes }) => {
    const world = withSource();
    there?.(world);
    const run = await runEngine({ ...world, ...(spec && { spec: { ...spec } }) });
    expect(run.outcomeOf('a')).toMatchObject(outcome);
    expect(world.destination.textAt('ns/a')).toEqual(holds);
    expect(writesIn(run.log)).toBe(writes);
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('without keys is moved too', async () => {
    const world = aWorld();
    world.source.put('a', {});
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', keys: [] });
    expect(world.destination.textAt('ns/a')).toEqual({});
  });

  it('keeps its type, and those of its labels that are named', async () => {
    const world = aWorld();
    const metadata = new Map([
      ['team', 'web'],
      ['internal', 'x'],
    ]);
    world.source.put('a', { k: 'v' }, { type: 'kubernetes.io/tls', immutable: true, metadata });
    await runEngine({ ...world, spec: { mapping: { labels: ['team'] } } });
    expect(world.destination.currentAt('ns/a')?.attributes).toEqual({
      type: 'kubernetes.io/tls',
      immutable: true,
      metadata: new Map([['team', 'web']]),
    });
  });

  it('two keys of which map to one name fails, and nothing is written', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v', l: 'w' });
    const run = await runEngine({ ...world, spec: { mapping: { keys: [{ from: 'k', to: 'l' }] } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'MappingCollision', retry: 'later' });
    expect(writesIn(run.log)).toBe(0);
  });

  it('that the destination cannot store fails, and nothing is written', async () => {
    const world = aWorld({ canExpire: true }, { canExpire: false });
    world.source.put('a', { k: 'v' }, { expiresAt: '2026-02-01T00:00:00Z' });
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'ExpiryRefused', retry: 'later' });
    expect(writesIn(run.log)).toBe(0);
  });

  it('that expires before it is written is skipped', async () => {
    const world = aWorld({ canExpire: true });
    world.source.put('a', { k: 'v' }, { expiresAt: '2026-01-01T00:00:01Z' });
    const before = once('write', () => world.clock.jump(1_000));
    const run = await runEngine({ ...world, at: { destination: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Skipped', reason: 'Expired' });
  });

  it.each(['Keep', 'Delete'])(
    'with a type that the destination does not store is adopted only while its source stays: %s',
    async (sourcePolicy) => {
      const world = aWorld();
      world.source.put('a', { k: 'v' }, { type: 'kubernetes.io/tls' });
      world.destination.put('ns/a', { k: 'v' });
      const run = await runEngine({ ...world, spec: { sourcePolicy } });
      const expected = sourcePolicy === 'Keep' ? { state: 'Verified' } : { reason: 'AttributesDiffer' };
      expect(run.outcomeOf('a')).toMatchObject(expected);
      expect(world.source.textAt('a')).toEqual({ k: 'v' });
    },
  );
});
