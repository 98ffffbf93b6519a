import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Lease } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GROUP, KINDS, MIGRATION_UID_LABEL, VERSION } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { parseSecretMigrationReport } from '#src/api/v1alpha1/secret-migration-report.ts';
import { keyRowsOf } from '#src/api/v1alpha1/key-rows.ts';
import type { StoredList } from '#src/kube/wire.ts';
import { aMigration } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { startDistantServer } from '#test/support/distant-server.ts';
import { eventually } from '#test/support/eventually.ts';
import { JobPlayer, WORKER_TEMPLATE, type PlayedPod } from '#test/support/job-player.ts';
import { isChange, type RecordedRequest } from '#test/support/request-history.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { plant, readStored, someDocuments, storedNames, type Documents } from './documents.ts';
import { Observer } from './observer.ts';
import { changesIn, secretsOf, versionsOf } from './places.ts';
import { report, Rig } from './rig.ts';

/*
 * The pods of one large migration, killed and paused at random moments, and two pods of one range: every document is at the destination
 * in one version, every row is there once, and the migration completes.
 */

const LEASE = 'keyferry-range-';
const DOCUMENTS = 96;
/** So long that every moment of a pod is met. */
const ROUND_TRIP_MS = 20;
const KILLS = 6;
const GRACE_SECONDS = 3;
/** From the moment at which a paused pod runs again. */
const EXIT_MS = 10_000;
/** A paused pod holds its Lease for 15 s. */
const TAKEN_OVER_MS = 60_000;
const ALL_ENDED_MS = 120_000;

let rig: Rig;
let operator: OperatorProcess;
let player: JobPlayer;

beforeAll(async () => {
  rig = await Rig.open();
  const grace = `--graceful-shutdown-seconds=${GRACE_SECONDS}`;
  player = await JobPlayer.open(rig.cluster, {
    apiserverUrl: rig.kube.url,
    args: ['--concurrent-documents=1', '--status-interval-seconds=1', grace],
    failures: 1000,
  });
  operator = await rig.operator({ args: [WORKER_TEMPLATE, '--status-interval-seconds=1', grace] });
});

afterAll(async () => {
  await player[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** Each document has one row, in one report. */
async function rowsOf(tenant: Tenant, { metadata }: SecretMigration): Promise<readonly string[]> {
  const { plural } = KINDS.SecretMigrationReport;
  const path = `/apis/${GROUP}/${VERSION}/namespaces/${tenant.namespace}/${plural}`;
  const { items } = await tenant.cluster.kube<{ items: readonly unknown[] }>(
    'GET',
    `${path}?labelSelector=${MIGRATION_UID_LABEL}=${metadata.uid}`,
  );
  const rows = items.flatMap((item) => {
    const parsed = parseSecretMigrationReport(item);
    return parsed.ok ? keyRowsOf(parsed.value.report.rows) : [];
  });
  expect(rows.filter(({ state }) => state !== 'Verified')).toEqual([]);
  return rows.map(({ name }) => name).toSorted();
}

async function expectMoved(tenant: Tenant, documents: Documents): Promise<void> {
  const done = await tenant.untilReady('large', { status: 'True', reason: 'Completed' }, 120_000);
  expect(done.status.summary).toMatchObject({ total: DOCUMENTS, verified: DOCUMENTS });
  expect(done.status.inventory?.selected).toBe(DOCUMENTS);
  expect(await rowsOf(tenant, done)).toEqual([...documents.keys()]);
  expect(await storedNames(tenant)).toEqual([...documents.keys()]);
  for (const [name, value] of documents)
    expect(await readStored(tenant, name), name).toEqual({ value, versions: 1 });
}

function oneOf<T>(items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : items[randomInt(items.length)];
}

/** The pod that holds the Lease of its range: the only one of it that may change anything. */
async function holderOfARange(): Promise<PlayedPod> {
  return await eventually('a pod holds the Lease of its range', async () => {
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/leases`;
    const { items } = await rig.cluster.kube<StoredList<V1Lease>>('GET', leases);
    const holders = items
      .filter(({ metadata }) => metadata.name.startsWith(LEASE))
      .map(({ spec }) => spec?.holderIdentity ?? '');
    return oneOf(
      player
        .running()
        .filter(({ process }) => holders.some((holder) => holder.startsWith(`${process.identity}_`))),
    );
  });
}

/** Kills pods at random moments; every third one has a second pod of its range then, beside the one that replaces it. */
async function killSome(spared: PlayedPod): Promise<void> {
  const moments: string[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const ms = randomInt(1200);
    await sleep(ms);
    const victim = oneOf(player.running().filter((pod) => pod !== spared));
    if (victim === undefined) continue;
    await victim.process.kill();
    moments.push(`range ${victim.index} after ${ms} ms`);
    if (kill % 3 === 0) await player.twin(victim);
  }
  report(`range ${spared.index} sleeps; killed: ${moments.join(', ')}`);
}

/** It sleeps until another pod of its range has taken its Lease over and ended, and those of all other ranges. */
async function expectReplaced(paused: PlayedPod): Promise<void> {
  const twin = await player.twin(paused);
  const took = await Promise.race([twin.process.exited, sleep(TAKEN_OVER_MS, 'still there', { ref: false })]);
  expect(took).toEqual({ code: 0, signal: null });
  const isAlone = (): boolean => player.running().every((pod) => pod === paused);
  await eventually('the pods of all ranges have ended', isAlone, { deadlineMs: ALL_ENDED_MS });
}

/** A document in KV, or the rows of a range: the operator itself writes neither. */
function isWorkOfPods(request: RecordedRequest): boolean {
  const { path } = request;
  const isTheirs = path.startsWith('/v1/') || path.includes(`/${KINDS.SecretMigrationReport.plural}/`);
  return isTheirs && isChange(request);
}

/** It runs again when all is done without it: it must send no change at all, not even one that would be refused, and fail. */
async function expectNothingOf(paused: PlayedPod): Promise<void> {
  const { requests } = rig.history;
  const before = requests.length;
  paused.process.resume();
  const exit = await Promise.race([paused.process.exited, sleep(EXIT_MS, 'still there', { ref: false })]);
  expect(exit).toEqual({ code: 1, signal: null });
  expect(requests.slice(before).filter(isWorkOfPods)).toEqual([]);
}

it.each([{ pods: 2 }, { pods: 4 }])(
  'of $pods pods, killed, paused and doubled at random moments, none loses or doubles anything',
  async ({ pods }) => {
    await using distant = await startDistantServer(rig.bao.url, ROUND_TRIP_MS);
    const tenant = await rig.tenant({ address: distant.url });
    const documents = someDocuments(DOCUMENTS);
    await plant(tenant, documents);
    const places = [secretsOf(tenant), versionsOf(tenant)];
    const observer = new Observer(documents, places, changesIn(rig.history));
    await using _watching = observer.start();
    await tenant.apply(aMigration('large', { select: { prefix: 'doc-' }, parallelism: { pods } }));
    await player.untilRunning(pods);
    await holderOfARange();
    await sleep(randomInt(400));
    const paused = await holderOfARange();
    await paused.process.pause();
    await killSome(paused);
    await expectReplaced(paused);
    await expectNothingOf(paused);
    await expectMoved(tenant, documents);
    await observer.freshRound();
    expect(observer.violations).toEqual([]);
    expect(operator.isRunning).toBe(true);
  },
);
