import { beforeEach, describe, expect, test } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { StatusWriter, type WithStatus } from './status-patch.ts';

const resource = {
  group: 'keyferry.io',
  version: 'v1alpha1',
  plural: 'secretmigrations',
  kind: 'SecretMigration',
  namespaced: true,
};
const signal = new AbortController().signal;

function migration(status: object, resourceVersion = '1', uid = 'u1'): WithStatus {
  return { metadata: { name: 'm', namespace: 'ns', uid, resourceVersion }, status };
}

describe('StatusWriter', () => {
  let clock: ManualClock;
  let client: ScriptedKubeClient;
  let writer: StatusWriter;

  beforeEach(() => {
    clock = new ManualClock();
    client = new ScriptedKubeClient(() => migration({}, '2'));
    writer = new StatusWriter({ client, resource, clock });
  });

  test('sends only what differs, under the version and uid that were read', async () => {
    const before = migration({ progress: '1/2', message: 'x', total: 2 });
    const write = await writer.write(before, { progress: '2/2', total: 2, message: undefined }, signal);
    expect(write).toEqual({ state: 'written', object: migration({}, '2') });
    expect(client.requests).toMatchObject([
      {
        method: 'PATCH',
        path: '/apis/keyferry.io/v1alpha1/namespaces/ns/secretmigrations/m/status',
        contentType: 'application/merge-patch+json',
        body: { metadata: { uid: 'u1', resourceVersion: '1' }, status: { progress: '2/2', message: null } },
      },
    ]);
  });

  test('sends nothing when nothing differs, in whatever order the members come', async () => {
    const before = migration({ a: 1, b: { c: [1, { d: 2 }] } });
    expect(await writer.write(before, { b: { c: [1, { d: 2 }] }, a: 1 }, signal)).toEqual({
      state: 'unchanged',
    });
    expect(await writer.writeThrottled(before, { a: 1, b: { c: [1, { d: 2 }] } }, signal)).toEqual({
      state: 'unchanged',
    });
    expect(client.requests).toEqual([]);
  });

  test('writes progress of one object at most every five seconds', async () => {
    let written = 0;
    for (let ms = 0; ms < 20_000; ms += 100) {
      const outcome = await writer.writeThrottled(migration({ n: 0 }), { n: ms + 1 }, signal);
      if (outcome.state === 'written') written += 1;
      await clock.advance(100);
    }
    expect(written).toBe(4);
  });

  test('says when a deferred write may be tried, and does not mix up objects', async () => {
    await writer.writeThrottled(migration({ n: 0 }), { n: 1 }, signal);
    await clock.advance(2_000);
    expect(await writer.writeThrottled(migration({ n: 1 }), { n: 2 }, signal)).toEqual({
      state: 'deferred',
      afterMs: 3_000,
    });
    const other = await writer.writeThrottled(migration({ n: 1 }, '1', 'u2'), { n: 2 }, signal);
    expect(other.state).toBe('written');
  });

  test('writes a flip at once, and counts it as the last write', async () => {
    await writer.writeThrottled(migration({ n: 0 }), { n: 1 }, signal);
    expect((await writer.write(migration({ n: 1 }), { ready: true }, signal)).state).toBe('written');
    await clock.advance(4_999);
    expect((await writer.writeThrottled(migration({ n: 1 }), { n: 2 }, signal)).state).toBe('deferred');
  });

  test('an object that is gone is no error, one that has moved on is', async () => {
    const failing = (code: 'NOT_FOUND' | 'VERSION_CONFLICT'): StatusWriter =>
      new StatusWriter({
        clock,
        resource,
        client: new ScriptedKubeClient(() => {
          throw new OperatorError(code, { op: 'x' });
        }),
      });
    expect(await failing('NOT_FOUND').write(migration({}), { a: 1 }, signal)).toEqual({ state: 'gone' });
    await expect(failing('VERSION_CONFLICT').write(migration({}), { a: 1 }, signal)).rejects.toMatchObject({
      code: 'VERSION_CONFLICT',
    });
  });
});
