import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type RunReport, type World } from '#test/support/engine-run.ts';

/* Each key of a Secret or file becomes one path. */

const spec = { mapping: { split: {} } };
const LABELED = { metadata: new Map([['team', 'payments']]) };

function fromSecrets(secrets: Readonly<Record<string, Readonly<Record<string, string>>>>): World {
  const world = aWorld();
  for (const [name, fields] of Object.entries(secrets)) world.source.put(name, fields);
  return world;
}

const APP = { app: { user: 'u', 'tls.crt': 'c' } };

function accountOf({ result: { inventory } }: RunReport): Record<string, number> {
  const { discovered = 0, selected = 0, leftOut = new Map<string, number>() } = inventory ?? {};
  return { discovered, selected, ...Object.fromEntries(leftOut) };
}

describe('a Secret that is split', () => {
  it('becomes one document for each key, and a second run writes nothing', async () => {
    const world = fromSecrets({ ...APP, web: { token: 't' } });
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('app/user')).toMatchObject({
      state: 'Verified',
      keys: ['value'],
      destination: { path: 'ns/app/user' },
    });
    expect(world.destination.addresses()).toEqual(['ns/app/tls.crt', 'ns/app/user', 'ns/web/token']);
    expect(world.destination.textAt('ns/app/user')).toEqual({ value: 'u' });
    expect(accountOf(run)).toEqual({ discovered: 3, selected: 3 });
    const again = await runEngine({ ...world, spec, prior: run.rows });
    expect(again.log.filter((line) => line.startsWith('destination write'))).toEqual([]);
    expect(again.rows.map(({ source }) => source)).toEqual(run.rows.map(({ source }) => source));
  });

  it('has the key that the spec says, and the names of mapping.keys after that', async () => {
    const world = fromSecrets(APP);
    const mapping = { split: { key: 'v' }, keys: [{ from: 'v', to: 'password' }] };
    await runEngine({ ...world, spec: { mapping } });
    expect(world.destination.textAt('ns/app/user')).toEqual({ password: 'u' });
  });

  it('gives its labels to each of them, and neither its type nor its immutability', async () => {
    const world = aWorld();
    world.source.put('app', { 'tls.crt': 'c' }, { ...LABELED, type: 'kubernetes.io/tls', immutable: true });
    const mapping = { split: {}, labels: ['team'], path: 'by/{label:team}/{name}' };
    await runEngine({ ...world, spec: { mapping } });
    expect(world.destination.currentAt('by/payments/app/tls.crt')?.attributes).toEqual(LABELED);
  });

  it('leaves the key out that is removed, as an unlisted document', async () => {
    const world = fromSecrets(APP);
    const { rows } = await runEngine({ ...world, spec });
    world.source.put('app', { user: 'u' });
    const run = await runEngine({ ...world, spec, prior: rows });
    expect(run.outcomeOf('app/user').state).toBe('Verified');
    expect(run.outcomeOf('app/tls.crt')).toMatchObject({ state: 'Skipped', reason: 'SourceGone' });
    expect(world.destination.textAt('ns/app/tls.crt')).toEqual({ value: 'c' });
  });
});

