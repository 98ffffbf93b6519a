import { describe, expect, it } from 'vitest';
import { always, failsWith, once, type Call } from '#src/backends/memory/hooks.ts';
import { aRow, aWorld, runEngine, type EngineRun, type World } from '#test/support/engine-run.ts';
import { settle } from '#test/support/manual-clock.ts';

function withSources(count: number): World {
  const world = aWorld();
  for (let index = 0; index < count; index += 1) world.source.put(`doc-${index}`, { k: 'v' });
  return world;
}

const countOf = (log: readonly string[], start: string): number =>
  log.filter((line) => line.startsWith(start)).length;

describe('a document that fails', () => {
  it('does not stop the others', async () => {
    const before = once('read', failsWith('SERVER_ERROR'));
    const run = await runEngine({ ...withSources(20), at: { source: { before } } });
    const failed = [...run.outcomes.values()].filter(({ state }) => state === 'Failed');
    expect(failed).toMatchObject([{ reason: 'ServerError', retry: 'soon' }]);
    expect(countOf(run.log, 'destination write')).toBe(19);
    expect(run.result.problem).toBeUndefined();
  });

  it('keeps the keys and the destination that earlier runs recorded', async () => {
    const at = { source: { before: always('read', failsWith('SERVER_ERROR')) } };
    const run = await runEngine({ ...withSources(1), prior: [aRow('doc-0', { keys: ['k', 'l'] })], at });
    expect(run.outcomeOf('doc-0')).toMatchObject({
      state: 'Failed',
      keys: ['k', 'l'],
      destination: { path: 'ns/doc-0' },
    });
  });
});

describe('a server whose quota ends a run', () => {
  it.each(['Verified', 'Pending'] as const)('leaves the row of a document that was %s', async (state) => {
    const world = withSources(5);
    const prior = Array.from({ length: 5 }, (_, index) => aRow(`doc-${index}`, { state }));
    for (const { name } of prior) world.destination.put(`ns/${name}`, { k: 'v' });
    const at = { destination: { before: always('read', failsWith('RATE_LIMITED')) } };
    const run = await runEngine({ ...world, prior, at });
    expect(run.result.problem).toMatchObject({ code: 'RATE_LIMITED' });
    expect(run.rows.map((row) => row.state)).toEqual(prior.map(() => state));
  });

  it('leaves the row of a source that was removed', async () => {
    const world = withSources(1);
    const prior = [aRow('gone', { state: 'Removed' })];
    const at = { destination: { before: always('read', failsWith('RATE_LIMITED')) } };
    const run = await runEngine({ ...world, prior, spec: { sourcePolicy: 'Delete' }, at });
    expect(run.rows).toContainEqual(expect.objectContaining({ name: 'gone', state: 'Removed' }));
  });

  it('gets the documents first that are not proven', async () => {
    const world = withSources(9);
    const prior = [0, 1, 2, 3, 4, 5].map((index) => aRow(`doc-${index}`));
    for (const { name } of prior) world.destination.put(`ns/${name}`, { k: 'v' });
    const run = await runEngine({ ...world, prior });
    const rows = run.log.filter((line) => line.startsWith('row '));
    expect(rows.slice(0, 3).toSorted()).toEqual([
      'row doc-6 Verified',
      'row doc-7 Verified',
      'row doc-8 Verified',
    ]);
  });
});

describe('a backend that fails as a whole', () => {
  it('at the destination ends the run with its error, after the documents in flight', async () => {
    const world = withSources(50);
    const at = { destination: { before: always('write', failsWith('BACKEND_SEALED')) } };
    const run = await runEngine({ ...world, spec: { sourcePolicy: 'Delete' }, at });
    expect(run.result.problem).toMatchObject({ code: 'BACKEND_SEALED' });
    expect(countOf(run.log, 'destination write')).toBeLessThan(10);
    expect(countOf(run.log, 'source delete')).toBe(0);
    expect(world.source.addresses()).toHaveLength(50);
    const states = new Set([...run.outcomes.values()].map(({ state }) => state));
    expect(states).toEqual(new Set(['Failed', 'Pending']));
  });

  it('keeps the sources of documents that were proven before', async () => {
    const world = withSources(20);
    const before = once('write', failsWith('BACKEND_UNREACHABLE'), { skip: 10 });
    const run = await runEngine({
      ...world,
      spec: { sourcePolicy: 'Delete' },
      at: { destination: { before } },
    });
    expect(countOf(run.log, 'row doc') > 10).toBe(true);
    expect(countOf(run.log, 'source delete')).toBe(0);
  });

  it('at the source fails the run', async () => {
    const at = { source: { before: always('read', failsWith('BACKEND_UNREACHABLE')) } };
    await expect(runEngine({ ...withSources(3), at })).rejects.toMatchObject({ code: 'BACKEND_UNREACHABLE' });
  });

  it('during the check of rights fails the run before anything is written', async () => {
    const world = withSources(3);
    const at = { destination: { before: always('denied', failsWith('BACKEND_SEALED')) } };
    await expect(runEngine({ ...world, at })).rejects.toMatchObject({ code: 'BACKEND_SEALED' });
    expect(world.destination.addresses()).toEqual([]);
  });
});

