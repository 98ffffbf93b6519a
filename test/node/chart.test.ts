import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { CHART } from '#test/support/helm.ts';
import { hasBuildah } from '#test/support/image-archive.ts';
import { kvData, pathOf, statesOf, versionOf } from '#test/support/queries.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { moves, Site } from './site.ts';

/*
 * The life of a release with its operator in a pod: what a user does with Helm, from the first installation to the last.
 * test/integration/chart/install.test.ts has what needs no pod, with both versions of Helm.
 */

const LOGIN = { username: 'app', password: 'päss\nword ' };
const DEFAULT_BACKEND = `/apis/${API_VERSION}/clustersecretbackends/kubernetes`;
const TEST = ['test', 'keyferry', '--namespace=keyferry-system', '--timeout=60s'];

const suite = sharedCluster();
let site: Site;
let tenant: Tenant;

afterAll(async () => suite.dispose());

describe.skipIf(!hasBuildah)('the chart on a node', () => {
  beforeAll(async () => {
    site = await Site.open(suite);
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
  });

  it('is installed in a namespace with Pod Security restricted, and Helm waits until the operator is ready', async () => {
    await site.deploy('install', [], previousChart(join(site.folder, 'previous')));
    expect(await site.readyReplicas()).toBe(1);
    expect(await site.cluster.kube('GET', DEFAULT_BACKEND)).toBeDefined();
  });

  it('copies a Secret to OpenBao, projects it back, and a workload gets its environment and its volume from it', async () => {
    tenant = await site.tenant();
    await tenant.apply(aSecret('login', LOGIN));
    await tenant.apply(aMigration('copy'));
    await tenant.untilReady('copy');
    expect(await kvData(tenant, pathOf(tenant, 'login'))).toEqual(LOGIN);
    await tenant.apply(aMigration('copy', { sourcePolicy: 'Project' }));
    await tenant.untilReady('copy');
    expect(await statesOf(tenant, 'copy')).toEqual({ login: 'Verified Projected' });
    const pod = await site.node.runPod({
      namespace: tenant.namespace,
      name: 'workload',
      env: { KF_PASSWORD: { secret: 'login', key: 'password' } },
      volumes: ['login'],
    });
    expect(pod.printed.env['KF_PASSWORD']).toEqual(Buffer.from(LOGIN.password));
    expect(pod.printed.files['login/username']).toEqual(Buffer.from(LOGIN.username));
    expect(pod.printed.files['login/password']).toEqual(Buffer.from(LOGIN.password));
  });

  it('is upgraded from the chart before, and no row and no value is lost or written again', async () => {
    const before = await everythingOf(tenant);
    await site.deploy('upgrade', ['--reset-then-reuse-values', '--set=replicas=2']);
    expect(await site.readyReplicas()).toBe(2);
    await moves(tenant, 'after-upgrade');
    await tenant.untilReady('copy');
    const { login, rows, version } = await everythingOf(tenant);
    expect({ login, rows, version }).toEqual(before);
  });

  it('passes helm test, which fails when no operator is ready', async () => {
    const passed = await site.helm.run([...TEST]);
    expect(passed.stdout).toMatch(/^Phase:\s+Succeeded$/m);
    expect(passed.code).toBe(0);
    await site.cluster.kubectl(['scale', 'deployment/keyferry', '-n', 'keyferry-system', '--replicas=0']);
    const failed = await site.helm.run([...TEST, '--logs']);
    expect(failed.code).not.toBe(0);
    expect(`${failed.stdout}${failed.stderr}`).toContain('The operator is not ready: kubectl describe');
  });

  it('that is uninstalled leaves migrations and Secrets, and works with them when it is installed again', async () => {
    const before = await everythingOf(tenant);
    await site.uninstall();
    expect(await everythingOf(tenant)).toEqual(before);
    await site.deploy('install');
    await moves(tenant, 'after-installation');
    await tenant.untilReady('copy');
    expect(await everythingOf(tenant)).toEqual(before);
  });
});

/** The Secret as the API server has it, the rows of its migration, and the version of its copy. */
async function everythingOf(of: Tenant) {
  const login = await of.secret('login');
  expect(login).toBeDefined();
  return { login, rows: await of.rows('copy'), version: await versionOf(of, 'login') };
}

/** The chart as a release before might have had it: an older version, and without one group of values and what renders it. */
function previousChart(folder: string): string {
  cpSync(CHART, folder, { recursive: true });
  edit(join(folder, 'Chart.yaml'), (text) => text.replace(/^version: .*$/m, 'version: 0.0.9'));
  edit(join(folder, 'values.yaml'), (text) => without(text, /^podDisruptionBudget:\n(?: .*\n)+/m));
  edit(join(folder, 'values.schema.json'), (text) => {
    const schema: { properties: Record<string, unknown> } = JSON.parse(text);
    delete schema.properties['podDisruptionBudget'];
    return JSON.stringify(schema);
  });
  edit(join(folder, 'templates/deployment.yaml'), (text) =>
    without(text, /^\{\{- if and \.Values\.podDisruptionBudget[^]*/m),
  );
  return folder;
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

function without(text: string, part: RegExp): string {
  const rest = text.replace(part, '');
  if (rest === text) throw new Error(`the chart no longer has ${part.source}`);
  return rest;
}
