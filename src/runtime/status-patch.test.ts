import { beforeEach, describe, expect, test } from 'vitest';
import { OperatorError } from '#src/errors.ts';
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
  let client: ScriptedKubeClient;
  let writer: StatusWriter;

  beforeEach(() => {
    client = new ScriptedKubeClient(() => migration({}, '2'));
    writer = new StatusWriter({ client, resource });
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

  test('sends nothing when nothing differs, whatever the order of members', async () => {
    const before = migration({ a: 1, b: { c: [1, { d: 2 }] } });
    expect(await writer.write(before, { b: { c: [1, { d: 2 }] }, a: 1 }, signal)).toEqual({
      state: 'unchanged',
    });
    expect(client.requests).toEqual([]);
  });

  test('a stamp goes with each write that something else causes, and causes none itself', async () => {
    const stamped = new StatusWriter({ client, resource, stamp: { operatorVersion: '2' } });
    const before = migration({ total: 2, operatorVersion: '1' });
    expect(await stamped.write(before, { total: 2, operatorVersion: '1' }, signal)).toEqual({
      state: 'unchanged',
    });
    await stamped.write(before, { total: 3, operatorVersion: '1' }, signal);
    expect(client.requests).toMatchObject([{ body: { status: { total: 3, operatorVersion: '2' } } }]);
  });

  test('an object that no longer exists is not an error, one that changed is', async () => {
    const failing = (code: 'NOT_FOUND' | 'VERSION_CONFLICT'): StatusWriter =>
      new StatusWriter({
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