describe('a run that must stop', () => {
  it('ends after the documents in flight, and every document keeps a row', async () => {
    const world = withSources(50);
    const shouldStop = (log: readonly string[]) => countOf(log, 'row') >= 5;
    const run = await runEngine({ ...world, shouldStop, prior: [aRow('old', { state: 'Conflict' })] });
    expect(run.result.interrupted).toBe(true);
    expect(countOf(run.log, 'destination write')).toBeLessThan(20);
    expect(run.rows.filter(({ name }) => name.startsWith('doc-'))).toHaveLength(50);
    const states = new Set(run.rows.map(({ state }) => state));
    expect([...states]).toContain('Pending');
    expect(run.rows.some(({ name }) => name === 'old')).toBe(true);
  });

  it('leaves its copies for the next run: nothing is written twice', async () => {
    const world = withSources(20);
    const shouldStop = (log: readonly string[]) => countOf(log, 'row') >= 5;
    const first = await runEngine({ ...world, shouldStop });
    const second = await runEngine({ ...world, prior: first.rows });
    const written = countOf(first.log, 'destination write') + countOf(second.log, 'destination write');
    expect(written).toBe(20);
    expect(second.rows.map(({ state }) => state)).toEqual(Array.from({ length: 20 }, () => 'Verified'));
  });
});

describe('documents in flight at once', () => {
  it('are more than one, and at most the limit', async () => {
    let inFlight = 0;
    let most = 0;
    const before = async ({ operation }: Call): Promise<void> => {
      if (operation !== 'write') return;
      inFlight += 1;
      most = Math.max(most, inFlight);
      await settle();
      inFlight -= 1;
    };
    await runEngine({ ...withSources(30), at: { destination: { before } } });
    expect(most).toBe(4);
  });
});

describe('a signal that aborts', () => {
  interface Abort {
    readonly backend: 'source' | 'destination';
    readonly more: Partial<EngineRun>;
  }
  const prior = [aRow('a', { state: 'Removed', backup: 'a.migrated-bak' })];
  const fallback = { prefix: 'OLD_', untilTime: '2026-01-01T01:00:00Z' };

  it.each<[string, Abort]>([
    ['an unlisted document', { backend: 'destination', more: { prior } }],
    [
      'a document at its old address',
      { backend: 'source', more: { spec: { select: { names: ['a'] }, source: { fallback } } } },
    ],
    [
      'a document whose backup is to expire',
      {
        backend: 'destination',
        more: { prior, task: 'maintain', spec: { sourcePolicy: 'Backup', backupTTLSeconds: 1 } },
      },
    ],
  ])('while the run reads %s ends it without a row', async (_what, { backend, more }) => {
    const world = aWorld({ addressing: 'tree' });
    const aborting = new AbortController();
    const reason = new Error('the Lease is lost');
    const before = always('read', ({ address }) => {
      if (backend === 'source' && address !== 'OLD_a') return;
      aborting.abort(reason);
      throw reason;
    });
    let log: readonly string[] = [];
    const shouldStop = (current: readonly string[]) => {
      log = current;
      return false;
    };
    const { signal } = aborting;
    const run = runEngine({ ...world, ...more, at: { [backend]: { before } }, signal, shouldStop });
    await expect(run).rejects.toBe(reason);
    expect(log.filter((line) => line.startsWith('row'))).toEqual([]);
  });

  it.each([
    ['source', 'list'],
    ['destination', 'list'],
    ['source', 'read'],
    ['destination', 'write'],
    ['destination', 'read'],
    ['source', 'delete'],
  ] as const)('ends the run with its reason and reports no document: %s %s', async (backend, operation) => {
    const world = withSources(1);
    const aborting = new AbortController();
    const reason = new Error('the Lease is lost');
    const before = once(operation, () => {
      aborting.abort(reason);
      throw reason;
    });
    let log: readonly string[] = [];
    const shouldStop = (current: readonly string[]) => {
      log = current;
      return false;
    };
    const { signal } = aborting;
    const spec = { sourcePolicy: 'Delete' };
    const run = runEngine({ ...world, spec, at: { [backend]: { before } }, signal, shouldStop });
    await expect(run).rejects.toBe(reason);
    expect(world.source.addresses()).toHaveLength(1);
    // Only the proof before a removal may be on record.
    expect(log.filter((line) => line.startsWith('row') && line !== 'row doc-0 Verified')).toEqual([]);
  });
});
