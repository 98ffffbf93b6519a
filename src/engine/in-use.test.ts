import { describe, expect, it } from 'vitest';
import { aWorld, runEngine, type EngineRun, type World } from '#test/support/engine-run.ts';
import { PruningPair } from '#test/support/pruning-pair.ts';

/* What holds a removal because others depend on the document. */

const NOBODY = { users: { first: [], count: 0 } };
const POD = { users: { first: ['Pod web-0'], count: 1 } };
const REFUSED = {
  users: { first: [], count: 0 },
  unknown: { happened: 'The operator may not list pods in ns.', hint: 'Grant it.' },
};

function withSource(state: { readonly owner?: string; readonly manager?: string } = {}): World {
  const world = aWorld();
  world.source.put('a', { k: 'v' });
  world.source.alter('a', state);
  return world;
}

const only = (name: string, use: typeof POD | typeof REFUSED) => (asked: string) =>
  asked === name ? use : NOBODY;

interface Row {
  readonly world?: () => World;
  readonly by?: Pick<EngineRun, 'usedBy' | 'pushedBy'>;
  readonly reason: string;
  readonly message: string;
  /** What the spec says to remove it all the same; undefined: nothing does. */
  readonly unless?: object;
}

const HELD: Readonly<Record<string, Row>> = {
  'in use': {
    by: { usedBy: only('a', POD) },
    reason: 'InUse',
    message:
      'The source is kept: Pod web-0 uses this Secret. Remove the reference, or set spec.removal.inUse to Ignore.',
    unless: { inUse: 'Ignore' },
  },
  'perhaps in use': {
    by: { usedBy: only('a', REFUSED) },
    reason: 'InUseUnknown',
    message:
      'The source is kept, because its users are unknown: The operator may not list pods in ns. Grant it.',
    unless: { inUse: 'Ignore' },
  },
  'pushed by what cannot be listed': {
    by: { pushedBy: only('a', REFUSED) },
    reason: 'InUseUnknown',
    message:
      'The source is kept, because its users are unknown: The operator may not list pods in ns. Grant it.',
    unless: { inUse: 'Ignore' },
  },
  'pushed by a PushSecret that deletes': {
    by: { pushedBy: only('a', { users: { first: ['PushSecret p'], count: 1 } }) },
    reason: 'WouldPropagate',
    message:
      'The source is kept: PushSecret p would delete what was pushed of this Secret. Set its deletionPolicy to None.',
  },
  'written by another program': {
    world: () => withSource({ manager: 'External Secrets' }),
    reason: 'OwnedElsewhere',
    message:
      'The source is kept: External Secrets manages this Secret. Remove it there, or set spec.removal.owned to Remove.',
    unless: { owned: 'Remove' },
  },
  'owned by another object': {
    world: () => withSource({ owner: 'ExternalSecret db' }),
    reason: 'OwnedElsewhere',
    message:
      'The source is kept: it belongs to ExternalSecret db. Remove it there, or set spec.removal.owned to Remove.',
    unless: { owned: 'Remove' },
  },
};
const held = Object.entries(HELD).flatMap(([what, row]) =>
  ['Delete', 'Backup'].map((sourcePolicy) => [what, sourcePolicy, row] as const),
);

describe('a source that is', () => {
  it.each(held)('%s stays, with sourcePolicy %s', async (_what, sourcePolicy, row) => {
    const world = (row.world ?? withSource)();
    const run = await runEngine({ ...world, ...row.by, spec: { sourcePolicy } });
    expect(run.outcomeOf('a')).toMatchObject({
      state: 'Verified',
      reason: row.reason,
      message: row.message,
      retry: 'later',
    });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
    // Nothing is written for a removal that is held, not even a claim.
    expect(run.log.filter((line) => /^source (?!read|list|denied|release)/.test(line))).toEqual([]);
  });

  it.each(held)('%s is shown in a dry run, with sourcePolicy %s', async (_what, sourcePolicy, row) => {
    const world = (row.world ?? withSource)();
    const run = await runEngine({ ...world, ...row.by, spec: { sourcePolicy, dryRun: true } });
    expect(run.outcomeOf('a')).toMatchObject({ reason: 'WouldCreate', message: row.message });
    expect(run.result.plan).toMatchObject({ create: 1, remove: 0 });
  });

  it.each(held.filter(([, , row]) => row.unless !== undefined))(
    '%s goes if the spec says so, with sourcePolicy %s',
    async (_what, sourcePolicy, row) => {
      const world = (row.world ?? withSource)();
      const run = await runEngine({ ...world, ...row.by, spec: { sourcePolicy, removal: row.unless } });
      expect(run.outcomeOf('a').state).toBe('Removed');
    },
  );

  it.each(['Keep', 'Project'])(
    'in use is copied, and nothing is asked, with sourcePolicy %s',
    async (sourcePolicy) => {
      let asked = 0;
      const usedBy = () => {
        asked += 1;
        return POD;
      };
      const run = await runEngine({ ...withSource(), usedBy, spec: { sourcePolicy } });
      expect(run.outcomeOf('a').state).toBe('Verified');
      expect(asked).toBe(0);
    },
  );
});

