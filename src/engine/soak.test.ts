import { describe, expect, it } from 'vitest';
import { failsWith, once } from '#src/backends/memory/hooks.ts';
import { aRow, aWorld, runEngine, type World } from '#test/support/engine-run.ts';

const SOAK_MS = 60_000;
/** Times in rows are cut to whole seconds. */
const ROUNDING_MS = 1_000;
const spec = { sourcePolicy: 'Delete', soakSeconds: SOAK_MS / 1_000 };

function aCopiedDocument(): World {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  return world;
}

describe('a verified document soaks', () => {
  it('before its source is removed, and the run returns when it is due again', async () => {
    const world = aCopiedDocument();
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('a').state).toBe('Verified');
    expect(run.result).toMatchObject({ awaitsSoak: true, wakeAfterMs: SOAK_MS });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('until its full time has passed, and no longer', async () => {
    const world = aCopiedDocument();
    const first = await runEngine({ ...world, spec });
    world.clock.jump(SOAK_MS + ROUNDING_MS - 1);
    const early = await runEngine({ ...world, spec, prior: first.rows });
    expect(early.outcomeOf('a').state).toBe('Verified');
    expect(early.result).toMatchObject({ awaitsSoak: true, wakeAfterMs: 1 });
    world.clock.jump(1);
    const due = await runEngine({ ...world, spec, prior: early.rows });
    expect(due.outcomeOf('a').state).toBe('Removed');
    expect(due.result.awaitsSoak).toBe(false);
  });

  it('from the start again when the version at the destination changed', async () => {
    const world = aCopiedDocument();
    const first = await runEngine({ ...world, spec });
    world.clock.jump(SOAK_MS * 2);
    world.destination.put('ns/a', { k: 'v' });
    const second = await runEngine({ ...world, spec, prior: first.rows });
    expect(second.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '2' } });
    expect(second.result).toMatchObject({ awaitsSoak: true, wakeAfterMs: SOAK_MS });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
    world.clock.jump(SOAK_MS);
    const third = await runEngine({ ...world, spec, prior: second.rows });
    expect([third.outcomeOf('a').state, third.result.wakeAfterMs]).toEqual(['Verified', ROUNDING_MS]);
    world.clock.jump(ROUNDING_MS);
    const last = await runEngine({ ...world, spec, prior: third.rows });
    expect(last.outcomeOf('a').state).toBe('Removed');
  });

  it.each(['Pending', 'Copied', 'Conflict', 'Failed', 'Skipped'] as const)(
    'from the start when the version was recorded as %s instead of Verified',
    async (state) => {
      const world = aCopiedDocument();
      world.destination.put('ns/a', { k: 'v' });
      const run = await runEngine({ ...world, spec, prior: [aRow('a', { state })] });
      expect(run.outcomeOf('a').state).toBe('Verified');
      expect(run.result.wakeAfterMs).toBe(SOAK_MS);
    },
  );

  it('independently of others: a source is removed while another one waits', async () => {
    const world = aCopiedDocument();
    const first = await runEngine({ ...world, spec });
    world.clock.jump(SOAK_MS + ROUNDING_MS);
    world.source.put('late', { k: 'v' });
    const run = await runEngine({ ...world, spec, prior: first.rows });
    expect(run.outcomeOf('a').state).toBe('Removed');
    expect(run.outcomeOf('late').state).toBe('Verified');
    expect(run.result).toMatchObject({ awaitsSoak: true, wakeAfterMs: SOAK_MS });
  });

  it('and the run is due again for the first of them', async () => {
    const world = aCopiedDocument();
    const first = await runEngine({ ...world, spec });
    world.clock.jump(20_000);
    world.source.put('late', { k: 'v' });
    const run = await runEngine({ ...world, spec, prior: first.rows });
    expect(run.result.wakeAfterMs).toBe(SOAK_MS + ROUNDING_MS - 20_000);
  });

  it('not at all if its source stays', async () => {
    const world = aCopiedDocument();
    const run = await runEngine({ ...world, spec: { ...spec, sourcePolicy: 'Keep' } });
    expect(run.result.awaitsSoak).toBe(false);
    expect(run.result.wakeAfterMs).toBeUndefined();
  });

  it('not at all without soakSeconds', async () => {
    const world = aCopiedDocument();
    const run = await runEngine({ ...world, spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a').state).toBe('Removed');
    expect(run.result.awaitsSoak).toBe(false);
  });
});

describe('a copy that is not the one that was proven', () => {
  /** Soaked to the last second, and then changed. */
  async function almostSoaked(destination: Parameters<typeof aWorld>[1] = {}) {
    const world = aWorld({}, destination);
    world.source.put('a', { k: 'v' });
    const first = await runEngine({ ...world, spec });
    world.clock.jump(SOAK_MS * 2);
    return { world, prior: first.rows };
  }

  it('soaks from the start when it was lost and this run wrote it again, in the same version', async () => {
    const { world, prior } = await almostSoaked();
    world.destination.purge('ns/a');
    const run = await runEngine({ ...world, spec, prior });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '1' } });
    expect(run.result).toMatchObject({ awaitsSoak: true, wakeAfterMs: SOAK_MS });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
    const again = await runEngine({ ...world, spec, prior: run.rows });
    expect(again.result.wakeAfterMs).toBe(SOAK_MS + ROUNDING_MS);
  });

  it('soaks from the start when another client lost it and wrote it again', async () => {
    const { world, prior } = await almostSoaked();
    world.destination.purge('ns/a');
    world.destination.put('ns/a', { k: 'v' });
    const run = await runEngine({ ...world, spec, prior });
    expect(run.result).toMatchObject({ awaitsSoak: true, wakeAfterMs: SOAK_MS });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('soaks from the start when an edited mapping leads to another path', async () => {
    const { world, prior } = await almostSoaked();
    world.destination.put('moved/a', { k: 'v' });
    const elsewhere = { ...spec, mapping: { path: 'moved/{name}' } };
    const run = await runEngine({ ...world, spec: elsewhere, prior });
    expect(run.outcomeOf('a').destination).toMatchObject({ path: 'moved/a', version: '1' });
    expect(run.result).toMatchObject({ awaitsSoak: true, wakeAfterMs: SOAK_MS });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('soaks from the start when this run wrote it, although its version was recorded long ago', async () => {
    const world = aCopiedDocument();
    const destination = { path: 'ns/a', version: '1', identity: 'incarnation-1' };
    world.clock.jump(SOAK_MS * 2);
    const run = await runEngine({ ...world, spec, prior: [aRow('a', { destination })] });
    expect(world.destination.currentAt('ns/a')?.version).toEqual({
      revision: '1',
      identity: 'incarnation-1',
    });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'AwaitingSoak' });
  });

  it('soaks from the start when this run wrote it and its version cannot tell, as in KV version 1', async () => {
    const { world, prior } = await almostSoaked();
    world.destination.purge('ns/a');
    const ephemeral = prior.map(({ destination, ...row }) => ({
      ...row,
      destination: { path: 'ns/a', version: destination?.version ?? '' },
    }));
    const run = await runEngine({ ...world, spec, prior: ephemeral });
    expect(run.result).toMatchObject({ awaitsSoak: true, wakeAfterMs: SOAK_MS });
    const again = await runEngine({ ...world, spec, prior: run.rows });
    expect(again.result.wakeAfterMs).toBe(SOAK_MS + ROUNDING_MS);
  });
});

