import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { uniqueName } from '#test/cluster/cluster.ts';
import { issueCertificate } from '#test/cluster/pki.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import type { Condition } from '#src/schema/meta.ts';
import { eventually } from '#test/support/eventually.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { eventOf } from '#test/support/queries.ts';
import { Tenant } from '#test/support/tenant.ts';

const cluster = sharedCluster();
const RBAC = join(import.meta.dirname, '../../../config/rbac/metrics-auth.yaml');
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
let folder: string;
let namespace: string;
let agent: Agent;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-ports-'));
  namespace = await cluster.createNamespace('ports');
  const authority = cluster.authority('kubernetes');
  const pair = await issueCertificate(authority, {
    commonName: 'metrics',
    dnsNames: ['localhost'],
    usages: ['server'],
  });
  writeFileSync(join(folder, 'tls.crt'), pair.certificate);
  writeFileSync(join(folder, 'tls.key'), pair.key);
  agent = new Agent({ connect: { ca: authority.certificate, servername: 'localhost' } });
});

afterAll(async () => {
  await agent.close();
  await cluster.kubectl(['delete', '-f', RBAC, '--ignore-not-found']);
  await cluster.kubeClient.reply('DELETE', `${BINDINGS}/${namespace}`);
  await cluster.dispose();
  rmSync(folder, { recursive: true });
});

async function scrape({ metricsUrl }: OperatorProcess, token?: string): Promise<number> {
  const url = metricsUrl.replace('http:', 'https:');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const reply = await request(url, { dispatcher: agent, headers });
  await reply.body.dump();
  return reply.statusCode;
}

it('serves metrics over TLS to a token with the right, by every replica, and to no other', async () => {
  const args = ['--metrics-secure', `--metrics-cert-path=${folder}`];
  const leaseName = uniqueName('ports');
  await using leader = await startOperator(cluster, { args, leaseName });
  await using standby = await startOperator(cluster, { args, leaseName });
  const token = await cluster.requestToken(namespace, 'default');
  expect(await scrape(leader, token)).toBe(500);
  const applied = await cluster.kubectl(['apply', '-f', RBAC]);
  expect(applied.stderr).toBe('');
  const forbidden = async (): Promise<boolean> => (await scrape(leader, token)) === 403;
  await eventually('the operator may review tokens', forbidden);

  const reader = uniqueName('reader');
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: reader } };
  await cluster.kube('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, account);
  await cluster.kube('POST', BINDINGS, {
    metadata: { name: namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'keyferry-metrics-reader' },
    subjects: [{ kind: 'ServiceAccount', name: reader, namespace }],
  });
  for (const replica of [leader, standby]) {
    const allowed = async (): Promise<boolean> =>
      (await scrape(replica, await cluster.requestToken(namespace, reader))) === 200;
    await eventually(`${replica.identity} gives its metrics`, allowed);
    expect(await scrape(replica, token)).toBe(403);
    expect(await scrape(replica, 'forged')).toBe(401);
    expect(await scrape(replica)).toBe(401);
  }
}, 60_000);

it('opens no debugger on SIGUSR1, and goes on', async () => {
  await using operator = await startOperator(cluster, { leaseName: uniqueName('ports') });
  const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${operator.pid}/status`, 'utf8'))?.[1];
  const SIGUSR1 = 1n << 9n;
  expect(BigInt(`0x${caught}`) & SIGUSR1).toBe(0n);
  operator.signal('SIGUSR1');
  await operator.waitUntilReady();
  expect(operator.logs()).not.toContain('Debugger');
});

it('replies to the kubelet while a client holds thousands of half-open connections', async () => {
  await using operator = await startOperator(cluster, { leaseName: uniqueName('ports') });
  const port = Number(new URL(operator.healthUrl).port);
  const sockets: Socket[] = [];
  try {
    let connected = 0;
    for (let count = 0; count < 6000; count += 1) {
      const socket = connect({ host: '127.0.0.1', port });
      socket.on('connect', () => (connected += 1)).on('error', () => undefined);
      sockets.push(socket);
      if (count % 100 === 99) {
        await eventually('they are connected', () => Promise.resolve(connected + 50 > count), {
          deadlineMs: 20_000,
        });
      }
    }
    const reply = await fetch(`${operator.healthUrl}/healthz`, { signal: AbortSignal.timeout(5000) });
    expect(reply.status).toBe(200);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}, 60_000);

it('says in the condition and in one event that a server leaks into its own audit log', async () => {
  const tenant = await Tenant.create(cluster);
  await using _operator = await startOperator(cluster, {
    leaseName: uniqueName('ports'),
    args: ['--probe-interval-seconds=1'],
  });
  const path = `/apis/keyferry.io/v1alpha1/namespaces/${tenant.namespace}/secretbackends/bao`;
  const message = await eventually('the backend is Ready', async () => {
    const { status } = await cluster.kube<{ status?: { conditions?: readonly Condition[] } }>('GET', path);
    return status?.conditions?.find(({ type, status: is }) => type === 'Ready' && is === 'True')?.message;
  });
  // The Vault of the tests is 1.13.0; an OpenBao that is given instead can be a corrected one.
  if (cluster.isOpenBao) return;
  expect(message).toContain('plain text into its own audit log (CVE-2025-62705)');
  expect(await eventOf(tenant, 'KnownVulnerability')).toMatchObject({ type: 'Warning' });
});
