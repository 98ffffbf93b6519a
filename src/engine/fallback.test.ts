import { describe, expect, it } from 'vitest';
import { always, failsWith } from '#src/backends/memory/hooks.ts';
import { aRow, aWorld, runEngine, type EngineRun, type World } from '#test/support/engine-run.ts';

const HOUR_MS = 3_600_000;
const UNTIL = '2026-01-01T01:00:00Z';
const source = { fallback: { prefix: 'OLD_', untilTime: UNTIL } };

/** A tree in which names had another form: `ns/a` was `OLD_a`. */
function aTree(...addresses: readonly string[]): World {
  const world = aWorld({ addressing: 'tree' });
  for (const address of addresses) world.source.put(address, { k: address });
  return world;
}

const byName = (world: World, more: Partial<EngineRun> = {}) =>
  runEngine({ ...world, spec: { source, select: { names: ['a'] } }, ...more });

describe('a document that is absent under its name', () => {
  it('is read at its old address, and the row has that address', async () => {
    const world = aTree('OLD_a');
    const run = await byName(world);
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Verified',
      source: { path: 'OLD_a' },
      destination: { path: 'ns/a' },
    });
    expect(run.fallbacks).toBe(1);
    expect(world.destination.textAt('ns/a')).toEqual({ k: 'OLD_a' });
  });

  it('is also found by a selection of everything, once', async () => {
    const run = await runEngine({ ...aTree('ns/b', 'OLD_a', 'OLD_b'), spec: { source } });
    expect(run.rows.map(({ name, state }) => [name, state])).toEqual([
      ['a', 'Verified'],
      ['b', 'Verified'],
    ]);
    expect([run.outcomeOf('a').source?.path, run.outcomeOf('b').source?.path]).toEqual(['OLD_a', undefined]);
    expect(run.fallbacks).toBe(1);
  });

  it('is missing when it is absent at its old address too', async () => {
    const run = await byName(aTree());
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'SourceMissing' });
    expect(run.fallbacks).toBe(0);
  });

  it('is missing once the fallback has ended, and the row says when', async () => {
    const world = aTree('OLD_a');
    world.clock.jump(HOUR_MS);
    const run = await byName(world);
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'SourceMissing' });
    expect(run.outcomeOf('a').message).toContain('2026-01-01T01:00:00');
    expect(run.log).not.toContain('source read OLD_a');
  });

  it.each([
    ['its keys', { destination: { path: 'ns/a' } }],
    ['its version, if it has no keys', { keys: [] }],
  ])('is not read at its old address when an earlier run read it at its own: %s', async (_what, row) => {
    const run = await byName(aTree('OLD_a'), { prior: [aRow('a', row)] });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'SourceMissing' });
    expect(run.fallbacks).toBe(0);
  });

  it('is read again at the old address where an earlier run read it', async () => {
    const run = await byName(aTree('OLD_a'), { prior: [aRow('a', { source: { path: 'OLD_a' } })] });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', source: { path: 'OLD_a' } });
  });

  it('keeps its recorded address while it cannot be read', async () => {
    const before = always('read', failsWith('SERVER_ERROR'));
    const prior = [aRow('a', { source: { path: 'OLD_a' } })];
    const run = await byName(aTree('OLD_a'), { prior, at: { source: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', source: { path: 'OLD_a' } });
  });

  it('is read at its old address when an earlier run could not read it', async () => {
    const prior = [aRow('a', { state: 'Failed', keys: [], destination: { path: 'ns/a' } })];
    expect((await byName(aTree('OLD_a'), { prior })).outcomeOf('a').source?.path).toBe('OLD_a');
  });

  it('fails when its old address cannot be read', async () => {
    const before = always('read', ({ address }) => {
      if (address === 'OLD_a') failsWith('SERVER_ERROR')();
    });
    const run = await byName(aTree('OLD_a'), { at: { source: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'ServerError', retry: 'soon' });
  });

  it('is not moved when the document there has a type that is never migrated', async () => {
    const world = aTree();
    world.source.put('OLD_a', { k: 'v' }, { type: 'kubernetes.io/service-account-token' });
    expect((await byName(world)).outcomeOf('a').reason).toBe('TypeRefused');
  });
});

describe('an old address is not read', () => {
  it.each<[string, (world: World) => void, string]>([
    ['while the document has its name', ({ source: store }) => store.put('ns/a', { k: 'new' }), 'Verified'],
    [
      'when the document was deleted under its name',
      ({ source: store }) => {
        store.put('ns/a', { k: 'new' });
        store.remove('ns/a');
      },
      'Skipped',
    ],
  ])('%s', async (_when, change, state) => {
    const world = aTree('OLD_a');
    change(world);
    const run = await byName(world);
    expect([run.outcomeOf('a').state, run.fallbacks]).toEqual([state, 0]);
    expect(run.log).not.toContain('source read OLD_a');
  });

  it('when the document cannot be read at its own address: an error is not an absence', async () => {
    const before = always('read', failsWith('AUTH_DENIED'));
    const run = await byName(aTree('OLD_a'), { at: { source: { before } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
    expect(run.log).not.toContain('source read OLD_a');
  });
});

it('a run with a fallback is due again when the fallback ends, and not after that', async () => {
  const world = aTree('ns/a');
  const first = await byName(world);
  expect(first.result.wakeAfterMs).toBe(HOUR_MS);
  world.clock.jump(HOUR_MS);
  const second = await byName(world, { prior: first.rows });
  expect(second.result.wakeAfterMs).toBeUndefined();
});
