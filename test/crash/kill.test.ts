import { afterAll, beforeAll, expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { plant, readStored, remainingSources, someDocuments, storedNames } from './documents.ts';
import { FATES, KillSwitch, type Moment } from './kill-switch.ts';
import { Observer } from './observer.ts';
import { changesIn, secretsOf, versionsOf } from './places.ts';
import { report, Rig, withLogOf } from './rig.ts';
import { chooseSeed, seeded } from '#test/support/seed.ts';

const DOCUMENTS = 120;
/** Few at once, so that a kill lets little through: then few documents leave room for many kills. */
const AT_ONCE = 6;
/** Kills that fall wherever documents are written and sources deleted, which is what takes longest and matters most. */
const KILLS_AT_STEPS = 9;
/** Kills early in a life: while names are gathered, while what is there is read and adopted. */
const KILLS_AT_REQUESTS = 3;
const KILLS = KILLS_AT_STEPS + KILLS_AT_REQUESTS;
/** Each document is written, claimed and deleted; every kill may let through what is on its way. */
const LAST_STEP = 3 * DOCUMENTS - KILLS * AT_ONCE;
/** Fewer than any life needs: every document is read at the destination, whatever is left to do. */
const LAST_REQUEST = DOCUMENTS;

const killSwitch = new KillSwitch();
let rig: Rig;
let tenant: Tenant;

beforeAll(async () => {
  rig = await Rig.open(killSwitch);
  for (const proxy of [rig.kube, rig.bao]) killSwitch.install(proxy);
  tenant = await rig.tenant();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Kills at steps in ascending order, kills at requests anywhere among them. */
function chooseMoments(random: (below: number) => number): readonly Moment[] {
  const fate = () => FATES[random(FATES.length)] ?? 'unsent';
  const steps = Array.from({ length: KILLS_AT_STEPS }, () => 1 + random(LAST_STEP)).toSorted((a, b) => a - b);
  const moments: Moment[] = steps.map((step) => ({ fate: fate(), at: { step } }));
  for (let count = 0; count < KILLS_AT_REQUESTS; count += 1) {
    const at = { request: 1 + random(LAST_REQUEST) };
    moments.splice(random(moments.length + 1), 0, { fate: fate(), at });
  }
  return moments;
}

/** Starts an operator, waits until it has died at its moment, and says where that was. */
async function liveUntil(moment: Moment, life: number): Promise<void> {
  // Its predecessor is dead for sure: a Lease of its own saves the 15 s until the old one has run out.
  const operator = await rig.operator({
    leaseName: `life-${life}`,
    skipReady: true,
    args: [`--concurrent-documents=${AT_ONCE}`],
  });
  killSwitch.arm(moment, () => operator.signal('SIGKILL'));
  const what = `operator ${life} has died at ${JSON.stringify(moment)}`;
  const last = await withLogOf(
    operator,
    eventually(what, () => killSwitch.fired),
  );
  expect(await operator.exited).toEqual({ code: null, signal: 'SIGKILL' });
  report(
    `kill ${life}: ${JSON.stringify(moment.at)} ${moment.fate}, ${last.method} ${last.path} (${killSwitch.steps} steps)`,
  );
}

/** What the operator may change, and nothing else. */
function isExpectedChange({ method, path }: RecordedRequest): boolean {
  const { mount, namespace } = tenant;
  const own = `/apis/keyferry.io/v1alpha1/namespaces/${namespace}/`;
  const patterns = [
    new RegExp(`^POST /v1/${mount}/data/${namespace}/doc-\\d{3}$`),
    new RegExp(`^(POST|PATCH) /v1/${mount}/metadata/${namespace}/doc-\\d{3}$`),
    new RegExp(`^POST /v1/sys/capabilities-self$`),
    // A PATCH claims a Secret, or releases the claim of a run that was killed.
    new RegExp(`^(PATCH|DELETE) /api/v1/namespaces/${namespace}/secrets/doc-\\d{3}$`),
    new RegExp(`^(PUT|PATCH) ${own}secret(migrations|backends)/[a-z]+/status$`),
    /^(PUT|PATCH) \/apis\/keyferry\.io\/v1alpha1\/clustersecretbackends\/kubernetes\/status$/,
    new RegExp(`^(POST|PUT) ${own}secretmigrationreports(/[a-z0-9-]+)?$`),
    /^(POST|PATCH) \/apis\/events\.k8s\.io\/v1\/namespaces\/[^/]+\/events(\/[^/]+)?$/,
    /^(POST|PUT) \/apis\/coordination\.k8s\.io\/v1\/namespaces\/keyferry-system\/leases(\/life-\d+)?$/,
    /^POST \/apis\/authorization\.k8s\.io\/v1\/selfsubjectaccessreviews$/,
  ];
  return patterns.some((pattern) => pattern.test(`${method} ${path}`));
}

it('loses nothing and repeats nothing when it is killed again and again during a run that deletes', async () => {
  const seed = chooseSeed();
  report(`KEYFERRY_SEED=${seed}`);
  const moments = chooseMoments(seeded(seed));
  const documents = someDocuments(DOCUMENTS);
  await plant(tenant, documents);
  const strangers = (await tenant.secrets()).filter(({ metadata }) => !documents.has(metadata.name));
  const observer = new Observer(documents, [secretsOf(tenant), versionsOf(tenant)], changesIn(killSwitch));
  await using _watching = observer.start();
  await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));

  for (const [life, moment] of moments.entries()) {
    await liveUntil(moment, life + 1);
    await observer.freshRound();
    expect(observer.violations).toEqual([]);
  }
  const survivor = await rig.operator({ leaseName: `life-${KILLS + 1}` });
  const done = await withLogOf(survivor, tenant.untilReady('moving'));
  await observer.freshRound();

  report(`${observer.rounds} rounds of the observer, ${killSwitch.requests.length} requests`);
  expect(observer.violations).toEqual([]);
  expect(done.status.progress).toBe(`${DOCUMENTS}/${DOCUMENTS}`);
  expect(done.status.summary).toMatchObject({ total: DOCUMENTS, removed: DOCUMENTS });
  const rows = await tenant.rows('moving');
  expect(rows.map(({ name }) => name).toSorted()).toEqual([...documents.keys()]);
  expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['Removed']));
  expect(await remainingSources(tenant, documents)).toEqual([]);
  expect(await storedNames(tenant)).toEqual([...documents.keys()]);
  for (const [name, value] of documents) {
    expect(await readStored(tenant, name), name).toEqual({ value, versions: 1 });
  }
  expect(await tenant.secrets()).toEqual(strangers);
  const changes = killSwitch.requests.filter(({ method }) => !['GET', 'LIST'].includes(method));
  expect(changes.filter((request) => !isExpectedChange(request))).toEqual([]);
  expect((await survivor.stop()).code).toBe(0);
});
