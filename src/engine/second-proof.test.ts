import { describe, expect, it } from 'vitest';
import { once } from '#src/backends/memory/hooks.ts';
import type { Attributes } from '#src/core/document.ts';
import { aRow, aWorld, runEngine, type World } from '#test/support/engine-run.ts';

/*
 * Between the proof of a document and the removal of its source, source and destination are read and compared again. Each
 * test makes its change while the record of the proof is made durable: after the first proof, before the second one.
 */

const removing = { sourcePolicy: 'Delete' };

async function runWith(world: World, onFlush: () => void, spec = {}) {
  return runEngine({ ...world, spec: { ...removing, ...spec }, onFlush });
}

const END = '2026-02-01T00:00:00.000Z';
const metadata = (...entries: [string, string][]) => ({ metadata: new Map(entries) });

describe('a source is removed only while', () => {
  it('it is the verified document: another version of it stays, with its new bytes', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const run = await runWith(world, () => world.source.put('a', { k: 'new' }));
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'SourceChanged', retry: 'soon' });
    expect(world.source.textAt('a')).toEqual({ k: 'new' });
  });

  it('its version is the verified one, although another one has the same bytes', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const run = await runWith(world, () => world.source.put('a', { k: 'v' }));
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'SourceChanged' });
    expect(run.log).not.toContain('source delete a');
  });

  it('its incarnation is the verified one, although another one has the same revision', async () => {
    const world = aWorld({ addressing: 'tree' });
    world.source.put('ns/a', { k: 'v' });
    const run = await runWith(world, () => {
      world.source.purge('ns/a');
      world.source.put('ns/a', { k: 'v' });
    });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'SourceChanged' });
    expect(world.source.textAt('ns/a')).toEqual({ k: 'v' });
  });

  it('its bytes are the verified ones, whatever its version is', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const run = await runWith(world, () => world.source.alter('a', { fields: { k: 'x' } }));
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending' });
    expect(world.source.textAt('a')).toEqual({ k: 'x' });
  });

  it.each<[string, (world: World) => void]>([
    ['the destination has no newer version', ({ destination }) => destination.put('ns/a', { k: 'new' })],
    [
      'the destination has no newer version, although of the same bytes',
      ({ destination }) => destination.put('ns/a', { k: 'v' }),
    ],
    ['the destination is not deleted', ({ destination }) => destination.remove('ns/a')],
    ['the destination is not gone with its history', ({ destination }) => destination.purge('ns/a')],
    [
      'the destination is the incarnation that was verified',
      ({ destination }) => {
        destination.purge('ns/a');
        destination.put('ns/a', { k: 'v' });
      },
    ],
    [
      'the verified version still has its bytes',
      ({ destination }) => destination.alter('ns/a', { fields: { k: 'x' } }),
    ],
    [
      'the verified version still has all its fields',
      ({ destination }) => destination.alter('ns/a', { fields: {} }),
    ],
    [
      'the verified version has no other fields',
      ({ destination }) => destination.alter('ns/a', { fields: { k: 'v', more: '' } }),
    ],
  ])('%s', async (_sentence, change) => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const run = await runWith(world, () => change(world));
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'DestinationChanged' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });
});

describe('a source is removed only while', () => {
  it.each<[string, Attributes, Attributes]>([
    ['type', { type: 'kubernetes.io/tls' }, {}],
    ['type is not another one', { type: 'kubernetes.io/tls' }, { type: 'Opaque' }],
    ['immutability', { immutable: true }, {}],
    ['labels', metadata(['team', 'web'], ['tier', '1']), metadata(['team', 'web'])],
    ['labels have no other values', metadata(['team', 'web']), metadata(['team', 'api'])],
    ['expiry, so that it does not outlive its source', { expiresAt: END }, {}],
    ['expiry is not an earlier one', { expiresAt: END }, { expiresAt: '2026-01-15T00:00:00.000Z' }],
    ['expiry is not a later one', { expiresAt: END }, { expiresAt: '2026-03-01T00:00:00.000Z' }],
  ])('the copy keeps its attributes, without a new version: its %s', async (_what, before, after) => {
    const world = aWorld({ canExpire: true });
    world.source.put('a', { k: 'v' }, before);
    const spec = { mapping: { labels: ['team', 'tier'] } };
    const run = await runWith(world, () => world.destination.alter('ns/a', { attributes: after }), spec);
    expect(run.log).toContain('row a Verified');
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'DestinationChanged' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it.each<[string, Attributes]>([
    ['more labels', metadata(['team', 'web'], ['more', 'x'])],
    [
      'an expiry within the tolerance',
      { ...metadata(['team', 'web']), expiresAt: '2026-02-01T00:00:03.000Z' },
    ],
  ])('or the copy has at most %s', async (what, after) => {
    const world = aWorld({ canExpire: true });
    const expiry = what.startsWith('an expiry') ? { expiresAt: END } : {};
    world.source.put('a', { k: 'v' }, { ...metadata(['team', 'web']), ...expiry });
    const spec = { mapping: { labels: ['team'] } };
    const run = await runWith(world, () => world.destination.alter('ns/a', { attributes: after }), spec);
    expect(run.outcomeOf('a').state).toBe('Removed');
  });

  it.each(['Backup', 'Project'])(
    'source and destination are equal, also with sourcePolicy %s',
    async (sourcePolicy) => {
      const world = aWorld();
      world.source.put('a', { k: 'v' });
      const alter = () => world.destination.alter('ns/a', { fields: { k: 'x' } });
      const run = await runWith(world, alter, { sourcePolicy });
      expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'DestinationChanged' });
      expect(world.source.currentAt('a')?.origin).toBeUndefined();
      expect(world.source.textAt('a')).toEqual({ k: 'v' });
    },
  );

  it('it is what the second proof read: a source that changes right before the removal stays', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' });
    const change = once('delete', () => world.source.put('a', { k: 'new' }));
    const run = await runEngine({ ...world, spec: removing, at: { source: { before: change } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'SourceChanged' });
    expect(world.source.textAt('a')).toEqual({ k: 'new' });
  });
});

it('a source is removed by a run that proved it, whatever an earlier run recorded', async () => {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  world.destination.put('ns/a', { k: 'other' });
  const run = await runEngine({ ...world, spec: removing, prior: [aRow('a')] });
  expect(run.outcomeOf('a').state).toBe('Conflict');
  expect(world.source.textAt('a')).toEqual({ k: 'v' });
});

it('a source is removed after its proof was durably recorded and both documents were read again', async () => {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  const { log } = await runEngine({ ...world, spec: removing });
  const end = log.slice(log.indexOf('flush') - 1);
  expect(end).toEqual([
    'row a Verified',
    'flush',
    'source claim a',
    'source read a',
    'destination isLeaving',
    'destination read ns/a',
    'source delete a',
    'source read a',
    'row a Removed',
  ]);
});
