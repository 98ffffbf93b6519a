import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GROUP, KINDS, MIGRATION_UID_LABEL, VERSION } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { readTable } from '#src/cli/rows.ts';
import type { CachedObject } from '#src/runtime/store.ts';
import { OPERATOR_ACCOUNT, startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { JobPlayer, WORKER_TEMPLATE } from '#test/support/job-player.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { conditionOf, kvData, kvMetadata, kvNames, kvPut, requestRun } from '#test/support/queries.ts';
import { Tenant } from '#test/support/tenant.ts';

/*
 * A migration whose documents the pods of a Job move, seen from outside.
 */

const DOCUMENTS = 60;
const ARGS = ['--status-interval-seconds=1', '--waiting-retry-seconds=3600'];

let cluster: Cluster;
let operator: OperatorProcess;
let player: JobPlayer;

beforeAll(async () => {
  cluster = await startCluster({ report: () => undefined });
  await cluster.installKeyferry();
  player = await JobPlayer.open(cluster);
  operator = await startOperator(cluster, { args: [...ARGS, WORKER_TEMPLATE] });
});

afterAll(async () => {
  await player[Symbol.asyncDispose]();
  await operator.kill();
  await cluster.dispose();
});

async function planted(
  count = DOCUMENTS,
): Promise<{ readonly tenant: Tenant; readonly names: readonly string[] }> {
  const tenant = await Tenant.create(cluster);
  const names = Array.from({ length: count }, (_, index) => `doc-${String(index).padStart(3, '0')}`);
  for (const name of names) await tenant.apply(aSecret(name, { value: `value of ${name}` }));
  return { tenant, names };
}

async function jobsOf({ metadata }: SecretMigration): Promise<readonly unknown[]> {
  const path = `/apis/batch/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/jobs`;
  const selector = `${MIGRATION_UID_LABEL}=${metadata.uid}`;
  return (await cluster.kube<{ items: readonly unknown[] }>('GET', `${path}?labelSelector=${selector}`))
    .items;
}

/** Reports as a command reads them. */
function reportsOf() {
  const { plural } = KINDS.SecretMigrationReport;
  return {
    get: async ({ name, namespace = '' }: { readonly name: string; readonly namespace?: string }) => {
      const path = `/apis/${GROUP}/${VERSION}/namespaces/${namespace}/${plural}/${name}`;
      const { body, status } = await cluster.kubeClient.reply('GET', path);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reader parses it
      return status === 200 ? (body as CachedObject) : undefined;
    },
  };
}

const LARGE = { select: { prefix: 'doc-' }, parallelism: { pods: 3 } };

describe('a migration with spec.parallelism', () => {
  it('is moved by the pods of a Job, and completes when every range has told its end', async () => {
    const { tenant, names } = await planted();
    await tenant.apply(aMigration('large', LARGE));
    const done = await tenant.untilReady('large');
    expect(done.status).toMatchObject({
      progress: `${DOCUMENTS}/${DOCUMENTS}`,
      summary: { total: DOCUMENTS, verified: DOCUMENTS },
      documents: DOCUMENTS,
      keysTruncated: true,
      exceptions: [],
      reports: { rows: DOCUMENTS },
    });
    const { discovered = 0, selected } = done.status.inventory ?? {};
    const leftOut = done.status.inventory?.leftOut?.reduce((sum, { documents }) => sum + documents, 0) ?? 0;
    expect(selected).toBe(DOCUMENTS);
    expect(discovered).toBe(DOCUMENTS + leftOut);
    for (const name of names) {
      expect(await kvData(tenant, `${tenant.namespace}/${name}`)).toEqual({ value: `value of ${name}` });
      expect((await kvMetadata(tenant, `${tenant.namespace}/${name}`))?.current_version).toBe(1);
    }
    const rows = await tenant.rows('large');
    expect(rows.map(({ name }) => name).toSorted()).toEqual(names);
    await eventually('the Job is gone', async () => (await jobsOf(done)).length === 0);
  });

  it('has a table that commands read whole', async () => {
    const { tenant, names } = await planted();
    await tenant.apply(aMigration('large', LARGE));
    const migration = await tenant.untilReady('large');
    const reports = { objects: () => reportsOf() };
    const table = await readTable(reports, migration, new AbortController().signal);
    expect(table).toMatchObject({ isComplete: true });
    expect(table.rows.map(({ name }) => name)).toEqual(names);
  });

  it('writes no document again when it runs again, and answers the request', async () => {
    const { tenant, names } = await planted(12);
    await tenant.apply(aMigration('large', LARGE));
    await tenant.untilReady('large');
    await requestRun(tenant, 'large');
    await tenant.untilReady('large');
    for (const name of names)
      expect((await kvMetadata(tenant, `${tenant.namespace}/${name}`))?.current_version).toBe(1);
  });

  it('shows a conflict of one range, and is not Completed', async () => {
    const { tenant } = await planted(12);
    await kvPut(tenant, `${tenant.namespace}/doc-003`, { value: 'of another' });
    await tenant.apply(aMigration('large', LARGE));
    const done = await tenant.untilReady('large', { status: 'False', reason: 'ConflictsFound' });
    expect(done.status.summary).toMatchObject({ total: 12, verified: 11, conflict: 1 });
    expect(done.status.exceptions?.map(({ name }) => name)).toEqual(['doc-003']);
    expect(await kvData(tenant, `${tenant.namespace}/doc-003`)).toEqual({ value: 'of another' });
    await tenant.delete('SecretMigration', 'large');
  });

  it('has no Job while it is suspended, and none when it is deleted', async () => {
    const { tenant } = await planted(12);
    await tenant.apply(aMigration('large', { ...LARGE, suspend: true }));
    const suspended = await tenant.untilReady('large', { reason: 'Suspended' });
    expect(await jobsOf(suspended)).toEqual([]);
    await tenant.mergePatch('SecretMigration', 'large', { spec: { suspend: false } });
    await eventually('there is a Job', async () => (await jobsOf(suspended)).length === 1);
    await tenant.delete('SecretMigration', 'large');
    await eventually('the Job is gone', async () => (await jobsOf(suspended)).length === 0);
  });

  it('is refused between two places of one store', async () => {
    const { tenant } = await planted(1);
    await tenant.apply(
      anOpenBaoBackend({
        name: 'other-bao',
        address: cluster.baoUrl,
        mount: tenant.mount,
        tokenSecret: 'bao-token',
        caBundle: cluster.baoCaPem,
        pathPrefix: 'elsewhere',
      }),
    );
    await tenant.apply(
      aMigration('large', { from: 'bao', to: 'other-bao', select: { all: true }, parallelism: { pods: 2 } }),
    );
    const refused = await tenant.untilReady('large', { status: 'False', reason: 'CapabilityMissing' });
    expect(conditionOf(refused, 'Ready')?.message).toContain('spec.parallelism needs two stores');
    await tenant.delete('SecretMigration', 'large');
  });
});

it('is not Completed when pods fail, and names the Job; a PodTemplate that is not there is said, too', async () => {
  const template = `/api/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/podtemplates/keyferry-worker`;
  const broken = { name: 'worker', args: ['worker', '--no-such-flag'] };
  const patch = { 'content-type': 'application/strategic-merge-patch+json' };
  await cluster.kube('PATCH', template, { template: { spec: { containers: [broken] } } }, patch);
  const { tenant } = await planted(6);
  await tenant.apply(aMigration('large', LARGE));
  const failed = await tenant.untilReady('large', { status: 'False', reason: 'RangeFailed' });
  expect(conditionOf(failed, 'Ready')?.message).toContain(
    `3 of 3 ranges have no end: 0,1,2 (Job ${OPERATOR_ACCOUNT.namespace}/keyferry-${failed.metadata.uid})`,
  );
  expect(conditionOf(failed, 'Succeeded')?.status).toBe('Unknown');
  expect(await kvNames(tenant, '')).toEqual([]);
  await cluster.kube('DELETE', template);
  await tenant.mergePatch('SecretMigration', 'large', { spec: { conflictPolicy: 'KeepDestination' } });
  const waiting = await tenant.untilReady('large', { status: 'False', reason: 'FlagMissing' });
  expect(conditionOf(waiting, 'Ready')?.message).toContain('The PodTemplate does not exist (PodTemplate');
});

it('without --worker-template, a migration with spec.parallelism says what to set', async () => {
  await operator.stop();
  operator = await startOperator(cluster, { args: ARGS });
  const { tenant } = await planted(1);
  await tenant.apply(aMigration('large', LARGE));
  const waiting = await tenant.untilReady('large', { status: 'False', reason: 'FlagMissing' });
  expect(conditionOf(waiting, 'Ready')?.message).toContain('set --worker-template');
  expect(await jobsOf(waiting)).toEqual([]);
});
