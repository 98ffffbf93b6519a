import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { always, failsWith, losesReply, once } from '#src/backends/memory/hooks.ts';
import { PRUNE_WINDOW_MS } from '#src/core/sync/pruning.ts';
import type { Base, PriorRecord } from '#src/core/outcome.ts';
import { MAX_PROOF_AGE_MS } from './apply/retire.ts';
import { LiveMigrations } from './crossings.ts';
import { aWorld } from '#test/support/engine-run.ts';
import { namesTo, PruningPair } from '#test/support/pruning-pair.ts';

/* sync.prune: what is removed because the side that leads was deleted, and everything that keeps it. */

const PRUNED = 'Removed PrunedDestination';

describe('a document whose source was deleted', () => {
  it('stays by default', async () => {
    const pair = await PruningPair.of(3);
    pair.removeSource('d0');
    const run = await pair.pass({ spec: { sync: { prune: false } } });
    expect(run.outcomeOf('d0')).toMatchObject({ state: 'Skipped', reason: 'SourceGone' });
    expect(pair.kept).toBe(3);
  });

  it('is removed at the destination with prune, after its row says so, and then forgotten', async () => {
    const pair = await PruningPair.of(3);
    pair.removeSource('d0');
    const run = await pair.follow('d0');
    expect(pair.states).toMatchObject({ d0: PRUNED });
    expect(pair.kept).toBe(2);
    const [row, flush, deleted] = ['row d0 Pending', 'flush', 'destination delete ns/d0'].map((line) =>
      run.log.indexOf(line),
    );
    expect([row, flush, deleted]).toEqual([row, flush, deleted].toSorted((a = 0, b = 0) => a - b));
    expect(row).toBeGreaterThan(-1);
    await pair.pass();
    expect(pair.states).toMatchObject({ d0: PRUNED });
    await pair.world.clock.advance(PRUNE_WINDOW_MS + 1_000);
    const { prior } = pair;
    await pair.pass();
    expect(Object.keys(pair.states)).toEqual(['d1', 'd2']);
    pair.prior = prior;
    await pair.follow('d1');
    expect(Object.keys(pair.states)).toEqual(['d1', 'd2']);
  });

  it('is removed by a whole pass too, and its Secret where paths lead', async () => {
    const pair = await PruningPair.ofPaths(3);
    pair.removeSource('d0');
    await pair.pass();
    expect(pair.states).toMatchObject({ d0: PRUNED });
    expect(pair.world.destination.addresses()).toEqual(['d1', 'd2']);
  });

  it('is removed at the source where the destination leads', async () => {
    const world = aWorld();
    const pair = await PruningPair.of(3, { world, spec: { sync: { authority: 'Destination' } } });
    // Only a Secret that Keyferry wrote carries the mark.
    for (const name of namesTo(3)) world.destination.put(`ns/${name}`, { k: '2' });
    await pair.pass();
    world.destination.remove('ns/d0');
    await pair.follow('d0');
    expect(pair.states).toMatchObject({ d0: 'Removed PrunedSource' });
    expect(world.source.addresses()).toEqual(['d1', 'd2']);
  });

  it('stays if another client wrote the same value before Keyferry could', async () => {
    const world = aWorld();
    world.destination.put('ns/d0', { k: 'value of d0' });
    const pair = await PruningPair.of(3, { world });
    pair.removeSource('d0');
    await pair.follow('d0');
    expect(pair.states).toMatchObject({ d0: 'Skipped SourceGone' });
    expect(pair.kept).toBe(3);
  });

  it('stays if it was edited', async () => {
    const pair = await PruningPair.of(3);
    pair.world.destination.put('ns/d0', { k: 'edited' });
    pair.removeSource('d0');
    await pair.follow('d0');
    expect(pair.states).toMatchObject({ d0: 'Conflict BothChanged' });
    expect(pair.kept).toBe(3);
  });
});