describe('the row of a document that soaks', () => {
  it('says so, once, and keeps its time through a removal that fails', async () => {
    const world = aCopiedDocument();
    const first = await runEngine({ ...world, spec });
    expect(first.log.filter((line) => line.startsWith('row a'))).toEqual(['row a Verified']);
    expect(first.outcomeOf('a').reason).toBe('AwaitingSoak');
    world.clock.jump(SOAK_MS + ROUNDING_MS);
    const before = once('delete', failsWith('SERVER_ERROR'));
    const failed = await runEngine({ ...world, spec, prior: first.rows, at: { source: { before } } });
    expect(failed.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'ServerError' });
    const last = await runEngine({ ...world, spec, prior: failed.rows });
    expect(last.outcomeOf('a').state).toBe('Removed');
  });

  it('does not change while it waits', async () => {
    const world = aCopiedDocument();
    const first = await runEngine({ ...world, spec });
    world.clock.jump(SOAK_MS / 2);
    const second = await runEngine({ ...world, spec, prior: first.rows });
    expect(second.rows).toEqual(first.rows);
  });

  it('says nothing of a soak if its source stays', async () => {
    const run = await runEngine({ ...aCopiedDocument(), spec: { ...spec, sourcePolicy: 'Keep' } });
    expect(run.outcomeOf('a').reason).toBeUndefined();
  });

  it('names a gate that holds the removal, without a change and a change back within a run', async () => {
    const world = aCopiedDocument();
    const trustRoots = { a: 'SecretBackend ns/vault' };
    const held = { ...world, spec: { sourcePolicy: 'Delete', select: { names: ['a'] } }, trustRoots };
    const first = await runEngine(held);
    world.clock.jump(SOAK_MS);
    const second = await runEngine({ ...held, prior: first.rows });
    expect(second.outcomeOf('a').reason).toBe('TrustRoot');
    expect(second.rows).toEqual(first.rows);
  });
});
