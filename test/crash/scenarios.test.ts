import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { FATES, KillSwitch, type Moment } from './kill-switch.ts';
import { report, Rig, withLogOf } from './rig.ts';
import { DOCUMENTS, SCENARIOS, whereabouts, type Scenario } from './scenarios.ts';
import { chooseSeed, seeded } from './seed.ts';

/*
 * Each way to move secrets, killed ten times. The operator is dead when its stores are looked at, so what is seen is what
 * the kill left behind.
 */

const KILLS = 10;
/** Each kill may let as many changes through as are on their way at once, and the last life shall have some left. */
const LEFT_OVER = 17 * KILLS;
const DEADLINE_MS = 60_000;

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
  const operator = await rig.operator({ leaseName, skipReady: true });
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

async function killThroughout(tenant: Tenant, scenario: Scenario): Promise<SecretMigration> {
  const seed = chooseSeed();
  report(`${scenario.name}: KEYFERRY_SEED=${seed}`);
  const values = await scenario.plant(tenant);
  await expectNothingLost(tenant, scenario, values);
  await tenant.apply(scenario.migration(tenant));
  const chosen = chooseMoments(tenant, scenario, seeded(seed));
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

describe('an operator that is killed ten times', () => {
  it.each(SCENARIOS)('$name: loses nothing and doubles nothing', async (scenario) => {
    const tenant = await rig.tenant();
    const done = await killThroughout(tenant, scenario);
    expect(done.status.progress).toBe(`${DOCUMENTS}/${DOCUMENTS}`);
  });
});