describe('the limit', () => {
  it('removes none of more documents than it allows, until the user allows more', async () => {
    const pair = await PruningPair.of(20);
    pair.removeSource('d0', 'd1', 'd2');
    const run = await pair.pass();
    expect(pair.kept).toBe(20);
    expect(run.outcomeOf('d0')).toMatchObject({ state: 'Conflict', reason: 'PruneLimited' });
    expect(run.outcomeOf('d0').message).toContain('3 of 20 documents would be removed');
    expect(run.outcomeOf('d0').message).toContain('maxPrunePercent allows 2');
    await pair.pass({ spec: { sync: { maxPrunePercent: 15 } } });
    expect(pair.kept).toBe(17);
  });

  it('counts the removals of an hour, however many passes they arrive in', async () => {
    const pair = await PruningPair.of(20);
    for (const name of namesTo(19)) {
      pair.removeSource(name);
      await pair.follow(name);
    }
    expect(pair.kept).toBe(18);
    await pair.pass();
    await pair.world.clock.advance(PRUNE_WINDOW_MS + 1_000);
    for (const name of namesTo(19)) await pair.follow(name);
    await pair.pass();
    expect(pair.kept).toBe(18);
  });

  it('lets a small migration remove one document in an hour', async () => {
    const pair = await PruningPair.of(3);
    pair.removeSource('d0');
    await pair.follow('d0');
    pair.removeSource('d1');
    await pair.follow('d1');
    expect(pair.states).toMatchObject({ d0: PRUNED, d1: 'Conflict PruneLimited' });
    await pair.world.clock.advance(PRUNE_WINDOW_MS + 1_000);
    await pair.pass();
    expect(pair.states).toMatchObject({ d1: PRUNED });
  });

  it('counts a removal that no row could record', async () => {
    const pair = await PruningPair.of(3);
    pair.removeSource('d0');
    const stop = new AbortController();
    const after = once('delete', () => stop.abort(new Error('killed')));
    const killed = pair.pass({ only: ['d0'], at: { destination: { after } }, signal: stop.signal });
    await expect(killed).rejects.toThrow('killed');
    // What the flush before the removal made durable.
    pair.prior = pair.prior.map((row) =>
      row.name === 'd0' ? { ...row, state: 'Pending', reason: 'PrunedDestination', base: baseIn(row) } : row,
    );
    await pair.follow('d0');
    pair.removeSource('d1');
    await pair.follow('d1');
    expect(pair.states).toMatchObject({ d0: PRUNED, d1: 'Conflict PruneLimited' });
  });
});

