import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { rangeOf } from '#src/core/ranges.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { readAuditLog } from '#test/cluster/audit.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { hasBuildah, TEST_IMAGE } from '#test/support/image-archive.ts';
import type { Rule } from '#test/support/proxy-rules.ts';
import { conditionOf, kvData, kvNames, pathOf, versionOf } from '#test/support/queries.ts';
import { grantsOfManifests, neededByAudited, unusedIn, type Grant } from '#test/support/rbac-rules.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { PodQuota } from './pod-quota.ts';
import { Site } from './site.ts';
import { failuresBefore, WorkerPods, type WorkerPod } from './worker-pods.ts';

/*
 * The pods of one large migration, made by the real controller of Jobs, with the chart's PodTemplate: what it makes of the Job, and of pods
 * that end in another way than by their work. test/integration/operator/ranges.test.ts and test/crash/ranges.test.ts play that controller.
 */

const DOCUMENTS = 40;
const PODS = 2;
const NAMES = Array.from({ length: DOCUMENTS }, (_, index) => `doc-${String(index).padStart(3, '0')}`);
const LARGE = { select: { prefix: 'doc-' }, parallelism: { pods: PODS } };
const WORKERS = '--set=workers.enabled=true';
const SETTINGS = [WORKERS, '--set=operator.statusIntervalSeconds=1'];
/** Documents of the range that are stored before one gets no answer. */
const ANSWERED = 3;
const { namespace: SYSTEM } = OPERATOR_ACCOUNT;

/** How a pod ends before its work does, and what the controller of Jobs makes of it. */
const ENDINGS: readonly {
  readonly what: string;
  readonly end: (workers: WorkerPods, victim: WorkerPod) => Promise<void>;
  readonly failures: number;
}[] = [
  {
    what: 'SIGKILL',
    end: async (workers, victim) => workers.signal(victim, 'SIGKILL'),
    failures: 1,
  },
  {
    what: 'a forced deletion',
    end: async (_workers, { metadata }) => {
      const forced = ['delete', 'pod', metadata.name, '-n', SYSTEM, '--force', '--grace-period=0'];
      const { code, stderr } = await site.cluster.kubectl([...forced, '--wait=false']);
      if (code !== 0) throw new Error(stderr);
    },
    failures: 1,
  },
  {
    what: 'an eviction',
    end: async (_workers, { metadata }) => {
      const { name } = metadata;
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: SYSTEM } };
      await site.cluster.kube('POST', `/api/v1/namespaces/${SYSTEM}/pods/${name}/eviction`, eviction);
    },
    failures: 0,
  },
];

const suite = sharedCluster();
let site: Site;
let bao: RecordingProxy;

beforeAll(async () => {
  if (!hasBuildah) return;
  site = await Site.open(suite, async (cluster) => {
    bao = await startProxy(cluster, 'bao');
    return bao.url;
  });
  await site.deploy('install', SETTINGS);
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await bao?.[Symbol.asyncDispose]();
  await suite.dispose();
});

async function planted(): Promise<Tenant> {
  const tenant = await site.tenant();
  for (const name of NAMES) await tenant.apply(aSecret(name, { value: `value of ${name}` }));
  return tenant;
}

async function started(tenant: Tenant): Promise<WorkerPods> {
  await tenant.apply(aMigration('large', LARGE));
  return new WorkerPods(site.cluster, (await tenant.migration('large')).metadata.uid);
}

interface Held {
  readonly rule: Rule;
  readonly release: () => void;
}

/** The server stores documents of the first range, and says so of some of them only, until they are released. */
function holdFirstRange(tenant: Tenant): Held {
  const { promise: until, resolve } = Promise.withResolvers<void>();
  const paths = NAMES.filter((name) => rangeOf(name, PODS) === 0).map(
    (name) => `/v1/${tenant.mount}/data/${pathOf(tenant, name)}`,
  );
  let writes = 0;
  const rule = bao.onRequest(
    ({ method, path }) => {
      if (method === 'GET' || !paths.includes(path)) return false;
      writes += 1;
      return writes > ANSWERED;
    },
    { kind: 'answer-late', until },
  );
  return {
    rule,
    release: () => {
      rule.remove();
      resolve();
    },
  };
}

