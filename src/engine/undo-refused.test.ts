import { describe, expect, it } from 'vitest';
import { once } from '#src/backends/memory/hooks.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { aRow, aWorld, runEngine, type World } from '#test/support/engine-run.ts';
import { dies, moved, REMOVING, toSecrets, undo, type More, type Spec } from '#test/support/undo-run.ts';
import { LiveMigrations } from './crossings.ts';

/*
 * What stays when a migration is taken back: nothing of another writer is overwritten or removed.
 */

/** What another writer, or the spec, keeps from being taken back. */
interface Case {
  readonly title: string;
  readonly reason: string;
  /** Of the row afterwards. */
  readonly state?: string;
  readonly spec?: Spec;
  /** Of the undo. Default: as before. */
  readonly undoSpec?: Spec;
  readonly world?: () => World;
  /** Before the migration. */
  readonly before?: (world: World) => void;
  /** Between the migration and its undo. */
  readonly meanwhile: (world: World) => void;
  readonly more?: More;
  readonly source?: string;
  readonly destination?: string;
}

const CASES: readonly Case[] = [
  {
    title: 'another document with the name of a removed source',
    reason: 'SourceTaken',
    state: 'Removed',
    spec: REMOVING,
    meanwhile: ({ source }) => void source.put('a', { k: 'foreign' }),
    source: 'foreign',
    destination: 'v',
  },
  {
    title: 'a changed destination: the source comes back from its history',
    reason: 'DestinationChanged',
    state: 'Verified',
    spec: REMOVING,
    meanwhile: ({ destination }) => void destination.put('ns/a', { k: 'foreign' }),
    source: 'v',
    destination: 'foreign',
  },
  {
    title: 'a changed destination without a history, after the source was removed',
    reason: 'DestinationChanged',
    state: 'Removed',
    spec: REMOVING,
    world: () => aWorld({}, { addressing: 'flat' }),
    meanwhile: ({ destination }) => void destination.put('a', { k: 'foreign' }),
    destination: 'foreign',
  },
  {
    title: 'a destination that was removed, after the source was',
    reason: 'DestinationLost',
    state: 'Removed',
    spec: REMOVING,
    meanwhile: ({ destination }) => destination.purge('ns/a'),
  },
  {
    title: 'a source that has another value than its copy',
    reason: 'SourceChanged',
    meanwhile: ({ source }) => void source.put('a', { k: 'foreign' }),
    source: 'foreign',
    destination: 'v',
  },
  {
    title: 'a source that another writer removed',
    reason: 'SourceGone',
    meanwhile: ({ source }) => source.remove('a'),
    destination: 'v',
  },
  {
    title: 'an overwritten destination that another writer changed',
    reason: 'DestinationChanged',
    spec: { conflictPolicy: 'Overwrite' },
    before: ({ destination }) => void destination.put('ns/a', { k: 'old' }),
    meanwhile: ({ destination }) => void destination.put('ns/a', { k: 'foreign' }),
    source: 'v',
    destination: 'foreign',
  },
  {
    title: 'a source in a history that another writer wrote and deleted',
    reason: 'SourceTaken',
    state: 'Removed',
    spec: REMOVING,
    world: toSecrets,
    meanwhile: ({ source }) => {
      source.put('ns/a', { k: 'foreign' });
      source.remove('ns/a');
    },
    destination: 'v',
  },
  {
    title: 'a value that was decoded, of a source that is gone with its history',
    reason: 'NoWayBack',
    state: 'Removed',
    spec: { ...REMOVING, mapping: { keys: [{ from: 'k', decode: 'base64' }] } },
    world: toSecrets,
    before: ({ source }) => void source.put('ns/a', { k: 'dg==' }),
    meanwhile: ({ source }) => source.purge('ns/a'),
    destination: 'v',
  },
  {
    title: 'a spec that leads to another path by now',
    reason: 'NoWayBack',
    undoSpec: { mapping: { path: 'elsewhere/{name}' } },
    meanwhile: () => undefined,
    source: 'v',
    destination: 'v',
  },
  {
    title: 'a copy that a backend reads its credentials from',
    reason: 'TrustRoot',
    meanwhile: () => undefined,
    more: { destinationTrustRoots: { 'ns/a': 'SecretBackend x' } },
    source: 'v',
    destination: 'v',
  },
  {
    title: 'clocks that differ',
    reason: 'ClockSkew',
    meanwhile: () => undefined,
    more: { clockDiffersFrom: 'the server' },
    source: 'v',
    destination: 'v',
  },
];

function addressesIn({ destination, source }: World): { readonly from: string; readonly to: string } {
  const to = destination.traits.addressing === 'flat' ? 'a' : 'ns/a';
  return { from: source.traits.addressing === 'flat' ? 'a' : 'ns/a', to };
}