describe('nothing is removed', () => {
  it('when the listing shows fewer documents than there are', async () => {
    const pair = await PruningPair.of(20);
    const { source } = pair.world;
    const before = once('list', () => source.remove('d0'));
    const after = once('list', () => source.put('d0', { k: 'value of d0' }));
    await pair.pass({ at: { source: { before, after } } });
    expect(pair.kept).toBe(20);
  });

  it('when the listing or a read of the source is refused or fails', async () => {
    const pair = await PruningPair.of(20);
    pair.removeSource('d0');
    const denied = { mayNot: { source: (verb: string) => verb === 'list' } };
    const prior = pair.prior;
    await pair.pass(denied).catch(() => undefined);
    pair.prior = prior;
    await pair.pass({ mayNot: { source: (verb) => verb === 'read' } });
    pair.prior = prior;
    for (const code of ['BACKEND_UNREACHABLE', 'MOUNT_MISSING', 'BACKEND_SEALED'] as const) {
      for (const operation of ['list', 'read', 'versions'] as const) {
        await pair
          .pass({ at: { source: { before: always(operation, failsWith(code)) } } })
          .catch(() => undefined);
        pair.prior = prior;
      }
    }
    expect(pair.kept).toBe(20);
  });

  it('of a folder that was joined, because only a listing tells that it is gone', async () => {
    const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
    for (const name of namesTo(3)) world.source.put(`ns/${name}/part`, { k: '1' });
    const pair = await PruningPair.of(0, { world, spec: { mapping: { join: {} } } });
    world.source.purge('ns/d0/part');
    const run = await pair.pass();
    expect(run.outcomeOf('d0')).toMatchObject({ state: 'Skipped', reason: 'SourceGone' });
    expect(run.outcomeOf('d0').message).toContain('only a listing tells');
    world.source.remove('ns/d1/part');
    await pair.pass();
    expect(pair.kept).toBe(3);
  });

  it('when the whole source is empty, whatever the limit', async () => {
    const pair = await PruningPair.ofPaths(3, { spec: { sync: { maxPrunePercent: 100 } } });
    for (const name of namesTo(3)) pair.world.source.purge(`ns/${name}`);
    const run = await pair.pass();
    expect(pair.kept).toBe(3);
    expect(run.outcomeOf('d0')).toMatchObject({ state: 'Skipped', reason: 'SourceGone' });
    expect(run.outcomeOf('d0').message).toContain('no other document of the migration shows');
  });

  it('when the source is another store with documents of the same names', async () => {
    const pair = await PruningPair.ofPaths(3, { spec: { sync: { maxPrunePercent: 100 } } });
    const { clock, destination } = pair.world;
    const { source } = aWorld({ addressing: 'tree' });
    // Identities of another store, which is not the one of the rows.
    for (const name of ['x', 'y', 'z', 'd1', 'd2']) source.put(`ns/${name}`, { k: `value of ${name}` });
    await pair.pass({ clock, destination, source, only: ['d0'] });
    expect(pair.kept).toBe(3);
    expect(pair.states['d0']).toBe('Skipped SourceGone');
  });

  it('while the namespace of the source is being deleted, or is gone', async () => {
    const pair = await PruningPair.of(20);
    pair.removeSource('d0');
    pair.world.source.isLeaving = true;
    await pair.pass();
    expect(pair.states['d0']).toBe('Skipped SourceGone');
    pair.world.source.isLeaving = false;
    const before = always('isLeaving', failsWith('NOT_FOUND'));
    await pair.pass({ at: { source: { before } } });
    expect(pair.states['d0']).toMatch(/^Failed/);
    expect(pair.kept).toBe(20);
  });

  it('when another document could not be processed because a backend is gone', async () => {
    const pair = await PruningPair.of(20);
    pair.removeSource('d0');
    pair.world.source.put('d1', { k: 'new' });
    const before = always('write', failsWith('BACKEND_UNREACHABLE'));
    await pair.pass({ at: { destination: { before } } });
    expect(pair.kept).toBe(20);
  });

  it('of a Secret that a backend reads its credentials from, or that another migration writes', async () => {
    const pair = await PruningPair.ofPaths(3);
    pair.removeSource('d0');
    const run = await pair.pass({ destinationTrustRoots: { d0: 'SecretBackend b' } });
    expect(run.outcomeOf('d0')).toMatchObject({ state: 'Skipped', reason: 'TrustRoot' });
    expect(run.outcomeOf('d0').message).toContain('The destination is kept');
    const live = new LiveMigrations();
    live.of('ns/other').declare({ removes: [], writes: [{ store: 'memory destination', path: 'd0' }] });
    await pair.pass({ live });
    expect(pair.states['d0']).toBe('Skipped CrossingMigrations');
    expect(pair.kept).toBe(3);
  });
});