async function expectMoved(tenant: Tenant, done: SecretMigration): Promise<void> {
  expect(done.status).toMatchObject({
    progress: `${DOCUMENTS}/${DOCUMENTS}`,
    summary: { total: DOCUMENTS, verified: DOCUMENTS },
    inventory: { selected: DOCUMENTS },
  });
  const rows = await tenant.rows('large');
  expect(rows.map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual(
    NAMES.map((name) => `${name} Verified`),
  );
  expect(await kvNames(tenant, tenant.namespace)).toEqual(NAMES);
  for (const name of NAMES) {
    expect(await kvData(tenant, pathOf(tenant, name))).toEqual({ value: `value of ${name}` });
    expect(await versionOf(tenant, name), name).toBe(1);
  }
}

const COMPLETED = { status: 'True', reason: 'Completed' } as const;

describe.skipIf(!hasBuildah)('a migration with spec.parallelism, on a node', () => {
  it('is moved by a pod for each range, and nothing of its Job is left', async () => {
    const tenant = await planted();
    const { rule, release } = holdFirstRange(tenant);
    const workers = await started(tenant);
    await rule.firstHit;
    const [running, ended] = [await workers.untilIn('Running', 0), await workers.untilIn('Succeeded', 1)];
    expect((await workers.pods()).map(({ metadata }) => metadata.name).toSorted()).toEqual(
      [running, ended].map(({ metadata }) => metadata.name).toSorted(),
    );
    for (const { spec } of [running, ended]) {
      expect(spec?.containers.map(({ image }) => image)).toEqual([TEST_IMAGE]);
      expect(spec?.serviceAccountName).toBe(OPERATOR_ACCOUNT.name);
    }
    await eventually('the migration shows one range', async () => {
      const ready = conditionOf(await tenant.migration('large'), 'Ready');
      return ready?.status !== 'True' && ready?.message.includes(`1 of ${PODS} ranges are done`);
    });
    expect(await workers.leases()).toHaveLength(1);
    release();
    await expectMoved(tenant, await tenant.untilReady('large', COMPLETED));
    await workers.untilNothing();
    expect(await workers.leases()).toEqual([]);
  });

  it('that is suspended and goes on at once has two pods of a range for a while, and one version of each document', async () => {
    const tenant = await planted();
    const { rule, release } = holdFirstRange(tenant);
    const workers = await started(tenant);
    await rule.firstHit;
    const slow = await workers.untilIn('Running', 0);
    workers.signal(slow, 'SIGSTOP');
    await tenant.mergePatch('SecretMigration', 'large', { spec: { suspend: true } });
    await tenant.untilReady('large', { reason: 'Suspended' });
    expect(await workers.jobs()).toEqual([]);
    await tenant.mergePatch('SecretMigration', 'large', { spec: { suspend: false } });
    const next = await workers.untilReplaced(slow);
    await eventually('both run', () => [slow, next].every((pod) => workers.processOf(pod) !== undefined));
    release();
    workers.signal(slow, 'SIGCONT');
    await expectMoved(tenant, await tenant.untilReady('large', COMPLETED));
    await workers.untilNothing();
    expect(await workers.leases()).toEqual([]);
  });

  it('says that no pod runs while a quota allows none, and completes range after range when it allows one', async () => {
    const tenant = await planted();
    await using quota = await PodQuota.create(site.cluster, 'workers');
    await quota.allow(0);
    const { rule, release } = holdFirstRange(tenant);
    const workers = await started(tenant);
    await eventually('the migration says so', async () => {
      const { message } = conditionOf(await tenant.migration('large'), 'Ready') ?? {};
      const [job] = await workers.jobs();
      const said = `0 of ${PODS} ranges are done, no pod of Job ${SYSTEM}/${job?.metadata.name} runs`;
      return job !== undefined && message?.includes(said);
    });
    await quota.allow(1);
    await rule.firstHit;
    const running = (await workers.pods()).filter(({ status }) => status?.phase !== 'Succeeded');
    expect(running).toHaveLength(1);
    release();
    await expectMoved(tenant, await tenant.untilReady('large', COMPLETED, 90_000));
    await workers.untilNothing();
  });

  it('that is deleted takes its pods with it', async () => {
    const tenant = await planted();
    const { rule, release } = holdFirstRange(tenant);
    const workers = await started(tenant);
    await rule.firstHit;
    await tenant.delete('SecretMigration', 'large');
    await workers.untilNothing();
    expect(await workers.leases()).toEqual([]);
    release();
  });
});

describe.skipIf(!hasBuildah)('a pod of a range that ends before its work does', () => {
  it.each(ENDINGS)(
    'by $what: its range has failures $failures, and another pod completes it with one version of each document',
    async ({ end, failures }) => {
      const tenant = await planted();
      const { rule, release } = holdFirstRange(tenant);
      const workers = await started(tenant);
      await rule.firstHit;
      const victim = await workers.untilIn('Running', 0);
      await end(workers, victim);
      await eventually('its process has ended', () => workers.processOf(victim) === undefined);
      release();
      const next = await workers.untilReplaced(victim);
      expect(failuresBefore(next)).toBe(failures);
      await expectMoved(tenant, await tenant.untilReady('large', COMPLETED, 90_000));
      await workers.untilNothing();
      expect(await workers.leases()).toEqual([]);
    },
  );
});

it.skipIf(!hasBuildah)('needs each right that workers.enabled adds, and no more', async () => {
  const others = grantsIn(await site.helm.template());
  const added = [...grantsIn(await site.helm.template([WORKERS]))].filter(([text]) => !others.has(text));
  const events = readAuditLog(site.cluster.folder);
  const refused = events.filter(({ responseStatus }) => responseStatus?.code === 403);
  expect(refused.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  const sent = events.flatMap((event) => neededByAudited(event) ?? []);
  expect(added).not.toEqual([]);
  expect(
    unusedIn(
      added.map(([, grant]) => grant),
      sent,
    ),
  ).toEqual([]);
});

/** By their text, to compare them. */
function grantsIn(manifests: readonly unknown[]): ReadonlyMap<string, Grant> {
  return new Map(grantsOfManifests(manifests).map((grant) => [JSON.stringify(grant), grant]));
}
