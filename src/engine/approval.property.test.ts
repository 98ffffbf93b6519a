import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { failsWith, once, type Hooks } from '#src/backends/memory/hooks.ts';
import { planDigest } from '#src/core/plan-digest.ts';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from '#test/support/engine-run.ts';

/* Whatever changes between a plan and its run, and wherever the run is killed: what is done is what the plan says, or less. */

const NAMES = ['a', 'b', 'c', 'd'];
const name = fc.constantFrom(...NAMES);
const value = fc.constantFrom('1', '2');
const change = fc.record({
  side: fc.constantFrom('source' as const, 'destination' as const),
  act: fc.constantFrom('put' as const, 'remove' as const, 'purge' as const),
  name,
  value,
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const scenario = fc.record({
  before: fc.array(change, { maxLength: 10 }),
  drift: fc.array(change, { maxLength: 5 }),
  during: fc.record({
    change,
    skip: fc.nat(6),
    operation: fc.constantFrom('read' as const, 'write' as const),
  }),
  isKilled: fc.boolean(),
  conflictPolicy: fc.constantFrom('Fail', 'Overwrite', 'KeepDestination'),
  sourcePolicy: fc.constantFrom('Keep', 'Delete'),
});

function make(world: World, { act, name: document, side, value: text }: Change): void {
  const address = side === 'source' ? document : `ns/${document}`;
  const store = world[side];
  if (act === 'put') store.put(address, { k: text });
  else if (store.currentAt(address) !== undefined) store[act](address);
}

/** The changes that the engine made: `destination write ns/a`. */
function changesIn({ log }: Pick<RunReport, 'log'>): readonly string[] {
  return log.filter((line) => /^(destination write|source (delete|retire|mark)) /.test(line));
}

/** What a plan lets happen. */
function allowedBy({ rows }: Pick<RunReport, 'rows'>): ReadonlySet<string> {
  return new Set(
    rows.flatMap(({ name: document, planned }) => {
      if (planned === undefined || planned.action === 'Keep') return [];
      const writes = planned.action === 'Adopt' ? [] : [`destination write ns/${document}`];
      return planned.removal === undefined ? writes : [...writes, `source delete ${document}`];
    }),
  );
}

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

/** Runs the approved plan while things change, and once more. */
async function carryOut(
  run: EngineRun,
  plan: RunReport,
  { during, isKilled }: Scenario,
): Promise<readonly RunReport[]> {
  const hook = once(during.operation, () => make(run, during.change), { skip: during.skip });
  const kill: Hooks = isKilled ? { after: once('write', failsWith('SERVER_ERROR'), { skip: 1 }) } : {};
  const at = { destination: { before: hook, ...kill } };
  const first = await runEngine({ ...run, at, phase: 'approved', prior: plan.rows });
  return [first, await runEngine({ ...run, phase: 'approved', prior: first.rows })];
}

it('does what the plan says, or less', async () => {
  const property = fc.asyncProperty(scenario, async (each) => {
    const { before, conflictPolicy, drift, during, sourcePolicy } = each;
    const world = aWorld();
    for (const document of NAMES) world.source.put(document, { k: '0' });
    for (const one of before) make(world, one);
    const run: EngineRun = { ...world, spec: { conflictPolicy, sourcePolicy } };
    const plan = await runEngine({ ...run, phase: 'plan' });
    expect(changesIn(plan)).toEqual([]);
    const planned = new Map(NAMES.map((document) => [document, world.source.textAt(document)]));
    for (const one of drift) make(world, one);
    const runs = await carryOut(run, plan, each);

    const allowed = allowedBy(plan);
    expect(runs.flatMap(changesIn).filter((line) => !allowed.has(line))).toEqual([]);
    for (const { rows } of runs) expect(planDigest('', rows)).toBe(planDigest('', plan.rows));
    // What was written has the value that the source had when the plan was made.
    const written = (name: string): boolean =>
      runs.some(({ outcomes }) => outcomes.get(name)?.copiedNow === true);
    for (const document of NAMES.filter((each) => written(each) && each !== during.change.name))
      expect(world.destination.textAt(`ns/${document}`)).toEqual(planned.get(document));
  });
  await fc.assert(property, { numRuns: 150 });
}, 30_000);
