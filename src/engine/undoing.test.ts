import { describe, expect, it } from 'vitest';
import { once } from '#src/backends/memory/hooks.ts';
import type { MemoryStore } from '#src/backends/memory/store.ts';
import type { Attributes } from '#src/core/document.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { OperatorError } from '#src/errors.ts';
import { aWorld, runEngine } from '#test/support/engine-run.ts';
import { dies, moved, REMOVING, toSecrets, undo } from '#test/support/undo-run.ts';

/*
 * Taking a migration back, document by document: what comes back, what stays and why, and in which order.
 */

const ATTRIBUTES: Attributes = {
  type: 'kubernetes.io/tls',
  immutable: true,
  metadata: new Map([['team', 'payments']]),
  annotations: new Map([['note', 'by hand']]),
};

/** The document without its version. */
function contentAt(store: MemoryStore, address: string): unknown {
  const state = store.currentAt(address);
  if (state === undefined || state.isDeleted === true) return undefined;
  return { ...state, version: undefined };
}

describe('a migration that is taken back', () => {
  it.each(['Delete', 'Backup'])(
    'brings back a source that was removed (%s) as it was',
    async (sourcePolicy) => {
      const world = aWorld();
      world.source.put('a', { k: Buffer.from([0, 255]), l: 'text' }, ATTRIBUTES);
      const before = contentAt(world.source, 'a');
      const spec = { sourcePolicy };
      const prior = await moved(world, spec);
      expect(contentAt(world.source, 'a')).toBeUndefined();

      const run = await undo(world, { prior, spec });
      expect(contentAt(world.source, 'a')).toEqual(before);
      expect(contentAt(world.destination, 'ns/a')).toBeUndefined();
      expect([...world.source.backups.keys()]).toEqual([]);
      expect(run.outcomeOf('a')).toMatchObject({ state: 'Skipped', reason: 'Undone', keys: ['k', 'l'] });
    },
  );

  it('makes the very version readable again that it deleted in a store with a history', async () => {
    const world = toSecrets();
    world.source.put('ns/a', { k: 'v' });
    const before = world.source.currentAt('ns/a');
    const prior = await moved(world, REMOVING);
    const run = await undo(world, { prior, spec: REMOVING });
    expect(world.source.currentAt('ns/a')).toEqual(before);
    expect(world.destination.currentAt('a')).toBeUndefined();
    expect(run.outcomeOf('a').reason).toBe('Undone');
  });

  it('removes the copy of a source that was kept', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const prior = await moved(world);
    await undo(world, { prior });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
    expect(world.destination.textAt('ns/a')).toBeUndefined();
  });

  it('leaves a copy that was there before the migration', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'v' });
    const run = await undo(world, { prior: await moved(world) });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
    expect(run.outcomeOf('a').reason).toBe('Undone');
  });
});

describe('a destination that was overwritten', () => {
  it('has its earlier value and type again', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'new' });
    world.destination.put('ns/a', { k: 'old', l: 'more' }, { type: 'example.com/t' });
    const before = contentAt(world.destination, 'ns/a');
    const spec = { ...REMOVING, conflictPolicy: 'Overwrite' };
    const prior = await moved(world, spec);
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'new' });
    const run = await undo(world, { prior, spec });
    expect(contentAt(world.destination, 'ns/a')).toEqual(before);
    expect(world.source.textAt('a')).toEqual({ k: 'new' });
    expect(run.outcomeOf('a').destination).toEqual({ path: 'ns/a', version: '3', identity: 'incarnation-1' });
  });

  it('goes back to what was there before the first overwrite, not to a copy of the migration', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'first' });
    world.destination.put('ns/a', { k: 'old' });
    const spec = { conflictPolicy: 'Overwrite' };
    const first = await moved(world, spec);
    world.source.put('a', { k: 'second' });
    const { rows: prior } = await runEngine({ ...world, spec, prior: first });
    await undo(world, { prior, spec });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'old' });
  });

  it('goes if the migration created it and overwrote it later', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'first' });
    const spec = { conflictPolicy: 'Overwrite' };
    const first = await moved(world, spec);
    world.source.put('a', { k: 'second' });
    const { rows: prior } = await runEngine({ ...world, spec, prior: first });
    await undo(world, { prior, spec });
    expect(world.destination.textAt('ns/a')).toBeUndefined();
  });

  it('is deleted again if it was deleted before the migration wrote it', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'old' });
    world.destination.remove('ns/a');
    const spec = { conflictPolicy: 'Overwrite' };
    const prior = await moved(world, spec);
    const run = await undo(world, { prior, spec });
    expect(world.destination.textAt('ns/a')).toBeUndefined();
    expect(run.outcomeOf('a').reason).toBe('Undone');
  });
});

