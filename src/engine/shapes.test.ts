import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

/* A document of a KV engine that becomes a Secret of another shape. */

const BINARY = Buffer.from([0x00, 0xff, 0x80, 0x30, 0x82]);
const WRAPPED = `${BINARY.toString('base64').slice(0, 4)}\n${BINARY.toString('base64').slice(4)}\n`;

function fromPaths(): World {
  return aWorld({ addressing: 'tree' }, { addressing: 'flat' });
}

/** What the destination has at this key, after a run of this mapping. */
const bytesAt = ({ destination }: World, key: string) => destination.currentAt('a')?.fields.get(key);

describe('a value that is base64 by convention', () => {
  const spec = { mapping: { keys: [{ from: 'keystore_{id}', decode: 'base64' }] } };

  it('becomes its bytes; the others stay as they are', async () => {
    const world = fromPaths();
    world.source.put('ns/a', { keystore_1: WRAPPED, text: WRAPPED });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified' });
    expect(bytesAt(world, 'keystore_1')).toEqual(BINARY);
    expect(bytesAt(world, 'text')?.toString()).toBe(WRAPPED);
  });

  it('is compared as bytes: a second run, and one with another spelling, write nothing', async () => {
    const world = fromPaths();
    world.source.put('ns/a', { keystore_1: WRAPPED });
    const { rows } = await runEngine({ ...world, spec });
    world.source.put('ns/a', { keystore_1: BINARY.toString('base64url') });
    const again = await runEngine({ ...world, spec, prior: rows });
    expect(again.outcomeOf('a')).toMatchObject({ state: 'Verified' });
    expect(again.log.filter((line) => line.includes('write'))).toEqual([]);
  });

  it('is a conflict where the destination has the text, which is not overwritten', async () => {
    const world = fromPaths();
    world.source.put('ns/a', { keystore_1: WRAPPED });
    world.destination.put('a', { keystore_1: WRAPPED });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Conflict', reason: 'DestinationDiffers' });
  });

  it('is removed at the source only after its bytes were proven', async () => {
    const world = fromPaths();
    world.source.put('ns/a', { keystore_1: WRAPPED });
    const run = await runEngine({ ...world, spec: { ...spec, sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Removed' });
    expect(bytesAt(world, 'keystore_1')).toEqual(BINARY);
  });

  it('fails by name if it is anything else, without a word of it, and the other documents go on', async () => {
    const world = fromPaths();
    world.source.put('ns/a', { keystore_1: 'hunter2?', text: 'x' });
    world.source.put('ns/b', { keystore_1: BINARY });
    world.source.put('ns/number', { keystore_1: '1234' }, {}, { jsonKeys: new Set(['keystore_1']) });
    world.source.put('ns/c', { keystore_1: WRAPPED });
    const run = await runEngine({ ...world, spec: { ...spec, sourcePolicy: 'Delete' } });
    for (const name of ['a', 'b', 'number']) {
      const outcome = run.outcomeOf(name);
      expect(outcome).toMatchObject({ state: 'Failed', reason: 'DecodeFailed' });
      expect(outcome.message).toContain('Key "keystore_1" is not base64. Correct the value');
      expect(outcome.message).not.toContain('hunter2');
    }
    expect(run.outcomeOf('c')).toMatchObject({ state: 'Removed' });
    expect(world.destination.addresses()).toEqual(['c']);
  });

  it.each([
    ['from Secrets to paths', aWorld()],
    ['from paths to paths', aWorld({ addressing: 'tree' })],
    ['from Secrets to Secrets', aWorld({}, { addressing: 'flat' })],
  ])('is refused %s before anything is read', async (_ends, world) => {
    world.source.put('a', { keystore_1: WRAPPED });
    await expect(runEngine({ ...world, spec })).rejects.toMatchObject({
      code: 'SPEC_INVALID',
      target: 'spec.mapping.keys[0].decode',
    });
  });
});

describe('a document that becomes a Secret with a type', () => {
  const TLS = 'kubernetes.io/tls';
  const spec = {
    mapping: {
      secretType: TLS,
      overrides: [
        { name: 'login', path: 'login', secretType: 'kubernetes.io/basic-auth' },
        { name: 'plain', path: 'plain', secretType: 'Opaque' },
      ],
    },
  };

  it('gets that of the mapping or of its override, unless it has one', async () => {
    const world = fromPaths();
    for (const name of ['a', 'login', 'plain']) world.source.put(`ns/${name}`, { k: 'v' });
    world.source.put('ns/own', { k: 'v' }, { type: 'example.org/own' });
    const run = await runEngine({ ...world, spec: { ...spec, sourcePolicy: 'Delete' } });
    const types = ['a', 'login', 'plain', 'own'].map((name) => {
      expect(run.outcomeOf(name)).toMatchObject({ state: 'Removed' });
      return world.destination.currentAt(name)?.attributes.type;
    });
    expect(types).toEqual([TLS, 'kubernetes.io/basic-auth', undefined, 'example.org/own']);
  });

  it('is adopted with that type, and a conflict with another one, which stays', async () => {
    const world = fromPaths();
    for (const name of ['same', 'opaque']) world.source.put(`ns/${name}`, { k: 'v' });
    world.destination.put('same', { k: 'v' }, { type: TLS });
    world.destination.put('opaque', { k: 'v' });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('same')).toMatchObject({ state: 'Verified' });
    expect(run.outcomeOf('opaque')).toMatchObject({ state: 'Conflict', reason: 'AttributesDiffer' });
    expect(run.outcomeOf('opaque').message).toContain(
      'The type of a Secret cannot change: delete the Secret',
    );
    expect(run.log.filter((line) => line.includes('write'))).toEqual([]);
  });

  it.each([
    ['from Secrets to paths', aWorld()],
    ['from paths to paths', aWorld({ addressing: 'tree' })],
    ['from Secrets to Secrets', aWorld({}, { addressing: 'flat' })],
    ['from paths to files', aWorld({ addressing: 'tree' }, { addressing: 'flat', statesAttributes: false })],
  ])('is refused %s before anything is read', async (_ends, world) => {
    world.source.put('a', { k: 'v' });
    const refused = { code: 'SPEC_INVALID', target: 'spec.mapping.secretType' };
    await expect(runEngine({ ...world, spec })).rejects.toMatchObject(refused);
    const { overrides } = spec.mapping;
    const inOverride = runEngine({ ...world, spec: { mapping: { overrides } } });
    await expect(inOverride).rejects.toMatchObject({ target: 'spec.mapping.overrides[0].secretType' });
  });
});
