import { describe, expect, it } from 'vitest';
import { MAX_ROW_MESSAGE } from '#src/api/v1alpha1/status-row.ts';
import { always } from '#src/backends/memory/hooks.ts';
import { OperatorError } from '#src/errors.ts';
import { aWorld, runEngine, type EngineRun, type World } from '#test/support/engine-run.ts';

/*
 * One bad name or folder is one row, with its name and a reason. All other documents are moved.
 */

const tree = (): World => aWorld({ addressing: 'tree' });
const closed = (folder: string) => (verb: string, address: string) => verb === 'list' && address === folder;

function aTreeWith(...addresses: readonly string[]): World {
  const world = tree();
  for (const address of addresses) world.source.put(address, { k: 'v' });
  return world;
}

/** A source in which nobody may list ns/shut. */
const shut = (more: Partial<EngineRun> = {}): Partial<EngineRun> => ({
  mayNot: { source: closed('ns/shut') },
  ...more,
});

describe('a name that no document can have', () => {
  it.each([
    ['a relative segment', 'ns/x/../y', 'x/../y'],
    ['an empty segment', 'ns/x//y', 'x//y'],
    ['a control character', 'ns/bell\u0007', 'bell\\u{7}'],
    ['half of a character', 'ns/half\uD800', 'half\\u{d800}'],
  ])('with %s is one row that is safe to print, and the others are moved', async (_what, address, name) => {
    const run = await runEngine(aTreeWith(address, 'ns/good'));
    expect(run.outcomeOf('good').state).toBe('Verified');
    const row = run.outcomeOf(name);
    expect(row).toMatchObject({ state: 'Failed', reason: 'PathRefused', retry: 'later', keys: [] });
    expect(row.message).toContain(`(ns/${name})`);
    expect(run.outcomes.size).toBe(2);
  });

  it('is no row if the selection excludes it', async () => {
    const world = aTreeWith('ns/bell\u0007', 'ns/good');
    const run = await runEngine({
      ...world,
      spec: { select: { all: true, exclude: { prefixes: ['bell'] } } },
    });
    expect([...run.outcomes.keys()]).toEqual(['good']);
  });

  it('has no row any more once it is gone', async () => {
    const world = aTreeWith('ns/bell\u0007', 'ns/good');
    const first = await runEngine(world);
    world.source.purge('ns/bell\u0007');
    const second = await runEngine({ ...world, prior: first.rows });
    expect([...second.outcomes.keys()]).toEqual(['good']);
    expect(second.rows.map(({ name }) => name)).toEqual(['good']);
  });

  it('at the destination concerns nobody', async () => {
    const world = aTreeWith('ns/a');
    world.destination.put('ns/bell\u0007', { k: 'theirs' });
    const run = await runEngine(world);
    expect([...run.outcomes]).toMatchObject([['a', { state: 'Verified' }]]);
  });
});