describe('what is not taken back, with its reason', () => {
  it.each(CASES)('$title', async (each) => {
    const { meanwhile, more, reason, spec = {}, undoSpec = spec } = each;
    const world = each.world?.() ?? aWorld();
    const { from, to } = addressesIn(world);
    world.source.put(from, { k: 'v' });
    each.before?.(world);
    const prior = await moved(world, spec);
    meanwhile(world);
    const run = await undo(world, { prior, spec: undoSpec }, more);
    const { state = 'Verified' } = each;
    expect(run.outcomeOf('a')).toMatchObject({ state, reason, message: expect.stringMatching(/./) });
    expect(world.source.textAt(from)?.['k']).toBe(each.source);
    expect(world.destination.textAt(to)?.['k']).toBe(each.destination);
    const again = await undo(world, { prior: run.rows, spec: undoSpec }, more);
    expect(again.log).not.toContain('flush');
    expect(again.rows).toEqual(run.rows);
  });
});

describe('what is not taken back, because no row or store tells enough', () => {
  it('a copy of which no row tells who created it', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'v' });
    const { rows: prior } = await runEngine({ ...world });
    const run = await undo(world, { prior });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'CreatorUnknown' });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
  });

  it('a version that a killed run may have written, or another writer', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'old' });
    const spec = { conflictPolicy: 'Overwrite' };
    let announced: readonly PriorRecord[] = [];
    const onFlush = (rows: readonly PriorRecord[]): void => void (announced = rows);
    const killed = { destination: { after: once('write', () => dies()) } };
    await expect(runEngine({ ...world, spec, onFlush, at: killed })).rejects.toThrow();
    const { rows: adopted } = await runEngine({ ...world, spec, prior: announced });
    for (const prior of [announced, adopted]) {
      const run = await undo(world, { prior, spec });
      expect(run.outcomeOf('a').reason).toBe('CreatorUnknown');
      expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
    }
  });

  it('an overwritten version that the store no longer keeps', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const { identity, revision: version } = world.destination.put('ns/a', { k: 'v' });
    const destination = { path: 'ns/a', version, identity, priorVersion: '0' };
    const run = await undo(world, { prior: [aRow('a', { destination })] });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'PriorVersionLost' });
  });

  it('a copy in a store whose versions are not recorded', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const { revision: version } = world.destination.put('ns/a', { k: 'v' });
    const prior = [aRow('a', { destination: { path: 'ns/a', version, created: true } })];
    const run = await undo(world, { prior });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'CapabilityMissing' });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
  });

  it('a removed source whose copy is in such a store, unless its backup has it', async () => {
    for (const sourcePolicy of ['Delete', 'Backup']) {
      const world = aWorld();
      const { revision: version } = world.destination.put('ns/a', { k: 'another value by now' });
      const backup = 'a.migrated-bak';
      if (sourcePolicy === 'Backup') {
        world.source.put(backup, { k: 'v' });
        world.source.backups.set(backup, world.source.currentAt(backup) ?? never());
        world.source.purge(backup);
      }
      const destination = { path: 'ns/a', version, created: true };
      const prior = [
        aRow('a', { state: 'Removed', destination, ...(sourcePolicy === 'Backup' ? { backup } : {}) }),
      ];
      const run = await undo(world, { prior, spec: { sourcePolicy } });
      expect(run.outcomeOf('a').reason).toBe('CapabilityMissing');
      expect(world.source.textAt('a')).toEqual(sourcePolicy === 'Backup' ? { k: 'v' } : undefined);
      expect(world.destination.textAt('ns/a')).toEqual({ k: 'another value by now' });
    }
  });

  it('a copy that another live migration writes, and a source that another one removes', async () => {
    const world = aWorld();
    const live = new LiveMigrations();
    world.source.put('a', { k: 'v' });
    const kept = await moved(world);
    live.of('ns/other').declare({ removes: [], writes: [{ store: 'memory destination', path: 'ns/a' }] });
    const held = await undo(world, { prior: kept }, { live });
    expect(held.outcomeOf('a').reason).toBe('CrossingMigrations');
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });

    live.withdraw('ns/other');
    const { rows: prior } = await runEngine({ ...world, prior: kept, spec: REMOVING });
    live.of('ns/other').declare({ removes: [{ store: 'memory source', path: 'a' }], writes: [] });
    const waiting = await undo(world, { prior, spec: REMOVING }, { live });
    expect(waiting.outcomeOf('a')).toMatchObject({ state: 'Removed', reason: 'CrossingMigrations' });
    expect(world.source.textAt('a')).toBeUndefined();
  });
});

function never(): never {
  throw new Error('it was put there');
}