describe('between the decision and the removal', () => {
  it('a source that is there again keeps its destination', async () => {
    const pair = await PruningPair.of(3);
    pair.removeSource('d0');
    const onFlush = (): void => void pair.world.source.put('d0', { k: 'value of d0' });
    await pair.pass({ only: ['d0'], onFlush });
    expect(pair.states['d0']).toBe('Pending SourceChanged');
    await pair.follow('d0');
    expect(pair.states['d0']).toMatch(/^Verified/);
    expect(pair.kept).toBe(3);
  });

  it('a proof that is too old removes nothing', async () => {
    const pair = await PruningPair.of(3);
    pair.removeSource('d0');
    const { clock } = pair.world;
    const before = async ({ operation }: { readonly operation: string }): Promise<void> => {
      if (operation === 'isLeaving') await clock.advance(MAX_PROOF_AGE_MS + 1);
    };
    await pair.pass({ only: ['d0'], at: { source: { before } } });
    expect(pair.states['d0']).toBe('Failed ProofTooOld');
    expect(pair.kept).toBe(3);
  });

  it('no other writer loses a value that is newer than the base', async () => {
    const operation = fc.constantFrom('read', 'isLeaving', 'delete');
    const edit = fc.record({ operation, skip: fc.nat({ max: 4 }), isPath: fc.boolean() });
    const check = async (
      edits: readonly { operation: string; skip: number; isPath: boolean }[],
    ): Promise<void> => {
      const pair = edits[0]?.isPath === true ? await PruningPair.ofPaths(4) : await PruningPair.of(4);
      const { destination } = pair.world;
      const address = pair.destinationOf('d0');
      pair.removeSource('d0');
      const written: string[] = [];
      const calls = new Map<string, number>();
      const before = (call: { readonly operation: string }): void => {
        const seen = calls.get(call.operation) ?? 0;
        calls.set(call.operation, seen + 1);
        if (!edits.some((each) => each.operation === call.operation && each.skip === seen)) return;
        written.push(`edit ${written.length}`);
        destination.put(address, { k: written.at(-1) ?? '' });
      };
      await pair.pass({ only: ['d0'], at: { source: { before }, destination: { before } } });
      await pair.pass();
      const last = written.at(-1);
      if (last === undefined) expect(destination.textAt(address)).toBeUndefined();
      // A writer that stores a value after the removal finds it gone, and its value stays.
      else expect(destination.textAt(address)).toEqual({ k: last });
    };
    await fc.assert(fc.asyncProperty(fc.array(edit, { maxLength: 3 }), check), { numRuns: 100 });
  });

  it('a removal without a reply is read, and one that was not done is tried again', async () => {
    const pair = await PruningPair.of(20);
    pair.removeSource('d0');
    await pair.pass({ only: ['d0'], at: { destination: { after: once('delete', losesReply) } } });
    expect(pair.states['d0']).toBe(PRUNED);
    pair.removeSource('d1');
    await pair.pass({ only: ['d1'], at: { destination: { before: once('delete', losesReply) } } });
    expect(pair.states['d1']).toMatch(/^Failed/);
    await pair.pass();
    expect(pair.states['d1']).toBe(PRUNED);
  });

  it('a Secret with a finalizer counts until it is gone', async () => {
    const pair = await PruningPair.ofPaths(3);
    pair.world.destination.alter('d0', { isHeld: true });
    pair.removeSource('d0');
    const run = await pair.pass();
    expect(run.outcomeOf('d0').message).toContain('finalizer');
    await pair.pass();
    expect(pair.states['d0']).toBe('Pending PrunedDestination');
    pair.removeSource('d1');
    await pair.follow('d1');
    expect(pair.states['d1']).toBe('Conflict PruneLimited');
    pair.world.destination.purge('d0');
    await pair.follow('d0');
    expect(pair.states['d0']).toBe(PRUNED);
  });
});

describe('after a removal', () => {
  it('a destination that was undeleted is kept, for as long as it is there', async () => {
    const pair = await PruningPair.of(3);
    pair.removeSource('d0');
    await pair.follow('d0');
    const { isDeleted: _deleted, ...state } = pair.world.destination.currentAt('ns/d0') ?? never();
    pair.world.destination.replaceCurrent('ns/d0', state);
    for (let pass = 0; pass < 3; pass += 1) {
      await pair.pass();
      expect(pair.states['d0']).toBe('Skipped DestinationReturned');
      await pair.world.clock.advance(PRUNE_WINDOW_MS + 1_000);
    }
    expect(pair.kept).toBe(3);
  });

  it('a source that is created again is copied again, over the deleted version', async () => {
    for (const authority of ['Source', 'Either']) {
      const pair = await PruningPair.of(3, { spec: { sync: { authority } } });
      pair.removeSource('d0');
      await pair.follow('d0');
      pair.world.source.put('d0', { k: 'new' });
      await pair.follow('d0');
      expect(pair.world.destination.textAt('ns/d0')).toEqual({ k: 'new' });
      expect(pair.states['d0']).toBe('Verified FollowedSource');
    }
  });

  it('neither mode Once nor another mapping calls the document lost', async () => {
    const pair = await PruningPair.of(3);
    pair.removeSource('d0');
    await pair.follow('d0');
    const { prior } = pair;
    const run = await pair.pass({ spec: { mode: 'Once', sync: undefined } });
    expect(run.rows.map(({ name }) => name)).toEqual(['d1', 'd2']);
    pair.prior = prior;
    await pair.pass({ spec: { mapping: { path: 'other/{name}' } } });
    expect(pair.states['d0']).toBe(PRUNED);
  });
});

/** The base of a Verified row, as a row of another state has it. */
function baseIn({ source = {}, destination }: PriorRecord): Base {
  const { path: _path, ...version } = destination ?? never();
  return { source, destination: version };
}

function never(): never {
  throw new Error('nothing is there');
}
