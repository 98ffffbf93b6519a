import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Hook, Hooks } from '#src/backends/memory/hooks.ts';
import { OperatorError } from '#src/errors.ts';
import { KeyedLock } from '#src/io/keyed-lock.ts';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';
import { LiveMigrations } from './crossings.ts';
import { MAX_PROOF_AGE_MS } from './apply/retire.ts';

/*
 * What protects a value between its last proof and the removal of its source (docs/removals.md).
 */

const removing = { sourcePolicy: 'Delete' };

it('a run counts the sources that it removed, not those of earlier runs', async () => {
  const world = aWorld();
  for (const name of ['a', 'b', 'c']) world.source.put(name, { k: name });
  const spec = { ...removing, soakSeconds: 0 };
  const first = await runEngine({ ...world, spec: { ...spec, select: { names: ['a', 'b'] } } });
  expect(first.removed).toBe(2);
  const second = await runEngine({ ...world, spec, prior: first.rows });
  expect(second.outcomeOf('a').state).toBe('Removed');
  expect(second.removed).toBe(1);
  expect((await runEngine({ ...world, spec, prior: second.rows })).removed).toBe(0);
});

/** Lets other runs go on before this call. `turns` decides how many turns of the event loop each call waits. */
function waiting(turns: () => number): Hooks {
  return {
    before: async () => {
      for (let left = turns(); left > 0; left -= 1) await setImmediate();
    },
  };
}

/** Two flat stores with the same documents, and a migration in each direction. */
function crossing(names: readonly string[], { statesAttributes = true } = {}) {
  const there = aWorld(
    { name: 'A', statesAttributes },
    { name: 'B', addressing: 'flat', keepsRevisions: false, statesAttributes },
  );
  const back: World = { clock: there.clock, source: there.destination, destination: there.source };
  for (const name of names) {
    there.source.put(name, { k: name });
    there.destination.put(name, { k: name });
  }
  const spec = { ...removing, mapping: { path: '{name}' } };
  return { there, back, spec };
}

/** The first read of the destination proves the copy, the second one proves it again for the removal. */
function sleepingAfterSecondRead({ clock }: World): Hook {
  let reads = 0;
  return async ({ operation }) => {
    if (operation === 'read') reads += 1;
    if (operation === 'read' && reads === 2) await clock.advance(MAX_PROOF_AGE_MS + 1);
  };
}

describe('two migrations that cross', () => {
  it.each([
    ['where both stores fence removals', true],
    ['where no store does', false],
  ])('lose no value when they remove at the same time, %s', async (_where, statesAttributes) => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.integer({ min: 0, max: 3 })), async (turns) => {
        const names = ['a', 'b', 'c'];
        const { there, back, spec } = crossing(names, { statesAttributes });
        const hooks = waiting(() => Number(turns.next().value ?? 0));
        const at = { source: hooks, destination: hooks };
        // Each believes to be the only live one: only the locks protect the values.
        const locks = new KeyedLock();
        await Promise.all([
          runEngine({ ...there, spec, at, locks, name: 'ns/there' }),
          runEngine({ ...back, spec, at, locks, name: 'ns/back' }),
        ]);
        for (const name of names) {
          const places = [there.source.textAt(name), there.destination.textAt(name)];
          expect(places.filter((text) => text?.['k'] === name).length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are refused before a value is read, and the message names both', async () => {
    const { there, back, spec } = crossing(['a']);
    const live = new LiveMigrations();
    await runEngine({ ...there, spec: { ...spec, soakSeconds: 60 }, live, name: 'ns/there' });
    const run = await runEngine({ ...back, spec, live, name: 'ns/back' });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Conflict',
      reason: 'CrossingMigrations',
      message: expect.stringMatching(/ns\/back writes .* ns\/there removes/),
      retry: 'later',
    });
    expect(run.log.filter((line) => / (read|write|delete|claim) /.test(line))).toEqual([]);

    const again = await runEngine({ ...there, spec, live, name: 'ns/there' });
    expect(again.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'CrossingMigrations' });
    expect(there.source.textAt('a')).toEqual({ k: 'a' });
  });

  it('are noticed before the removal when the second one starts during the first', async () => {
    const { there, back, spec } = crossing(['a']);
    const live = new LiveMigrations();
    const second = live.of('ns/back');
    const run = await runEngine({
      ...there,
      spec,
      live,
      name: 'ns/there',
      onFlush: () =>
        second.declare({
          removes: [],
          writes: [{ store: `memory ${back.destination.traits.name}`, path: 'a' }],
        }),
    });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'CrossingMigrations' });
    expect(there.source.textAt('a')).toEqual({ k: 'a' });
  });

  it('are independent once one of them is no longer live, and a dry run crosses nothing', async () => {
    const { there, back, spec } = crossing(['a']);
    const live = new LiveMigrations();
    await runEngine({ ...there, spec: { ...spec, dryRun: true }, live, name: 'ns/dry' });
    await runEngine({ ...there, spec: { ...spec, soakSeconds: 60 }, live, name: 'ns/there' });
    live.withdraw('ns/there');
    const run = await runEngine({ ...back, spec, live, name: 'ns/back' });
    expect(run.outcomeOf('a').state).toBe('Removed');
  });
});

