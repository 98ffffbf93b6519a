import { describe, expect, it } from 'vitest';
import type { Attributes, Pair } from '#src/core/document.ts';
import { aWorld, runEngine, type World } from '#test/support/engine-run.ts';

/* What goes when a source goes: its labels and annotations are part of what must not be lost. */

const LABELS = new Map([['team', 'web']]);
const NOTED: Attributes = {
  metadata: LABELS,
  annotations: new Map([
    ['note', 'x'],
    ['large', 'y'.repeat(100)],
  ]),
};
const removing = { sourcePolicy: 'Delete' };
const allowing = { ...removing, mapping: { metadataLoss: 'Allow' } };

function withNoted(holdsPair: (pair: Pair) => boolean = () => true): World {
  const world = aWorld({}, { holdsPair });
  world.source.put('a', { k: 'v' }, NOTED);
  return world;
}

function attributesOf({ destination }: World): Attributes | undefined {
  return destination.currentAt('ns/a')?.attributes;
}

describe('labels and annotations', () => {
  it.each(['Delete', 'Backup'])('go along when the source goes by %s', async (sourcePolicy) => {
    const world = withNoted();
    const run = await runEngine({ ...world, spec: { sourcePolicy } });
    expect(run.outcomeOf('a').state).toBe('Removed');
    expect(attributesOf(world)).toEqual({ labels: NOTED.metadata, annotations: NOTED.annotations });
  });

  it.each(['Keep', 'Project'])('stay with a source that stays: %s', async (sourcePolicy) => {
    const world = withNoted();
    await runEngine({ ...world, spec: { sourcePolicy } });
    expect(attributesOf(world)).toEqual({});
  });

  it('go along by the policy of the rule that applies', async () => {
    const world = withNoted();
    const overrides = [{ name: 'a', path: 'ns/a', sourcePolicy: 'Delete' }];
    await runEngine({ ...world, spec: { mapping: { overrides } } });
    expect(attributesOf(world)?.annotations).toEqual(NOTED.annotations);
  });

  it('come back with the value', async () => {
    const world = withNoted();
    await runEngine({ ...world, spec: removing });
    const back: World = { ...world, source: world.destination, destination: world.source };
    await runEngine({ ...back, spec: removing });
    expect(world.source.currentAt('a')?.attributes).toEqual(NOTED);
  });

  it('are compared again before the removal', async () => {
    const world = withNoted();
    const onFlush = (): void =>
      world.destination.alter('ns/a', { attributes: { labels: new Map([['team', 'web']]) } });
    const run = await runEngine({ ...world, spec: removing, onFlush });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Pending', reason: 'DestinationChanged' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('that an equal destination lacks keep the source, which says what to do', async () => {
    const world = withNoted();
    world.destination.put('ns/a', { k: 'v' });
    const run = await runEngine({ ...world, spec: removing });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Conflict',
      reason: 'AttributesDiffer',
      message: expect.stringMatching(/conflictPolicy to Overwrite or mapping.metadataLoss to Allow/),
    });
    const spec = { ...removing, conflictPolicy: 'Overwrite' };
    expect((await runEngine({ ...world, spec })).outcomeOf('a').state).toBe('Removed');
    expect(attributesOf(world)?.annotations).toEqual(NOTED.annotations);
  });
});

describe('what a destination cannot hold', () => {
  const notLarge = ({ value }: Pair): boolean => value.length < 50;
  const nothing = (): boolean => false;

  it('is refused before anything is written, by name and with what to do', async () => {
    const world = withNoted(notLarge);
    const run = await runEngine({ ...world, spec: removing });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Failed',
      reason: 'MetadataRefused',
      retry: 'later',
      message:
        'The destination cannot hold annotation large: The store has no place for it. Exclude the document, or set spec.mapping.metadataLoss to Allow.',
    });
    expect(world.destination.addresses()).toEqual([]);
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('is lost alone, and by name, if that is allowed; a later run still says so', async () => {
    const world = withNoted(notLarge);
    const run = await runEngine({ ...world, spec: allowing });
    const lost = {
      state: 'Removed',
      reason: 'MetadataLost',
      message: 'The destination does not have annotation large; spec.mapping.metadataLoss allows that.',
    };
    expect(run.outcomeOf('a')).toMatchObject(lost);
    expect(attributesOf(world)).toEqual({
      labels: NOTED.metadata,
      annotations: new Map([['note', 'x']]),
    });
    expect((await runEngine({ ...world, spec: allowing, prior: run.rows })).outcomeOf('a')).toMatchObject(
      lost,
    );
  });

  it('is a total of the dry run', async () => {
    const world = withNoted(nothing);
    world.source.put('plain', { k: 'v' });
    const run = await runEngine({ ...world, spec: { ...allowing, dryRun: true } });
    expect(run.result.plan).toMatchObject({ create: 2, remove: 2, metadataLost: 1 });
    expect(run.outcomeOf('a')).toMatchObject({
      reason: 'WouldCreate',
      message: expect.stringContaining('label team, annotation note and 1 more'),
    });
  });

  it('is no loss while the source stays', async () => {
    const run = await runEngine({ ...withNoted(nothing), spec: { mapping: { metadataLoss: 'Allow' } } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified' });
    expect(run.outcomeOf('a').reason).toBeUndefined();
  });

  it('is allowed to be absent from an equal destination, and counted', async () => {
    const world = withNoted();
    world.destination.put('ns/a', { k: 'v' }, { labels: LABELS });
    const dry = await runEngine({ ...world, spec: { ...allowing, dryRun: true } });
    expect(dry.result.plan).toMatchObject({ adopt: 1, remove: 1, metadataLost: 1 });
    const run = await runEngine({ ...world, spec: allowing });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Removed',
      message: expect.stringContaining('annotation note, annotation large'),
    });
  });

  it('does not hide another refusal', async () => {
    const world = withNoted(nothing);
    world.source.put('a', { k: Buffer.alloc(1_048_577) }, NOTED);
    const run = await runEngine({ ...world, spec: allowing });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Failed', reason: 'TooLarge' });
  });
});