describe('a folder of the source that cannot be listed', () => {
  it('is one row that says that its names are unknown, and the others are moved', async () => {
    const run = await runEngine({ ...aTreeWith('ns/a', 'ns/shut/b', 'ns/open/c'), ...shut() });
    expect(run.outcomeOf('shut/')).toMatchObject({
      state: 'Failed',
      reason: 'PermissionDenied',
      retry: 'later',
    });
    expect(run.outcomeOf('shut/').message).toMatch(/^What is in this folder is unknown\. .*ns\/shut/);
    expect(run.outcomeOf('a').state).toBe('Verified');
    expect(run.outcomeOf('open/c').state).toBe('Verified');
    expect(run.outcomes.size).toBe(3);
    expect(run.result.problem).toBeUndefined();
  });

  it('keeps what earlier runs recorded in it: these documents are read by name', async () => {
    const world = aTreeWith('ns/shut/b', 'ns/shut/gone');
    const first = await runEngine({ ...world, spec: { sourcePolicy: 'Delete', soakSeconds: 60 } });
    world.source.purge('ns/shut/gone');
    const spec = { sourcePolicy: 'Delete', soakSeconds: 60 };
    const second = await runEngine({ ...world, spec, prior: first.rows, ...shut() });
    expect(second.outcomeOf('shut/b').state).toBe('Verified');
    expect(second.outcomeOf('shut/gone').state).toBe('Removed');
    expect(second.outcomeOf('shut/').state).toBe('Failed');
    const since = (rows: typeof first.rows) => rows.find(({ name }) => name === 'shut/b')?.since;
    expect(since(second.rows)).toBe(since(first.rows));
  });

  it('has no row any more once it can be listed', async () => {
    const world = aTreeWith('ns/shut/b');
    const first = await runEngine({ ...world, ...shut() });
    const second = await runEngine({ ...world, prior: first.rows });
    expect([...second.outcomes.keys()]).toEqual(['shut/b']);
  });

  it.each([
    ['the selection excludes it', { all: true, exclude: { prefixes: ['shut/'] } }, false],
    ['the prefix of the selection is elsewhere', { prefix: 'open/' }, false],
    ['the prefix of the selection is below it', { prefix: 'shut/deep' }, true],
    ['the prefix of the selection is above it', { prefix: 'sh' }, true],
  ])('has a row if %s: %j %s', async (_when, select, expected) => {
    const run = await runEngine({ ...aTreeWith('ns/shut/b', 'ns/open/c'), spec: { select }, ...shut() });
    expect(run.outcomes.has('shut/')).toBe(expected);
  });

  it('is a row too if the mapping leads to a flat store', async () => {
    const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
    world.source.put('ns/a', { k: 'v' });
    world.source.put('ns/shut/b', { k: 'v' });
    const run = await runEngine({ ...world, ...shut() });
    expect(run.outcomeOf('a').state).toBe('Verified');
    expect(run.outcomeOf('shut/').reason).toBe('PermissionDenied');
  });

  it('has a message that fits its row, however long its path is', async () => {
    const long = `ns/shut-${'x'.repeat(400)}`;
    const world = aTreeWith(`${long}/b`);
    const run = await runEngine({ ...world, mayNot: { source: closed(long) } });
    const [row] = run.outcomes.values();
    expect(row?.message?.length).toBeLessThanOrEqual(MAX_ROW_MESSAGE);
  });
});

describe('a folder of the destination that cannot be listed', () => {
  it('leaves its names unknown: they are read, and the others are free', async () => {
    const world = aTreeWith('ns/shut/taken', 'ns/shut/free', 'ns/open/c');
    world.destination.put('ns/shut/taken', { k: 'theirs' });
    const run = await runEngine({ ...world, mayNot: { destination: closed('ns/shut') } });
    expect(run.outcomeOf('shut/taken').state).toBe('Conflict');
    expect(run.outcomeOf('shut/free').state).toBe('Verified');
    const firstAt = (address: string) =>
      run.log.find((line) => line.endsWith(address) && line.startsWith('dest'));
    expect(firstAt('ns/shut/free')).toBe('destination read ns/shut/free');
    expect(firstAt('ns/open/c')).toBe('destination write ns/open/c');
    expect(run.outcomes.size).toBe(3);
  });
});

describe('a document that cannot be read', () => {
  it.each(['REPLY_INVALID', 'SERVER_ERROR', 'DOCUMENT_REFUSED', 'ENCODING_CORRUPT', 'INVARIANT'] as const)(
    'for %s is one row, and the others are moved',
    async (code) => {
      const world = aTreeWith('ns/bad', 'ns/good');
      const before = always('read', ({ address }) => {
        if (address === 'ns/bad') throw new OperatorError(code, { op: 'memory.fault', target: address });
      });
      const run = await runEngine({ ...world, at: { source: { before } } });
      expect(run.outcomeOf('bad').state).toBe('Failed');
      expect(run.outcomeOf('bad').message).toContain('ns/bad');
      expect(run.outcomeOf('good').state).toBe('Verified');
      expect(run.result.problem).toBeUndefined();
    },
  );
});
