import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubernetesDriver } from '#src/backends/kubernetes/driver.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { openKubeconfigConnection } from '#src/kube/kubeconfig.ts';
import { HttpKubeClient } from '#src/kube/transport.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { collect } from '#test/support/collect.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { RecordedMetrics } from '#test/support/recorded.ts';

/*
 * A tenant fills a namespace with objects of the greatest size. 500 of them, a page of an informer, are 127 MB.
 */

const SECRETS = 300;
/** The limit of all annotations of an object is 256 KiB. */
const ANNOTATION_BYTES = 255_000;
const { signal } = new AbortController();
const MIB = 1024 * 1024;

describe('an operator in a cluster with very large annotations', () => {
  let cluster: Cluster;
  let namespace: string;
  let operator: OperatorProcess | undefined;

  beforeAll(async () => {
    cluster = sharedCluster();
    namespace = await cluster.createNamespace('large');
    const annotations = { note: 'x'.repeat(ANNOTATION_BYTES) };
    const numbers = Array.from({ length: SECRETS }, (_, index) => index);
    const created = mapConcurrently(numbers, 16, async (index) =>
      cluster.kube('POST', `/api/v1/namespaces/${namespace}/secrets`, {
        metadata: { name: `large-${index}`, annotations },
        stringData: { a: 'b' },
      }),
    );
    for await (const _one of created);
  });

  afterAll(async () => {
    await operator?.stop();
    await cluster.kube('DELETE', `/api/v1/namespaces/${namespace}/secrets`);
  });

  test('starts, stays small, and dumps no memory', async () => {
    operator = await startOperator(cluster, { leaseName: 'large-objects', logLevel: 'warn' });
    const status = readFileSync(`/proc/${operator.pid}/status`, 'utf8');
    const peakMib = (Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / MIB;
    expect(peakMib).toBeLessThan(300);
    expect(readFileSync(`/proc/${operator.pid}/coredump_filter`, 'utf8').trim()).toMatch(/^0+$/);
  });

  test('a driver lists and reads all of them', async () => {
    const connection = await openKubeconfigConnection({ path: cluster.kubeconfigPath, clock: systemClock });
    const metrics = new RecordedMetrics();
    const parts = { mandate: ALWAYS_HELD, clock: systemClock, random: Math.random, version: 'test' };
    await using client = new HttpKubeClient({ connection, metrics, ...parts });
    await using driver = new KubernetesDriver(client, namespace);
    const listed = await collect(driver.list({ folder: '', leftOut: () => undefined }, signal));
    expect(listed).toHaveLength(SECRETS);
    const names = listed.map(({ address }) => address);
    const read = await collect(driver.readMany(names, signal));
    expect(read.map(({ address }) => address).sort()).toEqual(names.sort());
    expect(read.every((each) => 'result' in each && each.result.state === 'present')).toBe(true);
  });
});