describe('what is selected of Secrets that are split', () => {
  const reads = ({ log }: RunReport): readonly string[] =>
    log.filter((line) => line.startsWith('source read '));

  it('is named by Secret and key, and no other Secret is read', async () => {
    const world = fromSecrets({ ...APP, web: { token: 't' } });
    const select = { names: ['app/user', 'app/none'] };
    const run = await runEngine({ ...world, spec: { ...spec, select } });
    expect(run.outcomeOf('app/user').state).toBe('Verified');
    expect(run.outcomeOf('app/none')).toMatchObject({ state: 'Failed', reason: 'SourceMissing' });
    expect([...new Set(reads(run))]).toEqual(['source read app']);
  });

  it('is a prefix of that, and Secrets that cannot have it are counted and not read', async () => {
    const world = fromSecrets({ ...APP, web: { token: 't' }, old: { a: '1', b: '2' } });
    const select = { prefix: 'app/', exclude: { names: ['app/user'] } };
    const run = await runEngine({ ...world, spec: { ...spec, select } });
    expect([...run.outcomes.keys()]).toEqual(['app/tls.crt']);
    expect(accountOf(run)).toEqual({ discovered: 4, selected: 1, Excluded: 1, NotSelected: 2 });
    expect(reads(run).filter((line) => !line.endsWith(' app'))).toEqual([]);
  });

  it('can be chosen by the labels of the Secret', async () => {
    const world = fromSecrets({ web: { token: 't' } });
    world.source.put('app', { user: 'u' }, LABELED);
    const select = { labelSelector: { matchLabels: { team: 'payments' } } };
    const run = await runEngine({ ...world, spec: { ...spec, select } });
    expect([...run.outcomes.keys()]).toEqual(['app/user']);
  });

  it.each([
    ['names', { names: ['app'] }, 'spec.select.names'],
    ['exceptions', { all: true, exclude: { names: ['app'] } }, 'spec.select.exclude.names'],
  ])('is not whole Secrets: %s without a key are refused before a read', async (_what, select, target) => {
    const run = runEngine({ ...fromSecrets(APP), spec: { ...spec, select } });
    await expect(run).rejects.toMatchObject({ code: 'SPEC_INVALID', target });
  });

  it('has no key of a type that is never moved, or that is excluded, by name or not', async () => {
    const world = aWorld();
    world.source.put('sa', { token: 't' }, { type: 'kubernetes.io/service-account-token' });
    world.source.put('web', { 'tls.crt': 'c' }, { type: 'kubernetes.io/tls' });
    const all = { all: true, exclude: { types: ['kubernetes.io/tls'] } };
    const run = await runEngine({ ...world, spec: { ...spec, select: all } });
    expect(accountOf(run)).toEqual({ discovered: 2, selected: 0, ExcludedType: 2 });
    const named = await runEngine({ ...world, spec: { ...spec, select: { names: ['sa/token'] } } });
    expect(named.outcomeOf('sa/token')).toMatchObject({ state: 'Failed', reason: 'TypeRefused' });
    expect(world.destination.addresses()).toEqual([]);
  });

  it('has no key of a Secret that a backend reads its credentials from, unless it is named', async () => {
    const world = fromSecrets({ ...APP, 'bao-token': { token: 't' } });
    const trustRoots = { 'bao-token': 'SecretBackend bao' };
    const run = await runEngine({ ...world, spec, trustRoots });
    expect(run.outcomeOf('bao-token/token')).toMatchObject({ state: 'Skipped', reason: 'TrustRoot' });
    expect(world.destination.addresses()).toEqual(['ns/app/tls.crt', 'ns/app/user']);
  });
});

it('shows a Secret that cannot be read as one whose keys are unknown, and goes on', async () => {
  const world = fromSecrets({ ...APP, web: { token: 't' } });
  const { rows } = await runEngine({ ...world, spec });
  const mayNot = { source: (verb: string, at: string) => verb === 'read' && at === 'app' };
  const run = await runEngine({ ...world, spec, prior: rows, mayNot });
  expect(run.outcomeOf('app/')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
  expect(run.outcomeOf('app/user')).toMatchObject({ state: 'Failed', reason: 'PermissionDenied' });
  expect(run.outcomeOf('web/token').state).toBe('Verified');
});

it('is refused where a document does not go from Secrets or files to paths', async () => {
  for (const from of ['tree', 'flat'] as const)
    await expect(
      runEngine({ ...aWorld({ addressing: from }, { addressing: from }), spec }),
    ).rejects.toMatchObject({ code: 'SPEC_INVALID', target: 'spec.mapping.split' });
});

it('gives the original again, when it is joined by the names of the parts, whatever it holds', async () => {
  const name = fc
    .stringMatching(/^[a-z0-9]([a-z0-9.-]{0,4}[a-z0-9])?$/)
    .filter((each) => !each.includes('..'));
  const key = fc.stringMatching(/^[A-Za-z0-9_.-]{1,5}$/).filter((each) => !/^\.+$/.test(each));
  const fields = fc.dictionary(key, fc.string(), { minKeys: 1, noNullPrototype: true });
  const secrets = fc.dictionary(name, fields, { minKeys: 1, maxKeys: 4, noNullPrototype: true });
  const check = async (all: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<void> => {
    const out = fromSecrets(all);
    const there = await runEngine({ ...out, spec });
    expect([...there.outcomes.values()].filter(({ state }) => state !== 'Verified')).toEqual([]);
    const back = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
    const mapping = { join: { key: '{name}' } };
    await runEngine({ ...back, source: out.destination, spec: { mapping } });
    const found = back.destination.addresses().map((each) => [each, back.destination.textAt(each)]);
    expect(Object.fromEntries(found)).toEqual(all);
  };
  await fc.assert(fc.asyncProperty(secrets, check), { numRuns: 100 });
});
