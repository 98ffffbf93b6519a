import type { EventsV1Event } from '@kubernetes/client-node';
import type { StoredList } from '#src/kube/wire.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventRecord } from '#src/ports.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { EventRecorder } from '#src/runtime/events.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { openAdminClient } from './real-client.ts';

let cluster: Cluster;
let client: HttpKubeClient;

beforeAll(async () => {
  cluster = sharedCluster();
  client = await openAdminClient(cluster);
});

afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await cluster.dispose();
});

async function record(events: readonly EventRecord[]): Promise<RecordedMetrics> {
  const metrics = new RecordedMetrics();
  const recorder = new EventRecorder({
    client,
    reportingInstance: 'keyferry-0',
    clock: systemClock,
    logger: new RecordedLog(),
    metrics,
  });
  const stop = new AbortController();
  const running = recorder.run(stop.signal);
  for (const [index, event] of events.entries()) {
    recorder.record(event);
    await eventually('it is sent', () => metrics.value('keyferry_events_total') === index + 1, {
      deadlineMs: 10_000,
    });
  }
  stop.abort();
  await running;
  return metrics;
}

test('the real server accepts events and their series, and kubectl shows them at their object', async () => {
  const namespace = await cluster.createNamespace('events');
  const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'subject', uid: 'a-uid' };
  const event: EventRecord = {
    regarding,
    type: 'Warning',
    reason: 'PartiallyFailed',
    action: 'Migrate',
    note: '2 of 3 keys.',
  };
  const metrics = await record([event, event, { ...event, note: 'x'.repeat(3_000) }]);
  expect(metrics.value('keyferry_events_dropped_total')).toBe(0);
  const { items } = await cluster.kube<StoredList<EventsV1Event>>(
    'GET',
    `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
  );
  expect(items).toHaveLength(2);
  const repeated = items.find((item) => item.note === event.note);
  expect(repeated).toMatchObject({ reportingController: 'keyferry.io/operator', series: { count: 2 } });
  expect(items.find((item) => item.note !== event.note)?.note).toHaveLength(1_024);
  const shown = await cluster.kubectl([
    'get',
    'events',
    '-n',
    namespace,
    '--field-selector',
    'involvedObject.name=subject',
  ]);
  expect(shown.stdout).toContain('PartiallyFailed');
  expect(shown.stdout).toContain('2 of 3 keys.');
});

test('events about cluster-scoped objects are accepted too', async () => {
  const regarding = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name: 'default', uid: 'b-uid' };
  const metrics = await record([
    { regarding, type: 'Normal', reason: 'Ready', action: 'Probe', note: 'It answers.' },
  ]);
  expect(metrics.value('keyferry_events_dropped_total')).toBe(0);
});
