import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type RunReport, type World } from '#test/support/engine-run.ts';

/* Mode Sync of documents that are joined or split: the source leads, and is only read. */

type Prior = RunReport['rows'];
type Spec = Readonly<Record<string, unknown>>;

async function pass(world: World, spec: Spec, prior: Prior, only?: readonly string[]): Promise<RunReport> {
  return runEngine({ ...world, prior, spec: { mode: 'Sync', ...spec }, ...(only && { only }) });
}

const requestsIn = ({ log }: RunReport): readonly string[] =>
  log.filter((line) => / (read|write|delete) /.test(line));

describe('a folder that is joined', () => {
  const spec = { mapping: { join: {} }, sync: { prune: true } };

  async function inStep(): Promise<readonly [World, Prior]> {
    const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
    world.source.put('ns/app/db', { user: 'u' });
    world.source.put('ns/app/api', { token: 't' });
    world.source.put('ns/web/tls', { crt: 'c' });
    return [world, (await pass(world, spec, [])).rows];
  }

  it('is neither read nor written while no part has another version', async () => {
    const [world, prior] = await inStep();
    expect(requestsIn(await pass(world, spec, prior))).toEqual([]);
  });

  it('follows a part that changes, one that appears and one that disappears', async () => {
    const [world, prior] = await inStep();
    world.source.put('ns/app/db', { user: 'u2' });
    world.source.put('ns/app/cache', { url: 'x' });
    world.source.purge('ns/app/api');
    const run = await pass(world, spec, prior);
    expect(run.outcomeOf('app')).toMatchObject({ state: 'Verified', reason: 'FollowedSource' });
    expect(world.destination.textAt('app')).toEqual({ 'db.user': 'u2', 'cache.url': 'x' });
    expect(requestsIn(run).filter((line) => line.includes('web'))).toEqual([]);
    expect(requestsIn(await pass(world, spec, run.rows))).toEqual([]);
  });

  it('leaves the Secret as it is while a part has no value, and follows when it has one again', async () => {
    const [world, prior] = await inStep();
    world.source.remove('ns/app/api');
    const broken = await pass(world, spec, prior);
    expect(broken.outcomeOf('app')).toMatchObject({ state: 'Failed', reason: 'PartsRefused' });
    expect(world.destination.textAt('app')).toEqual({ 'db.user': 'u', 'api.token': 't' });
    world.source.put('ns/app/api', { token: 't2' });
    const healed = await pass(world, spec, broken.rows);
    expect(healed.outcomeOf('app').state).toBe('Verified');
    expect(world.destination.textAt('app')).toEqual({ 'db.user': 'u', 'api.token': 't2' });
  });
});

describe('a Secret that is split', () => {
  const spec = { mapping: { split: {} } };

  async function inStep(): Promise<readonly [World, Prior]> {
    const world = aWorld();
    world.source.put('app', { user: 'u', password: 'p' });
    world.source.put('web', { crt: 'c' });
    return [world, (await pass(world, spec, [])).rows];
  }

  it('carries a change of a key, and writes no key that has the same bytes', async () => {
    const [world, prior] = await inStep();
    world.source.put('app', { user: 'u', password: 'p2', more: 'm' });
    const run = await pass(world, spec, prior);
    expect(world.destination.textAt('ns/app/password')).toEqual({ value: 'p2' });
    expect(world.destination.textAt('ns/app/more')).toEqual({ value: 'm' });
    expect(run.log.filter((line) => line.startsWith('destination write'))).toHaveLength(2);
    expect(run.outcomeOf('app/user').state).toBe('Verified');
    const again = await pass(world, spec, run.rows);
    expect(again.log.filter((line) => line.startsWith('destination write'))).toEqual([]);
  });

  it('follows the documents of one Secret by their names', async () => {
    const [world, prior] = await inStep();
    world.source.put('app', { user: 'u2', password: 'p' });
    const run = await pass(world, spec, prior, ['app/user', 'app/password']);
    expect(world.destination.textAt('ns/app/user')).toEqual({ value: 'u2' });
    expect([...new Set(requestsIn(run).filter((line) => line.startsWith('source')))]).toEqual([
      'source read app',
    ]);
  });

  it('keeps the path of a key that is removed', async () => {
    const [world, prior] = await inStep();
    world.source.put('app', { user: 'u' });
    const run = await pass(world, spec, prior);
    expect(run.outcomeOf('app/password').state).not.toBe('Verified');
    expect(world.destination.textAt('ns/app/password')).toEqual({ value: 'p' });
  });
});