describe('the gate of users', () => {
  it('opens when the last one is gone: the next run removes the source, and the row waited as it was', async () => {
    const world = withSource();
    const spec = { sourcePolicy: 'Delete' };
    const first = await runEngine({ ...world, usedBy: only('a', POD), spec });
    world.clock.jump(60_000);
    const second = await runEngine({ ...world, usedBy: only('a', POD), spec, prior: first.rows });
    expect(second.rows).toEqual(first.rows);
    const third = await runEngine({ ...world, spec, prior: second.rows });
    expect(third.outcomeOf('a').state).toBe('Removed');
  });

  it('is asked again right before the removal, with a fresh fact', async () => {
    const world = withSource();
    const usedBy: EngineRun['usedBy'] = (_name, asked) => (asked.for === 'removal' ? POD : NOBODY);
    const run = await runEngine({ ...world, usedBy, spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'InUse' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('is asked once more with the lock: a user that came while the removal waited for it holds', async () => {
    const world = withSource();
    let asked = 0;
    const usedBy: EngineRun['usedBy'] = (_name, { for: purpose }) => {
      if (purpose === 'removal') asked += 1;
      return asked > 1 ? POD : NOBODY;
    };
    const run = await runEngine({ ...world, usedBy, spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a')).toMatchObject({ state: 'Verified', reason: 'InUse' });
    expect(world.source.textAt('a')).toEqual({ k: 'v' });
  });

  it('is not asked before the copy is there: no copy waits for an answer', async () => {
    const world = withSource();
    const copies: string[][] = [];
    const usedBy: EngineRun['usedBy'] = () => {
      copies.push([...world.destination.addresses()]);
      return NOBODY;
    };
    await runEngine({ ...world, usedBy, spec: { sourcePolicy: 'Delete' } });
    expect(copies.length).toBeGreaterThan(0);
    expect(new Set(copies.flat())).toEqual(new Set(['ns/a']));
    expect(copies.every((found) => found.length === 1)).toBe(true);
  });

  it('holds one source, and the others go', async () => {
    const world = withSource();
    world.source.put('b', { k: 'v' });
    const run = await runEngine({ ...world, usedBy: only('a', POD), spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a').reason).toBe('InUse');
    expect(run.outcomeOf('b').state).toBe('Removed');
  });

  it('says how many users there are besides the first', async () => {
    const usedBy = only('a', { users: { first: ['Deployment web', 'Pod web-0'], count: 5 } });
    const run = await runEngine({ ...withSource(), usedBy, spec: { sourcePolicy: 'Delete' } });
    expect(run.outcomeOf('a').message).toContain('Deployment web, Pod web-0 and 3 more use this Secret');
  });
});

describe('a Secret that would be pruned', () => {
  it('stays while it is in use, and goes in a later pass', async () => {
    const pair = await PruningPair.ofPaths(3);
    pair.removeSource('d0');
    const run = await pair.pass({ usedBy: only('d0', POD) });
    expect(run.outcomeOf('d0')).toMatchObject({ state: 'Skipped', reason: 'InUse', retry: 'later' });
    expect(run.outcomeOf('d0').message).toContain('The destination is kept: Pod web-0 uses this Secret.');
    expect(pair.kept).toBe(3);
    await pair.pass();
    expect(pair.kept).toBe(2);
  });
});
