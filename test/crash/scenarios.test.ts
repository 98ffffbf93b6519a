import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { eventually } from '#test/support/eventually.ts';
import { conditionOf, reasonOf } from '#test/support/queries.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { CROSSING_VALUES, CROSSINGS } from './crossings.ts';
import { FATES, KillSwitch, type Moment } from './kill-switch.ts';
import { lookFor, Observer } from './observer.ts';
import { changesIn } from './places.ts';
import { report, Rig, withLogOf } from './rig.ts';
import { DOCUMENTS, SCENARIOS, whereabouts, type Scenario } from './scenarios.ts';
import { chooseSeed, seeded } from '#test/support/seed.ts';

/*
 * Each way to move secrets, killed five times. The operator is dead when its stores are looked at, so what is seen is what
 * the kill left behind.
 */

const KILLS = 5;
/** Few at once, so that a kill lets little through: then few documents leave room for many kills. */
const AT_ONCE = 4;
/** Each kill may let as many changes through as are on their way at once, and the last life shall have some left. */
const LEFT_OVER = (AT_ONCE + 1) * KILLS;
const DEADLINE_MS = 60_000;
const CROSSING_KILLS = 4;
const CROSSING_REQUESTS = 30;

const killSwitch = new KillSwitch();
let rig: Rig;

beforeAll(async () => {
  rig = await Rig.open(killSwitch);
  for (const proxy of [rig.kube, rig.bao]) killSwitch.install(proxy);
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

function chooseMoments(
  tenant: Tenant,
  { steps, moments }: Scenario,
  random: (below: number) => number,
): readonly Moment[] {
  const fate = () => FATES[random(FATES.length)] ?? 'unsent';
  if (moments !== undefined) return moments(tenant, random).map((at) => ({ fate: fate(), at }));
  const before = killSwitch.steps;
  const at = (): Moment['at'] =>
    steps === undefined
      ? { request: 1 + random(DOCUMENTS) }
      : { step: before + 1 + random(steps - LEFT_OVER) };
  const chosen = Array.from({ length: KILLS }, () => ({ fate: fate(), at: at() }));
  return chosen.toSorted((a, b) => orderOf(a) - orderOf(b));
}

function orderOf({ at }: Moment): number {
  return 'step' in at ? at.step : 0;
}

async function liveUntil(moment: Moment, leaseName: string): Promise<void> {
  const operator = await rig.operator({
    leaseName,
    skipReady: true,
    args: [`--concurrent-documents=${AT_ONCE}`],
  });
  killSwitch.arm(moment, () => operator.signal('SIGKILL'));
  const what = `${leaseName} has died at ${JSON.stringify(moment)}`;
  const fired = eventually(what, () => killSwitch.fired, { deadlineMs: DEADLINE_MS });
  // One that outlived its moment must not meddle with the next scenario.
  const last = await withLogOf(operator, fired).finally(() => operator.signal('SIGKILL'));
  expect(await operator.exited).toEqual({ code: null, signal: 'SIGKILL' });
  report(`${leaseName}: ${JSON.stringify(moment.at)} ${moment.fate}, ${last.method} ${last.path}`);
}

/** Every value is somewhere, and nowhere more often than the scenario has places for it. */
async function expectNothingLost(
  tenant: Tenant,
  scenario: Scenario,
  values: readonly string[],
): Promise<void> {
  const places = await whereabouts(tenant);
  expect(values.filter((value) => places.get(value) === undefined)).toEqual([]);
  expect(values.filter((value) => (places.get(value) ?? 0) > scenario.places)).toEqual([]);
}

/** Numbers for this scenario, and the seed in the output. */
function seededHere(scenario: string): (below: number) => number {
  const seed = chooseSeed();
  report(`${scenario}: KEYFERRY_SEED=${seed}`);
  return seeded(seed);
}

async function killThroughout(tenant: Tenant, scenario: Scenario): Promise<SecretMigration> {
  const random = seededHere(scenario.name);
  const values = await scenario.plant(tenant);
  await expectNothingLost(tenant, scenario, values);
  await tenant.apply(scenario.migration(tenant));
  const chosen = chooseMoments(tenant, scenario, random);
  expect(chosen).toHaveLength(KILLS);
  for (const [life, moment] of chosen.entries()) {
    await liveUntil(moment, `${scenario.name}-${life + 1}`);
    await expectNothingLost(tenant, scenario, values);
  }
  const survivor = await rig.operator({ leaseName: `${scenario.name}-survivor` });
  const done = await withLogOf(survivor, tenant.untilReady('moving'));
  await expectNothingLost(tenant, scenario, values);
  await scenario.verify(tenant);
  expect((await survivor.stop()).code).toBe(0);
  return done;
}

describe('an operator that is killed five times', () => {
  it.each(SCENARIOS)('$name: loses nothing and doubles nothing', async (scenario) => {
    const tenant = await rig.tenant();
    const done = await killThroughout(tenant, scenario);
    expect(done.status.progress).toBe(`${DOCUMENTS}/${DOCUMENTS}`);
  });
});

/** Both have ended, whichever of them came first. */
async function untilBothEnded(tenant: Tenant): Promise<void> {
  for (const name of ['there', 'back']) {
    await eventually(`${name} has ended`, async () => {
      const migration = await tenant.migration(name);
      const reason = reasonOf(migration);
      if (reason === 'ConflictsFound' || reason === 'Completed') return true;
      throw new Error(JSON.stringify(conditionOf(migration, 'Ready')));
    });
  }
}

/** Between two of its first requests: later ones may not come, since a crossing can be seen at once. */
function chooseEarly(random: (below: number) => number): Moment {
  const fate = FATES[random(FATES.length)] ?? 'unsent';
  return { fate, at: { request: 10 + random(CROSSING_REQUESTS) } };
}

describe('two migrations in opposite directions', () => {
  it.each(CROSSINGS)('$name: lose nothing when the operator is killed', async (crossing) => {
    const random = seededHere(crossing.name);
    const tenant = await rig.tenant();
    await crossing.plant(tenant);
    const places = crossing.places(tenant);
    const observer = new Observer(CROSSING_VALUES, places, changesIn(killSwitch));
    await using _watching = observer.start();
    for (const migration of crossing.migrations) await tenant.apply(migration);
    for (let life = 1; life <= CROSSING_KILLS; life += 1) {
      await liveUntil(chooseEarly(random), `${crossing.name}-${life}`);
      await observer.freshRound();
      expect(observer.violations).toEqual([]);
    }
    const survivor = await rig.operator({
      leaseName: `${crossing.name}-survivor`,
      // A removal that the other migration held back is tried again, and is a conflict then.
      args: ['--waiting-retry-seconds=1'],
    });
    await withLogOf(survivor, untilBothEnded(tenant));
    await observer.freshRound();
    expect(observer.violations).toEqual([]);
    expect((await survivor.stop()).code).toBe(0);
    expect(await lookFor(CROSSING_VALUES, places)).toEqual(new Map());
  });
});
