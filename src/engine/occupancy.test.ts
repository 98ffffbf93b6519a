import { describe, expect, it } from 'vitest';
import { aRow, aWorld, runEngine, type RunReport, type World } from '#test/support/engine-run.ts';

/* Which folders of the destination a run lists to learn which of its targets are free. */

function fromTree(...addresses: readonly string[]): World {
  const world = aWorld({ addressing: 'tree' });
  for (const address of addresses) world.source.put(address, { k: 'v' });
  return world;
}

const listedIn = ({ log }: RunReport): readonly string[] =>
  log.filter((line) => line.startsWith('destination list')).toSorted();

/** What the run did first with this address of the destination. */
const firstAt = ({ log }: RunReport, address: string): string | undefined =>
  log.find((line) => line.startsWith('destination') && line.endsWith(` ${address}`));

describe('the destination', () => {
  it('is listed in each folder that holds a target, and in no other', async () => {
    const world = fromTree('ns/a', 'ns/b', 'ns/deep/er/c');
    for (const folder of ['ns/foreign', 'ns/deep', 'ns/deep/er/below', 'elsewhere'])
      world.destination.put(`${folder}/x`, { k: 'theirs' });
    const run = await runEngine(world);
    expect(listedIn(run)).toEqual(['destination list ns', 'destination list ns/deep/er']);
    for (const name of ['a', 'b', 'deep/er/c']) expect(run.outcomeOf(name).state).toBe('Verified');
    expect(firstAt(run, 'ns/deep/er/c')).toBe('destination write ns/deep/er/c');
  });

  it('is listed where labels and overrides put the documents', async () => {
    const world = aWorld();
    world.source.put('a', { k: 'v' }, { metadata: new Map([['team', 'web']]) });
    world.source.put('b', { k: 'v' }, { metadata: new Map([['team', 'api']]) });
    world.destination.put('taken/b', { k: 'theirs' });
    const mapping = { path: '{label:team}/{name}', overrides: [{ name: 'b', path: 'taken/b' }] };
    const run = await runEngine({ ...world, spec: { mapping } });
    expect(listedIn(run)).toEqual(['destination list taken', 'destination list web']);
    expect(firstAt(run, 'web/a')).toBe('destination write web/a');
    expect(run.outcomeOf('b').state).toBe('Conflict');
  });

  it('that may not be listed at the top leaves only the targets there unknown', async () => {
    const world = fromTree('ns/a', 'ns/open/b');
    world.destination.put('ns/a', { k: 'theirs' });
    const mayNot = { destination: (verb: string, at: string) => verb === 'list' && at === 'ns' };
    const run = await runEngine({ ...world, mayNot });
    expect(run.outcomeOf('a').state).toBe('Conflict');
    expect(run.outcomeOf('open/b').state).toBe('Verified');
    expect(firstAt(run, 'ns/open/b')).toBe('destination write ns/open/b');
  });

  it('is not listed for documents that an earlier run left there: they are read', async () => {
    const world = fromTree('ns/a', 'ns/b');
    const first = await runEngine(world);
    const again = await runEngine({ ...world, prior: first.rows });
    expect(listedIn(again)).toEqual([]);
    expect(again.log.filter((line) => /denied|write/.test(line))).toEqual([]);
    for (const name of ['a', 'b']) expect(again.outcomeOf(name).state).toBe('Verified');
  });

  it('that has documents of earlier runs beside one that was never copied is listed until that one is found', async () => {
    const world = fromTree('ns/a', 'ns/b', 'ns/c');
    world.destination.put('ns/c', { k: 'theirs' });
    const first = await runEngine(world);
    const again = await runEngine({ ...world, prior: first.rows });
    expect(again.outcomeOf('c').state).toBe('Conflict');
    expect(again.log.filter((line) => line.includes('write'))).toEqual([]);
  });

  it('is read where a row says that the document is there and it is gone, and the document is written again', async () => {
    const world = fromTree('ns/a');
    const run = await runEngine({ ...world, prior: [aRow('a')] });
    expect(firstAt(run, 'ns/a')).toBe('destination read ns/a');
    expect(run.outcomeOf('a').state).toBe('Verified');
    expect(world.destination.addresses()).toEqual(['ns/a']);
  });

  it('is listed for a plan, whatever earlier runs left there', async () => {
    const world = fromTree('ns/a');
    const first = await runEngine(world);
    const plan = await runEngine({ ...world, prior: first.rows, spec: { dryRun: true } });
    expect(listedIn(plan)).toEqual(['destination list ns']);
  });

  it('is not listed to its end where other names outnumber the targets by far: these are read', async () => {
    const world = fromTree('ns/a', 'ns/zz');
    for (let index = 0; index < 10_010; index += 1) world.destination.put(`ns/foreign-${index}`, { k: 'v' });
    world.destination.put('ns/zz', { k: 'theirs' });
    const run = await runEngine(world);
    expect(firstAt(run, 'ns/a')).toBe('destination read ns/a');
    expect(run.outcomeOf('a').state).toBe('Verified');
    expect(run.outcomeOf('zz').state).toBe('Conflict');
  });
});
