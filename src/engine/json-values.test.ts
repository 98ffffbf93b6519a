import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

const BIG = '12345678901234567890';
const NESTED = '{"10":[1.10,-0],"2":{"z":null,"a":"<b>"}}';
const VALUES = { text: '1', id: BIG, nested: NESTED, off: 'false' };
const JSON_KEYS = { jsonKeys: new Set(['id', 'nested', 'off']) };

/** From a tree that holds JSON to a store that is flat, or to another name in the same tree. */
function withJson(kind: 'flat' | 'tree'): World {
  const world = aWorld({ addressing: 'tree' }, kind === 'flat' ? { addressing: 'flat' } : {});
  world.source.put('ns/app', VALUES, {}, JSON_KEYS);
  return world;
}

const AS_TEXT = { mapping: { jsonValues: 'AsText' } };
const REMOVING = { ...AS_TEXT, sourcePolicy: 'Delete' };

describe('JSON values in a destination that holds JSON', () => {
  it.each(['Refuse', 'AsText'])('keep their text and stay JSON, with %s', async (jsonValues) => {
    const world = withJson('tree');
    const run = await runEngine({ ...world, spec: { mapping: { jsonValues }, sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Removed', keys: Object.keys(VALUES).toSorted() });
    expect(run.outcomeOf('app').reason).toBeUndefined();
    expect(world.destination.textAt('ns/app')).toEqual(VALUES);
    expect(world.destination.currentAt('ns/app')?.jsonKeys).toEqual(JSON_KEYS.jsonKeys);
  });

  it('differ from the strings with the same text, and not from the same number in another spelling', async () => {
    const world = withJson('tree');
    const json = { jsonKeys: new Set(['k']) };
    world.source.put('ns/app', { k: '1' }, {}, json);
    world.destination.put('ns/app', { k: '1' });
    const run = await runEngine(world);
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Conflict', reason: 'DestinationDiffers' });
    world.destination.put('ns/app', { k: '1.0' }, {}, json);
    expect((await runEngine(world)).outcomeOf('app')).toMatchObject({ state: 'Verified' });
  });
});

describe('JSON values in a destination that holds bytes only', () => {
  it('are refused by the name of a key, before anything is written, with what to do', async () => {
    const world = withJson('flat');
    const run = await runEngine(world);
    expect(run.outcomeOf('app')).toMatchObject({
      state: 'Failed',
      reason: 'NotRepresentable',
      message:
        'Key "id" has a JSON value that is not a string, and the store holds bytes only. Set spec.mapping.jsonValues to AsText, or exclude the document.',
    });
    expect(world.destination.addresses()).toEqual([]);
  });

  it('are their text if the migration says so, and a second run writes nothing', async () => {
    const world = withJson('flat');
    const run = await runEngine({ ...world, spec: AS_TEXT });
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Verified' });
    expect(world.destination.textAt('app')).toEqual(VALUES);
    expect(world.destination.currentAt('app')?.jsonKeys).toBeUndefined();
    const again = await runEngine({ ...world, spec: AS_TEXT, prior: run.rows });
    expect(again.outcomeOf('app').state).toBe('Verified');
    expect(again.log.filter((line) => line.includes('write'))).toEqual([]);
  });

  it('keep their source, because their type would be lost with it', async () => {
    const world = withJson('flat');
    const run = await runEngine({ ...world, spec: REMOVING });
    expect(run.outcomeOf('app')).toMatchObject({
      state: 'Failed',
      reason: 'MetadataRefused',
      message:
        'The destination cannot hold the JSON type of "id", the JSON type of "nested" and 1 more: It holds bytes only, and spec.mapping.jsonValues is AsText. Exclude the document, or set spec.mapping.metadataLoss to Allow.',
    });
    expect(world.destination.addresses()).toEqual([]);
    expect(world.source.textAt('ns/app')).toEqual(VALUES);
  });

  it('are not removed at the source for a copy that an earlier run made while the source stayed', async () => {
    const world = withJson('flat');
    const kept = await runEngine({ ...world, spec: AS_TEXT });
    const run = await runEngine({ ...world, spec: REMOVING, prior: kept.rows });
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Failed', reason: 'MetadataRefused' });
    expect(world.source.textAt('ns/app')).toEqual(VALUES);
  });

  it('lose their type by name, and are counted, if that is allowed', async () => {
    const world = withJson('flat');
    const spec = { ...REMOVING, mapping: { jsonValues: 'AsText', metadataLoss: 'Allow' } };
    const dry = await runEngine({ ...world, spec: { ...spec, dryRun: true } });
    expect(dry.result.plan).toMatchObject({ create: 1, remove: 1, metadataLost: 1 });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('app')).toMatchObject({
      state: 'Removed',
      reason: 'MetadataLost',
      message:
        'The destination does not have the JSON type of "id", the JSON type of "nested" and 1 more; spec.mapping.metadataLoss allows that.',
    });
    expect(world.destination.textAt('app')).toEqual(VALUES);
  });
});
