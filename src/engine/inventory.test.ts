import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEFT_OUT_REASONS } from '#src/api/v1alpha1/conditions.ts';
import { aWorld, runEngine, type RunReport, type World } from '#test/support/engine-run.ts';

/* Everything that the source lists is a row, or is counted with the reason why it is none. */

/** `discovered`, `selected` and the documents of each reason. */
function accountOf({ result: { inventory } }: RunReport): Record<string, number> {
  if (inventory === undefined) throw new Error('the run has no inventory');
  const { discovered, selected, leftOut } = inventory;
  return { discovered, selected, ...Object.fromEntries(leftOut) };
}

function fromTree(...paths: readonly string[]): World {
  const world = aWorld({ addressing: 'tree' }, { addressing: 'flat' });
  for (const path of paths) world.source.put(path, { k: path });
  return world;
}

describe('a nested path, on the way to single names', () => {
  it('fails and says what to do, so that the run is not complete', async () => {
    const world = fromTree('ns/a', 'ns/db/replica');
    const run = await runEngine(world);
    expect(run.outcomeOf('db/replica')).toMatchObject({
      state: 'Failed',
      reason: 'NotMapped',
      retry: 'later',
      message:
        'The name has several segments, and the destination has single names. Set spec.mapping.segmentSeparator, or an override, or exclude the document.',
    });
    expect(accountOf(run)).toEqual({ discovered: 2, selected: 2 });
    expect(world.destination.addresses()).toEqual(['a']);
  });

  it('is counted when it is excluded', async () => {
    const select = { all: true, exclude: { prefixes: ['db/'] } };
    const run = await runEngine({ ...fromTree('ns/a', 'ns/db/replica'), spec: { select } });
    expect([...run.outcomes.keys()]).toEqual(['a']);
    expect(accountOf(run)).toEqual({ discovered: 2, selected: 1, Excluded: 1 });
  });

  it('gets the name that the separator makes, and is removed from its own path', async () => {
    const world = fromTree('ns/a', 'ns/db/replica/eu');
    const spec = { mapping: { segmentSeparator: '-' }, sourcePolicy: 'Delete' };
    const run = await runEngine({ ...world, spec });
    expect(run.outcomeOf('db/replica/eu')).toMatchObject({
      state: 'Removed',
      destination: { path: 'db-replica-eu' },
    });
    expect(world.destination.textAt('db-replica-eu')).toEqual({ k: 'ns/db/replica/eu' });
    expect(world.source.textAt('ns/db/replica/eu')).toBeUndefined();
    const again = await runEngine({ ...world, spec, prior: run.rows });
    expect(accountOf(again)).toEqual(accountOf(run));
    expect(again.outcomeOf('db/replica/eu').state).toBe('Removed');
  });

  it('is refused together with the document whose name it would get, both named', async () => {
    const world = fromTree('ns/db-replica', 'ns/db/replica', 'ns/a');
    const run = await runEngine({ ...world, spec: { mapping: { segmentSeparator: '-' } } });
    for (const name of ['db-replica', 'db/replica']) {
      expect(run.outcomeOf(name)).toMatchObject({ state: 'Failed', reason: 'MappingCollision' });
      expect(run.outcomeOf(name).message).toContain('db-replica, db/replica');
    }
    expect(world.destination.addresses()).toEqual(['a']);
  });

  it('gets the name of its override, without a separator', async () => {
    const world = fromTree('ns/db/replica');
    const mapping = { overrides: [{ name: 'db/replica', path: 'replica' }] };
    const run = await runEngine({ ...world, spec: { mapping } });
    expect(run.outcomeOf('db/replica').state).toBe('Verified');
    expect(world.destination.addresses()).toEqual(['replica']);
  });

  it.each(['flat', 'tree'] as const)(
    'cannot have a separator if the destination has paths (%s)',
    async (from) => {
      const run = runEngine({
        ...aWorld({ addressing: from }),
        spec: { mapping: { segmentSeparator: '-' } },
      });
      await expect(run).rejects.toMatchObject({ code: 'SPEC_INVALID' });
    },
  );
});

