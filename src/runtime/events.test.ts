import { beforeEach, describe, expect, test } from 'vitest';
import type { KubeRequest } from '#src/kube/client.ts';
import { isJsonObject } from '#src/kube/json.ts';
import { OperatorError } from '#src/errors.ts';
import type { EventRecord } from '#src/ports.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { EventRecorder } from './events.ts';

const event: EventRecord = {
  regarding: {
    apiVersion: 'keyferry.io/v1alpha1',
    kind: 'SecretMigration',
    namespace: 'ns',
    name: 'm',
    uid: 'u1',
  },
  type: 'Normal',
  reason: 'Completed',
  action: 'Migrate',
  note: '12 of 12 keys are verified.',
};

let clock: ManualClock;
let metrics: RecordedMetrics;
let client: ScriptedKubeClient;
let answer: (request: KubeRequest) => unknown;
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock();
  metrics = new RecordedMetrics();
  answer = () => ({});
  client = new ScriptedKubeClient((request) => answer(request));
  stop = new AbortController();
});

function recorder(capacity?: number): EventRecorder {
  const options = { client, reportingInstance: 'keyferry-0', clock, metrics, logger: new RecordedLog() };
  return new EventRecorder({
    ...options,
    newId: () => 'id',
    ...(capacity === undefined ? {} : { capacity }),
  });
}

const seriesCounts = (): unknown[] =>
  client.requests.map(({ body }) => {
    const series = isJsonObject(body) ? body['series'] : undefined;
    return isJsonObject(series) ? series['count'] : undefined;
  });

describe('EventRecorder', () => {
  describeSeries();
  describeSending();
});

function describeSeries(): void {
  test('aggregates repeats into a series: the second immediately, later ones at most every half minute', async () => {
    const events = recorder();
    void events.run(stop.signal);
    events.record(event);
    await settle();
    events.record(event);
    await settle();
    expect(seriesCounts()).toEqual([undefined, 2]);
    for (let repeat = 0; repeat < 100; repeat += 1) {
      events.record(event);
      await clock.advance(100);
    }
    expect(seriesCounts()).toEqual([undefined, 2]);
    await clock.advance(30_000);
    expect(seriesCounts()).toEqual([undefined, 2, 102]);
    expect(client.requests[1]).toMatchObject({
      method: 'PATCH',
      path: '/apis/events.k8s.io/v1/namespaces/ns/events/m.id',
    });
  });

  test('another note, reason or object is another event, and so is a repeat after six quiet minutes', async () => {
    const events = recorder();
    void events.run(stop.signal);
    events.record(event);
    events.record({ ...event, note: '11 of 12 keys are verified.' });
    events.record({ ...event, reason: 'PartiallyFailed' });
    events.record({ ...event, regarding: { ...event.regarding, uid: 'u2' } });
    await clock.advance(360_000);
    events.record(event);
    await settle();
    expect(client.requests.map((request) => request.method)).toEqual([
      'POST',
      'POST',
      'POST',
      'POST',
      'POST',
    ]);
  });

  test('creates a new Event when the old one no longer exists', async () => {
    answer = ({ method }) => {
      if (method === 'PATCH') throw new OperatorError('NOT_FOUND', { op: 'event.patch' });
      return {};
    };
    const events = recorder();
    void events.run(stop.signal);
    events.record(event);
    await settle();
    events.record(event);
    await settle();
    expect(client.requests.map((request) => request.method)).toEqual(['POST', 'PATCH', 'POST']);
    expect(seriesCounts()).toEqual([undefined, 2, 2]);
  });
}

function describeSending(): void {
  test('sends nothing more once the lease is lost', async () => {
    const events = recorder();
    const running = events.run(stop.signal);
    stop.abort(new OperatorError('LEASE_LOST', { op: 'test' }));
    events.record(event);
    await running;
    expect(client.requests).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('never throws or grows without bound: excess events are dropped and counted', () => {
    const events = recorder(10);
    for (let index = 0; index < 15; index += 1) events.record({ ...event, note: `note ${index}` });
    expect(metrics.value('keyferry_events_dropped_total')).toBe(5);
  });

  test('sends three times to a server that fails, once to a server that refuses', async () => {
    answer = () => {
      throw new OperatorError('SERVER_ERROR', { op: 'event.create' });
    };
    const events = recorder();
    void events.run(stop.signal);
    events.record(event);
    await clock.advance(10_000);
    expect(client.requests).toHaveLength(3);
    answer = () => {
      throw new OperatorError('AUTH_DENIED', { op: 'event.create' });
    };
    events.record({ ...event, note: 'other' });
    await clock.advance(10_000);
    expect(client.requests).toHaveLength(4);
    expect(metrics.value('keyferry_events_dropped_total')).toBe(2);
  });

  test('cuts a long note between characters', async () => {
    const events = recorder();
    void events.run(stop.signal);
    events.record({ ...event, note: `${'x'.repeat(1_023)}é` });
    await settle();
    expect(client.requests[0]?.body).toMatchObject({ note: 'x'.repeat(1_023) });
  });

  test('sends queued events when it is stopped, and leaves no timer', async () => {
    const events = recorder();
    events.record(event);
    stop.abort();
    await events.run(stop.signal);
    expect(client.requests).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('stops waiting for a hanging server after three seconds', async () => {
    answer = ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const events = recorder();
    events.record(event);
    const running = events.run(stop.signal);
    stop.abort();
    await clock.advance(3_000);
    await running;
  });
}
