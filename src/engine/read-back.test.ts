import { describe, expect, it } from 'vitest';
import { always, failsWith, losesReply, once } from '#src/backends/memory/hooks.ts';
import type { Document } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

function aSource(world: World): World {
  world.source.put('a', { k: 'v' });
  return world;
}

/** Another writer, between the write and the read that proves it. */
function afterTheWrite(act: () => void) {
  return { destination: { after: once('write', act) } };
}

describe('a write is proven by reading it back', () => {
  it('in exactly the version that was written, even if there is a newer one by then', async () => {
    const world = aSource(aWorld());
    const at = afterTheWrite(() => world.destination.put('ns/a', { k: 'theirs' }));
    const run = await runEngine({ ...world, at });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '1' } });
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'theirs' });
  });

  it('and where older versions are gone, a newer one proves nothing, even with equal bytes', async () => {
    const world = aSource(aWorld({}, { keepsRevisions: false }));
    const at = afterTheWrite(() => world.destination.put('ns/a', { k: 'v' }));
    const run = await runEngine({ ...world, at });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Copied',
      reason: 'DestinationChanged',
      retry: 'soon',
      destination: { path: 'ns/a' },
    });
  });

  it('and another version never proves it, so the source stays', async () => {
    for (const keepsRevisions of [true, false]) {
      const world = aSource(aWorld({}, { keepsRevisions }));
      const at = afterTheWrite(() => world.destination.put('ns/a', { k: 'v' }));
      const run = await runEngine({ ...world, spec: { sourcePolicy: 'Delete' }, at });
      expect(run.outcomeOf('a').state).not.toBe('Removed');
      expect(world.source.textAt('a')).toEqual({ k: 'v' });
      const next = await runEngine({ ...world, spec: { sourcePolicy: 'Delete' }, prior: run.rows });
      expect(next.outcomeOf('a').state).toBe('Removed');
    }
  });

  it.each<[string, (world: World) => void]>([
    ['removed', ({ destination }) => destination.remove('ns/a')],
    ['gone with its history', ({ destination }) => destination.purge('ns/a')],
  ])('which fails when that version was %s meanwhile', async (_what, change) => {
    const world = aSource(aWorld());
    const run = await runEngine({ ...world, at: afterTheWrite(() => change(world)) });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Copied', reason: 'DestinationChanged' });
  });

  it.each<[string, (world: World) => void]>([
    ['other bytes', ({ destination }) => destination.alter('ns/a', { fields: { k: 'x' } })],
    ['fewer keys', ({ destination }) => destination.alter('ns/a', { fields: {} })],
    ['more keys', ({ destination }) => destination.alter('ns/a', { fields: { k: 'v', more: '' } })],
    [
      'another type',
      ({ destination }) => destination.alter('ns/a', { attributes: { type: 'kubernetes.io/tls' } }),
    ],
  ])('which is an integrity violation when it has %s', async (_what, change) => {
    const world = aSource(aWorld());
    const run = await runEngine({ ...world, at: afterTheWrite(() => change(world)) });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Copied', reason: 'VerifyMismatch', retry: 'later' });
    expect(run.log.filter((line) => line.startsWith('destination write'))).toHaveLength(1);
  });

  it('which is an integrity violation when a label is missing', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' }, { metadata: new Map([['team', 'web']]) });
    const at = afterTheWrite(() => world.destination.alter('ns/a', { attributes: {} }));
    const run = await runEngine({ ...world, spec: { mapping: { labels: ['team'] } }, at });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Copied', reason: 'VerifyMismatch' });
  });

  it.each([
    ['stays although its source expires', undefined, 'Keep', 'OutlivesSource'],
    ['expires before its source', '2026-01-15T00:00:00.000Z', 'Delete', 'ExpiresEarly'],
  ])('which is a conflict when it %s', async (_what, expiresAt, sourcePolicy, reason) => {
    const world = aWorld({ canExpire: true });
    world.source.put('a', { k: 'v' }, { expiresAt: '2026-02-01T00:00:00.000Z' });
    const attributes = expiresAt === undefined ? {} : { expiresAt };
    const at = afterTheWrite(() => world.destination.alter('ns/a', { attributes }));
    const run = await runEngine({ ...world, spec: { sourcePolicy }, at });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason, destination: { version: '1' } });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('and the document stays Copied, with the version that was written, while it cannot be read', async () => {
    const world = aSource(aWorld());
    const before = always('read', failsWith('SERVER_ERROR'));
    const run = await runEngine({ ...world, at: { destination: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Copied',
      reason: 'ServerError',
      retry: 'soon',
      destination: { path: 'ns/a', version: '1' },
    });
    const next = await runEngine({ ...world, prior: run.rows });
    expect(next.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '1' } });
  });
});

describe('a write whose reply shows what the store has now', () => {
  const shows = { showsWritten: true };
  const destinationCalls = (log: readonly string[]): readonly string[] =>
    log.filter((line) => /^destination (write|read|finish)/.test(line));

  it('needs no read to be proven', async () => {
    const world = aSource(aWorld({}, shows));
    const run = await runEngine(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '1' } });
    expect(destinationCalls(run.log)).toEqual(['destination write ns/a']);
  });

  it('is proven in the version of the reply, even if there is a newer one by then', async () => {
    const world = aSource(aWorld({}, { ...shows, keepsRevisions: false }));
    const at = afterTheWrite(() => world.destination.put('ns/a', { k: 'theirs' }));
    const run = await runEngine({ ...world, at });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '1' } });
    const next = await runEngine({ ...world, prior: run.rows });
    expect(next.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationDiffers' });
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['other bytes', { k: 'x' }],
    ['fewer keys', {}],
    ['more keys', { k: 'v', more: '' }],
  ])('is an integrity violation when an admission control stored %s', async (_what, fields) => {
    const admitted = new Map(
      Object.entries(fields).map(([key, text]) => [key, SecretValue.fromUtf8(text)] as const),
    );
    const admits = (document: Document): Document => ({ ...document, fields: admitted });
    const world = aSource(aWorld({}, { ...shows, admits }));
    const run = await runEngine({ ...world, spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Copied', reason: 'VerifyMismatch', retry: 'later' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('is no proof for a removal: both sides are read again right before it', async () => {
    const world = aSource(aWorld({}, shows));
    const at = { destination: { before: once('read', () => world.destination.purge('ns/a')) } };
    const run = await runEngine({ ...world, spec: { sourcePolicy: 'Delete' }, at });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'DestinationChanged' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('and is lost is read, and never repeated', async () => {
    const world = aSource(aWorld({}, shows));
    const at = { destination: { after: once('write', losesReply) } };
    const run = await runEngine({ ...world, at });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', destination: { version: '1' } });
    expect(destinationCalls(run.log)).toEqual(['destination write ns/a', 'destination read ns/a']);
  });
});