describe('the inventory of a run', () => {
  it('counts each reason for which a document has no row', async () => {
    const world = fromTree('k-a', 'k-x', 'k-t', 'k-sys/b', 'k-sys/c', 'other');
    world.source.put('k-t', { k: 'v' }, { type: 'helm.sh/release.v1' });
    const run = await runEngine({
      ...world,
      reserved: ['k-sys'],
      spec: { select: { all: true, exclude: { names: ['x'] } }, mapping: { path: 'k-{name}' } },
    });
    expect(accountOf(run)).toEqual({
      discovered: 5,
      selected: 1,
      Reserved: 1,
      Excluded: 1,
      ExcludedType: 1,
      OtherPath: 1,
    });
  });

  it('counts an old name beside its new one, and one that is only old as a row', async () => {
    const world = fromTree('t/a', 't/old/a', 't/old/b', 't/deep/c');
    const source = { fallback: { prefix: 't/old/', untilTime: '2999-01-01T00:00:00Z' } };
    const run = await runEngine({ ...world, spec: { source, mapping: { path: 't/{name}' } } });
    expect(accountOf(run)).toEqual({ discovered: 4, selected: 3, OldName: 1 });
    expect([...run.outcomes.keys()].toSorted()).toEqual(['a', 'b', 'deep/c']);
  });

  it('has no part that a dry run does not have', async () => {
    const world = fromTree('ns/a', 'ns/b', 'ns/deep/c');
    world.source.put('ns/b', { k: 'v' }, { type: 'helm.sh/release.v1' });
    const dry = await runEngine({ ...world, spec: { dryRun: true } });
    expect(accountOf(dry)).toEqual(accountOf(await runEngine(world)));
  });

  it('stays the same when the next run finds the sources removed', async () => {
    const world = aWorld();
    for (const name of ['a', 'b', 'c']) world.source.put(name, { k: 'v' });
    const spec = { select: { all: true, exclude: { names: ['c'] } }, sourcePolicy: 'Delete' };
    const first = await runEngine({ ...world, spec });
    const second = await runEngine({ ...world, spec, prior: first.rows });
    expect(world.source.addresses()).toEqual(['c']);
    expect(accountOf(second)).toEqual({ discovered: 3, selected: 2, Excluded: 1 });
    expect(accountOf(second)).toEqual(accountOf(first));
  });

  it('is not that of a run that ended early', async () => {
    const run = await runEngine({ ...fromTree('ns/a'), shouldStop: () => true });
    expect(run.result.inventory).toBeUndefined();
  });

  it('balances for any listing, any selection and any mapping', async () => {
    await fc.assert(
      fc.asyncProperty(aSource, aSpec, fc.boolean(), async (source, spec, isFlat) => {
        const world = aWorld(
          { addressing: 'tree', listsTypes: source.listsTypes },
          { addressing: isFlat ? 'flat' : 'tree' },
        );
        for (const { path, type } of source.documents) world.source.put(path, { k: path }, type);
        const { segmentSeparator, ...mapping } = spec.mapping;
        const run = await runEngine({
          ...world,
          reserved: source.reserved,
          spec: { ...spec, mapping: isFlat ? { ...mapping, segmentSeparator } : mapping },
        });
        expectBalance(run, world, spec.mapping.path);
      }),
      { numRuns: 300 },
    );
  });
});

const segment = fc.constantFrom('a', 'b', 'a-b', 'sys', 'A_B', 'k-a');
const aSource = fc.record({
  documents: fc.uniqueArray(
    fc.record({
      path: fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
      type: fc.constantFrom({}, { type: 'helm.sh/release.v1' }, { type: 'kubernetes.io/tls' }),
    }),
    { maxLength: 12, selector: ({ path }) => path },
  ),
  reserved: fc.constantFrom([], ['sys']),
  listsTypes: fc.boolean(),
});
const exclude = fc.record(
  {
    names: fc.constantFrom(['b', 'a/b']),
    prefixes: fc.constantFrom(['b/']),
    types: fc.constantFrom(['kubernetes.io/tls']),
  },
  { requiredKeys: [] },
);
const aSpec = fc.record({
  select: fc.oneof(
    fc.record({ all: fc.constant(true), exclude }),
    fc.record({ prefix: fc.constantFrom('a', 'k'), exclude }),
  ),
  mapping: fc.record({
    path: fc.constantFrom('{name}', 'a/{name}', 'k-{name}', '{name}/b', 'a/{name}/b'),
    segmentSeparator: fc.constantFrom(undefined, '-', '.'),
  }),
  dryRun: fc.boolean(),
});

/** Held against the store itself: a reserved folder counts once, whatever it contains. */
function expectBalance(run: RunReport, world: World, path: string): void {
  const { discovered = 0, selected, ...leftOut } = accountOf(run);
  const folder = path.startsWith('a/') ? 'a/' : '';
  const listed = world.source.addresses().filter((address) => address.startsWith(folder));
  const reserved = leftOut['Reserved'] ?? 0;
  const visible = reserved === 0 ? listed : listed.filter((address) => !`/${address}`.includes('/sys'));
  expect(discovered).toBe(visible.length + reserved);
  expect(Object.values(leftOut).reduce((sum, documents) => sum + documents, selected ?? 0)).toBe(discovered);
  expect(run.outcomes.size).toBe(selected);
  expect(Object.keys(LEFT_OUT_REASONS)).toEqual(expect.arrayContaining(Object.keys(leftOut)));
}