describe('taking a migration back', () => {
  it('takes the mark of a projection off, and no mark of another origin', async () => {
    const world = aWorld();
    for (const name of ['a', 'b']) world.source.put(name, { k: 'v' });
    const spec = { sourcePolicy: 'Project' };
    const prior = await moved(world, spec);
    world.source.alter('b', { origin: 'another' });
    await undo(world, { prior, spec });
    expect(world.source.currentAt('a')?.origin).toBeUndefined();
    expect(world.source.currentAt('b')?.origin).toBe('another');
    expect(world.destination.textAt('ns/a')).toBeUndefined();
  });

  it('says of a document that it never changed that nothing had changed', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    world.destination.put('ns/a', { k: 'other' });
    const run = await undo(world, { prior: await moved(world) });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Skipped', reason: 'Undone' });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'other' });
  });
});

describe('a row, for the way back,', () => {
  it('still knows what it created after runs that failed, or showed a plan', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const first = await moved(world);
    const lost = once('read', () => {
      throw new OperatorError('SERVER_ERROR', { op: 'memory.fault' });
    });
    const failed = await runEngine({ ...world, prior: first, at: { destination: { before: lost } } });
    expect(failed.outcomeOf('a').state).toBe('Failed');
    const shown = await runEngine({ ...world, prior: failed.rows, spec: { dryRun: true } });
    const { rows: prior } = await runEngine({ ...world, prior: shown.rows });
    await undo(world, { prior });
    expect(world.destination.textAt('ns/a')).toBeUndefined();
  });

  it('names in the row the loss that the migration was allowed to make', async () => {
    const world = aWorld({}, { holdsPair: ({ part }) => part !== 'annotations' });
    world.source.put('a', { k: 'v' }, ATTRIBUTES);
    const spec = { ...REMOVING, mapping: { metadataLoss: 'Allow' } };
    const prior = await moved(world, spec);
    const run = await undo(world, { prior, spec });
    expect(world.source.currentAt('a')?.attributes.annotations).toBeUndefined();
    expect(run.outcomeOf('a')).toMatchObject({
      reason: 'Undone',
      message: expect.stringContaining('metadataLoss'),
    });
  });

  it('gives keys that were renamed their old names', async () => {
    const world = aWorld();
    world.source.put('a', { 'tls.crt': 'v', other: 'w' });
    const spec = { ...REMOVING, mapping: { keys: [{ from: 'tls.{x}', to: '{x}' }] } };
    const prior = await moved(world, spec);
    expect(world.destination.textAt('ns/a')).toEqual({ crt: 'v', other: 'w' });
    await undo(world, { prior, spec });
    expect(world.source.textAt('a')).toEqual({ 'tls.crt': 'v', other: 'w' });
  });

  it('writes and reads nothing when it was taken back before', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const prior = await moved(world, REMOVING);
    const first = await undo(world, { prior, spec: REMOVING });
    const second = await undo(world, { prior: first.rows, spec: REMOVING });
    expect(second.log).toEqual(['source release', 'row a Skipped']);
    expect(second.rows).toEqual(first.rows);
  });

  it('can be migrated again, and taken back again', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const first = await undo(world, { prior: await moved(world, REMOVING), spec: REMOVING });
    const again = await runEngine({ ...world, spec: REMOVING, prior: first.rows });
    expect(again.outcomeOf('a')).toMatchObject({ state: 'Removed', destination: { created: true } });
    await undo(world, { prior: again.rows, spec: REMOVING });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
    expect(world.destination.textAt('ns/a')).toBeUndefined();
  });
});

describe('the order of taking back', () => {
  it('proves the source again after the rows of all removals are durable, and only then removes a copy', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const run = await undo(world, { prior: await moved(world, REMOVING), spec: REMOVING });
    const steps = run.log.filter((line) => !line.includes('release') && !line.endsWith('isLeaving'));
    expect(steps).toEqual([
      'destination read ns/a',
      'source read a',
      'source write a',
      'source read a',
      'row a Verified',
      'flush',
      'source read a',
      'destination read ns/a',
      'destination delete ns/a',
      'destination read ns/a',
      'row a Skipped',
    ]);
  });

  it('removes no copy of a source that is gone again', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const prior = await moved(world, REMOVING);
    const run = await undo(world, { prior, spec: REMOVING }, { onFlush: () => world.source.remove('a') });
    expect(run.outcomeOf('a').reason).toBe('SourceGone');
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
  });

  it('makes a removal fail that an earlier process prepared, before a source relies on that copy again', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const prior = await moved(world);
    let announced: readonly PriorRecord[] = [];
    const onFlush = (rows: readonly PriorRecord[]): void => void (announced = rows);
    const killed = { onFlush, at: { destination: { before: once('delete', () => dies()) } } };
    await expect(undo(world, { prior }, killed)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    const before = world.destination.currentAt('ns/a')?.version;
    expect(announced).toMatchObject([{ reason: 'Undoing', destination: { version: before?.revision } }]);
    const run = await runEngine({ ...world, spec: REMOVING, prior: announced });
    expect(run.outcomeOf('a').state).toBe('Removed');
    expect(world.destination.currentAt('ns/a')?.version).not.toEqual(before);
  });

  it('keeps a copy whose source has a finalizer that holds its removal', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const prior = await moved(world);
    world.source.alter('a', { isHeld: true });
    world.source.remove('a');
    const run = await undo(world, { prior });
    expect(run.outcomeOf('a').reason).toBe('SourceLeaving');
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
  });
});
