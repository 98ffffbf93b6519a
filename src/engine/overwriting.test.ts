import { describe, expect, it } from 'vitest';
import { failsWith, losesReply, once } from '#src/backends/memory/hooks.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import { aRow, aWorld, runEngine, type World } from '#test/support/engine-run.ts';

const spec = { conflictPolicy: 'Overwrite' };

/** The destination differs, in version 1. */
function differing(): World {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  world.destination.put('ns/a', { k: 'theirs' });
  return world;
}

describe('a destination that differs is overwritten', () => {
  it('after the version to roll back to is durably recorded, and is read back like any other write', async () => {
    const world = differing();
    const run = await runEngine({ ...world, spec });
    const destination = { path: 'ns/a', version: '2', priorVersion: '1' };
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination });
    const steps = ['row a Pending', 'flush', 'destination write ns/a', 'row a Verified'];
    expect(run.log.filter((line) => steps.includes(line))).toEqual(steps);
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
    expect(world.destination.stateAt('ns/a', '1')?.fields.get('k')?.toString()).toBe('theirs');
  });

  it('also when it is a deleted version', async () => {
    const world = differing();
    world.destination.remove('ns/a');
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { priorVersion: '1' } });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'v' });
  });

  it('and its source is removed only after that was proven and recorded', async () => {
    const world = differing();
    const run = await runEngine({ ...world, spec: { ...spec, sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Removed', destination: { priorVersion: '1' } });
    const steps = ['flush', 'destination write ns/a', 'flush', 'source delete a'];
    expect(run.log.filter((line) => steps.includes(line))).toEqual(steps);
  });

  it('once, although the reply is lost', async () => {
    const world = differing();
    const run = await runEngine({
      ...world,
      spec,
      at: { destination: { after: once('write', losesReply) } },
    });
    const destination = { path: 'ns/a', version: '2', priorVersion: '1' };
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination });
    expect(world.destination.currentAt('ns/a')?.version.revision).toBe('2');
  });
});

describe('an announced overwrite does not happen', () => {
  it('when the destination has another version by then, which is announced for the next run', async () => {
    const world = differing();
    const run = await runEngine({
      ...world,
      spec,
      onFlush: () => world.destination.put('ns/a', { k: 'new' }),
    });
    const destination = { path: 'ns/a', priorVersion: '2' };
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Pending',
      reason: 'WillOverwrite',
      destination,
      retry: 'soon',
    });
    expect(run.outcomeOf('a').destination?.version).toBeUndefined();
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'new' });
  });

  it('when another writer is faster', async () => {
    const world = differing();
    const before = once('write', () => world.destination.put('ns/a', { k: 'new' }));
    const run = await runEngine({ ...world, spec, at: { destination: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', destination: { priorVersion: '2' } });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'new' });
  });

  it('when the destination is equal by then', async () => {
    const world = differing();
    const run = await runEngine({ ...world, spec, onFlush: () => world.destination.put('ns/a', { k: 'v' }) });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '2' } });
    expect(run.log).not.toContain('destination write ns/a');
  });

  it('when the source is absent by then', async () => {
    const world = differing();
    const run = await runEngine({ ...world, spec, onFlush: () => world.source.remove('a') });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'WillOverwrite' });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'theirs' });
  });

  it('when its record cannot be made durable', async () => {
    const world = differing();
    const onFlush = () => {
      throw new Error('not stored');
    };
    await expect(runEngine({ ...world, spec, onFlush })).rejects.toThrow('not stored');
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'theirs' });
  });

  it('when the migration must stop first', async () => {
    const world = differing();
    const shouldStop = (log: readonly string[]) => log.includes('row a Pending');
    const run = await runEngine({ ...world, spec, shouldStop });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'WillOverwrite' });
    expect(run.result.interrupted).toBe(true);
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'theirs' });
  });
});

describe('the version to roll back to', () => {
  it('stays on record when the overwrite fails: it may still have been applied', async () => {
    const world = differing();
    const before = once('write', failsWith('SERVER_ERROR'));
    const run = await runEngine({ ...world, spec, at: { destination: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Failed',
      reason: 'ServerError',
      destination: { path: 'ns/a', priorVersion: '1' },
    });
  });

  it.each<[string, Partial<PriorRecord>, string | undefined]>([
    [
      'stays on record while the version stays',
      { destination: { path: 'ns/a', version: '2', priorVersion: '1' } },
      '1',
    ],
    [
      'is that of an announcement if a killed run could not record its write',
      { state: 'Pending', reason: 'WillOverwrite', destination: { path: 'ns/a', priorVersion: '1' } },
      '1',
    ],
    [
      'is undefined if a dry run announced it: another writer wrote',
      { state: 'Pending', reason: 'WouldOverwrite', destination: { path: 'ns/a', priorVersion: '1' } },
      undefined,
    ],
    [
      'is undefined if the announced overwrite never happened',
      { state: 'Pending', reason: 'WillOverwrite', destination: { path: 'ns/a', priorVersion: '2' } },
      undefined,
    ],
    [
      'is undefined if it was recorded for another version',
      { destination: { path: 'ns/a', version: '7', priorVersion: '1' } },
      undefined,
    ],
    [
      'is undefined if it was recorded for another path',
      { destination: { path: 'elsewhere/a', version: '2', priorVersion: '1' } },
      undefined,
    ],
  ])('%s', async (_sentence, row, priorVersion) => {
    const world = differing();
    world.destination.put('ns/a', { k: 'v' });
    const run = await runEngine({ ...world, spec, prior: [aRow('a', row)] });
    expect(run.outcomeOf('a').state).toBe('Verified');
    expect(run.outcomeOf('a').destination).toEqual({
      path: 'ns/a',
      version: '2',
      identity: 'incarnation-1',
      ...(priorVersion === undefined ? {} : { priorVersion }),
      // The killed run may have written it, or another writer.
      ...(row.reason === 'WillOverwrite' ? { created: false } : {}),
    });
  });
});

describe('the version that an overwrite replaces', () => {
  it('must stay readable: the overwrite is refused before anything is written, and a dry run shows it', async () => {
    const refused = { state: 'Failed', reason: 'CapabilityMissing', retry: 'later' };
    for (const dryRun of [true, false]) {
      const world = differing();
      world.destination.keep('ns/a', 1);
      const run = await runEngine({ ...world, spec: { ...spec, dryRun } });
      expect(run.outcomeOf('a')).toMatchObject(refused);
      expect(run.log).not.toContain('destination write ns/a');
      expect(world.destination.textAt('ns/a')).toEqual({ k: 'theirs' });
    }
  });

  it('is read after the write: a row names no version that is gone, and says that it is', async () => {
    const world = differing();
    const before = once('write', () => world.destination.keep('ns/a', 1));
    const run = await runEngine({ ...world, spec, at: { destination: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Verified',
      reason: 'PriorVersionLost',
      destination: { path: 'ns/a', version: '2' },
    });
    expect(run.outcomeOf('a').destination?.priorVersion).toBeUndefined();
  });

  it('is read again by a run that finds an overwrite of a killed run', async () => {
    const world = differing();
    world.destination.keep('ns/a', 1);
    world.destination.put('ns/a', { k: 'v' });
    const row: Partial<PriorRecord> = {
      state: 'Pending',
      reason: 'WillOverwrite',
      destination: { path: 'ns/a', priorVersion: '1' },
    };
    const run = await runEngine({ ...world, spec, prior: [aRow('a', row)] });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'PriorVersionLost' });
  });
});