describe('a copy is no proof', () => {
  it.each(['Fail', 'KeepDestination', 'Overwrite'])(
    'while it is being deleted, with %s',
    async (conflictPolicy) => {
      const world = aWorld();
      world.source.put('a', { k: 'v' });
      world.destination.put('ns/a', { k: 'v' });
      world.destination.alter('ns/a', { isLeaving: true });
      const run = await runEngine({ ...world, spec: { ...removing, conflictPolicy } });
      expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationLeaving' });
      expect(world.source.textAt('a')).toEqual({ k: 'v' });
    },
  );

  it('once it is being deleted, although it was proven before', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const run = await runEngine({
      ...world,
      spec: removing,
      onFlush: () => world.destination.alter('ns/a', { isLeaving: true }),
    });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationLeaving' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it.each(['Delete', 'Backup', 'Project'])('for %s if it goes with its owner', async (sourcePolicy) => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'v' });
    world.destination.alter('ns/a', { owner: 'Certificate web' });
    const run = await runEngine({ ...world, spec: { sourcePolicy } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationOwned' });
    expect(run.outcomeOf('a').message).toContain('Certificate web');
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('only where the source is to go: with Keep, a copy with an owner is enough', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'v' });
    world.destination.alter('ns/a', { owner: 'Certificate web' });
    expect((await runEngine(world)).outcomeOf('a').state).toBe('Verified');
  });

  it('in a namespace that is being deleted: the run ends, and a removal stops', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const run = await runEngine({
      ...world,
      spec: removing,
      onFlush: () => (world.destination.isLeaving = true),
    });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Verified',
      reason: 'DestinationLeaving',
      retry: 'later',
    });
    await expect(runEngine(world)).rejects.toMatchObject({ code: 'NAMESPACE_LEAVING' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('after a few seconds', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const at = { destination: { after: sleepingAfterSecondRead(world) } };
    const run = await runEngine({ ...world, spec: removing, at });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'ProofTooOld', retry: 'soon' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });
});

describe('a removal', () => {
  it.each([
    ['before its last proof, of a store that fences removals', 'flat', 1],
    ['after its last proof, of a store that fences removals', 'flat', 2],
    ['after its last proof, of a store that does not', 'tree', 2],
  ] as const)('ends the run when the lease is lost %s', async (_when, addressing, lostAtRead) => {
    const world = aWorld({ addressing });
    const address = addressing === 'flat' ? 'a' : 'ns/a';
    world.source.put(address, { k: 'v' });
    let reads = 0;
    const run = runEngine({
      ...world,
      spec: removing,
      at: {
        destination: {
          after: ({ operation }) => {
            if (operation === 'read') reads += 1;
          },
        },
      },
      mayChange: () => {
        if (reads >= lostAtRead) throw new OperatorError('LEASE_LOST', { op: 'test.lease' });
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(world.source.textAt(address)).toEqual({ k: 'v' });
  });

  it('that sleeps fails when another run has started since, whose copy may be gone', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const successor = async (): Promise<void> => {
      await runEngine({ ...world, spec: { ...removing, dryRun: true } });
      world.destination.purge('ns/a');
    };
    let slept = false;
    const at: Hooks = {
      before: async ({ operation }) => {
        if (operation !== 'delete' || slept) return;
        slept = true;
        await successor();
      },
    };
    const run = await runEngine({ ...world, spec: removing, at: { source: at }, claimedAs: 'old-run' });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'SourceChanged' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('that did not happen leaves no claim', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const at = { destination: { after: sleepingAfterSecondRead(world) } };
    await runEngine({ ...world, spec: removing, at });
    expect(world.source.currentAt('a')?.claim).toBeUndefined();
  });

  it('is pending while a finalizer holds the source, asks once, and ends when the source is gone', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.source.alter('a', { isHeld: true });
    const first = await runEngine({ ...world, spec: removing });
    const pending = { state: 'Verified', reason: 'RemovalPending', retry: 'later' };
    expect(first.outcomeOf('a')).toMatchObject(pending);
    const second = await runEngine({ ...world, spec: removing, prior: first.rows });
    expect(second.outcomeOf('a')).toMatchObject(pending);
    expect(second.log.filter((line) => /claim|delete/.test(line))).toEqual([]);
    world.source.purge('a');
    const third = await runEngine({ ...world, spec: removing, prior: second.rows });
    expect(third.outcomeOf('a').state).toBe('Removed');
  });
});
