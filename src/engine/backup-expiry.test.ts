import { describe, expect, it } from 'vitest';
import { always, failsWith } from '#src/backends/memory/hooks.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { aRow, aWorld, runEngine, type EngineRun, type World } from '#test/support/engine-run.ts';

const TTL_MS = 60_000;
const ROUNDING_MS = 1_000;
const spec = { sourcePolicy: 'Backup', backupTTLSeconds: TTL_MS / 1_000 };
const BACKUP = 'a.migrated-bak';

/** A document that was moved, with its backup, and its rows. */
async function moved(): Promise<{ world: World; prior: readonly PriorRecord[] }> {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  const run = await runEngine({ ...world, spec });
  expect(run.outcomeOf('a')).toMatchObject({ state: 'Removed', backup: BACKUP });
  expect(run.result.wakeAfterMs).toBe(TTL_MS);
  return { world, prior: run.rows };
}

const runMaintenance = (world: World, prior: readonly PriorRecord[], more: Partial<EngineRun> = {}) =>
  runEngine({ ...world, spec, prior, task: 'maintain', ...more });

describe('a backup', () => {
  it('is removed once its time has passed in full, and not before', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS + ROUNDING_MS - 1);
    const early = await runMaintenance(world, prior);
    expect([early.outcomes.size, early.result.wakeAfterMs]).toEqual([0, 1]);
    expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
    world.clock.jump(1);
    const due = await runMaintenance(world, prior);
    expect(due.outcomeOf('a')).toMatchObject({ state: 'Removed', reason: 'BackupExpired' });
    expect(due.outcomeOf('a').backup).toBeUndefined();
    expect(due.result.wakeAfterMs).toBeUndefined();
    expect(world.source.backupTextAt(BACKUP)).toBeUndefined();
  });

  it.each(['Pending', 'Copied', 'Verified', 'Conflict', 'Failed', 'Skipped'] as const)(
    'stays while its row is %s: only the backup of a removed source expires',
    async (state) => {
      const { world } = await moved();
      world.clock.jump(TTL_MS * 10);
      const run = await runMaintenance(world, [aRow('a', { state, backup: BACKUP })]);
      expect(run.log).toEqual([]);
      expect(run.result.wakeAfterMs).toBeUndefined();
      expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
    },
  );

  it.each(['remove', 'purge'] as const)(
    'stays when the destination no longer has the document (%s), and the row says so',
    async (gone) => {
      const { world, prior } = await moved();
      world.clock.jump(TTL_MS * 2);
      world.destination[gone]('ns/a');
      const run = await runMaintenance(world, prior);
      expect(run.outcomeOf('a')).toMatchObject({
        state: 'Failed',
        reason: 'DestinationLost',
        backup: BACKUP,
        retry: 'later',
      });
      expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
    },
  );

  it('is also removed when the destination has a newer value by then', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    world.destination.put('ns/a', { k: 'newer' });
    expect((await runMaintenance(world, prior)).outcomeOf('a').reason).toBe('BackupExpired');
  });
});

describe('the backup of a document that changed at the destination', () => {
  it.each<[string, (world: World) => void]>([
    [
      'was made again',
      ({ destination }) => {
        destination.purge('ns/a');
        destination.put('ns/a', { k: 'other' });
      },
    ],
    [
      'was changed within its version',
      ({ destination }) => destination.alter('ns/a', { fields: { k: 'other' } }),
    ],
  ])('stays when the destination has another value in a document that %s', async (_what, change) => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    change(world);
    const run = await runMaintenance(world, prior);
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Removed',
      reason: 'DestinationDiffers',
      backup: BACKUP,
      retry: 'later',
    });
    expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
    const again = await runMaintenance(world, run.rows);
    expect(again.rows).toEqual(run.rows);
  });

  it.each([
    ['is being deleted', { isLeaving: true }, 'DestinationLeaving'],
    ['goes with its owner', { owner: 'Deployment web' }, 'DestinationOwned'],
  ] as const)('stays when the copy %s', async (_what, state, reason) => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    world.destination.alter('ns/a', state);
    const run = await runMaintenance(world, prior);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Removed', reason, backup: BACKUP });
    expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
  });

  it('stays when a run in between found another document at its path, and that one was changed since', async () => {
    const { world, prior } = await moved();
    world.destination.purge('ns/a');
    world.destination.put('ns/a', { k: 'other' });
    const between = await runEngine({ ...world, spec, prior });
    expect(between.outcomeOf('a').state).toBe('Removed');
    world.destination.put('ns/a', { k: 'later' });
    world.clock.jump(TTL_MS * 2);
    const run = await runMaintenance(world, between.rows);
    expect(run.outcomeOf('a')).toMatchObject({ reason: 'DestinationDiffers', backup: BACKUP });
    expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
  });

  it('is removed when the destination has the value in a document that was made again', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    world.destination.purge('ns/a');
    world.destination.put('ns/a', { k: 'v' });
    expect((await runMaintenance(world, prior)).outcomeOf('a').reason).toBe('BackupExpired');
  });

  it('stays when the version of the destination is recorded without an identity and its value differs', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    world.destination.put('ns/a', { k: 'newer' });
    const [row] = [prior[0] ?? aRow('a')];
    const unversioned = { ...row, destination: { path: 'ns/a', version: '1' } };
    const run = await runMaintenance(world, [unversioned]);
    expect(run.outcomeOf('a')).toMatchObject({ reason: 'DestinationDiffers', backup: BACKUP });
  });
});

describe('a backup', () => {
  it.each(['read', 'discard'] as const)(
    'that fails to be removed (%s) is tried again later',
    async (what) => {
      const { world, prior } = await moved();
      world.clock.jump(TTL_MS * 2);
      const hooks = { before: always(what, failsWith('SERVER_ERROR')) };
      const run = await runMaintenance(world, prior, { at: { source: hooks, destination: hooks } });
      expect([run.outcomes.size, run.result.wakeAfterMs]).toEqual([0, 60_000]);
      expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
    },
  );

  it('of a row without a destination stays', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    const [{ destination: _place, ...row }] = [prior[0] ?? aRow('a')];
    expect((await runMaintenance(world, [row])).outcomeOf('a').reason).toBe('DestinationLost');
  });

  it('stays forever without backupTTLSeconds', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 1_000);
    const run = await runMaintenance(world, prior, { spec: { sourcePolicy: 'Backup' } });
    expect([run.log, run.result.wakeAfterMs]).toEqual([[], undefined]);
  });

  it('also expires at the end of a full run, but not of a dry run', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    await runEngine({ ...world, spec: { ...spec, dryRun: true }, prior });
    expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
    await runEngine({ ...world, spec, prior });
    expect(world.source.backupTextAt(BACKUP)).toBeUndefined();
  });

  it('stays when a whole backend fails during the run', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    world.source.put('new', { k: 'v' });
    const at = { destination: { before: always('write', failsWith('BACKEND_SEALED')) } };
    const run = await runEngine({ ...world, spec, prior, at });
    expect(run.result.problem).toMatchObject({ code: 'BACKEND_SEALED' });
    expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
  });

  it('stays when the migration must stop', async () => {
    const { world, prior } = await moved();
    world.clock.jump(TTL_MS * 2);
    await runMaintenance(world, prior, { shouldStop: () => true });
    expect(world.source.backupTextAt(BACKUP)).toEqual({ k: 'v' });
  });

  it('is all that a completed migration processes: new documents are not copied', async () => {
    const { world, prior } = await moved();
    world.source.put('new', { k: 'v' });
    const run = await runMaintenance(world, prior);
    expect(run.log).toEqual([]);
  });
});
