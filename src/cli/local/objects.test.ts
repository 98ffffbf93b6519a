import { describe, expect, it } from 'vitest';
import { resourceOf } from '#src/app/clients.ts';
import type { KubeObject } from '#src/kube/client.ts';
import type { JsonObject } from '#src/kube/json.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { StatusWriter } from '#src/runtime/status-patch.ts';
import { LocalObjects, type ObjectStore } from './objects.ts';

const { signal } = new AbortController();
const RESOURCE = resourceOf('SecretMigration');
const NAME = { name: 'm', namespace: 'default' };
const STORED: KubeObject & { readonly status: JsonObject } = {
  apiVersion: 'keyferry.io/v1alpha1',
  kind: 'SecretMigration',
  metadata: { ...NAME, uid: 'u', resourceVersion: '7', generation: 1 },
  status: { progress: '1/2', documents: 2 },
};

function open(store: ObjectStore = { write: async () => undefined }) {
  const client = new LocalObjects({ objects: [STORED], store, clock: { now: () => 0 } });
  return { client, objects: new ObjectClient(client, RESOURCE) };
}

describe('the objects of a run without a cluster', () => {
  it('are read, created and replaced as the API server does', async () => {
    const { objects } = open();
    expect(await objects.get(NAME, signal)).toEqual(STORED);
    expect(await objects.get({ ...NAME, name: 'other' }, signal)).toBeUndefined();
    const created = await objects.create({ metadata: { ...NAME, name: 'new', labels: { a: 'b' } } }, signal);
    expect(created.metadata).toMatchObject({ generation: 1, labels: { a: 'b' } });
    await expect(objects.create({ metadata: { ...NAME, name: 'new' } }, signal)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    const replaced = await objects.replace(
      { ...created, metadata: { ...created.metadata, labels: {} } },
      signal,
    );
    expect(replaced.metadata.labels).toEqual({});
    await expect(objects.replace(created, signal)).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
  });

  it('lose no write to a reader of an older version', async () => {
    const { client, objects } = open();
    const writer = new StatusWriter({ client, resource: RESOURCE });
    await writer.write(STORED, { progress: '2/2' }, signal);
    expect(await objects.get(NAME, signal)).toMatchObject({ status: { progress: '2/2' } });
    expect(await objects.get(NAME, signal)).not.toHaveProperty('status.documents');
    await expect(writer.write(STORED, { progress: '0/2' }, signal)).rejects.toMatchObject({
      code: 'VERSION_CONFLICT',
    });
  });

  it('show a write only once it is durable', async () => {
    const { client, objects } = open({ write: async () => Promise.reject(new Error('disk full')) });
    const writer = new StatusWriter({ client, resource: RESOURCE });
    await expect(writer.write(STORED, { progress: '2/2' }, signal)).rejects.toMatchObject({
      code: 'SERVER_ERROR',
    });
    expect(await objects.get(NAME, signal)).toEqual(STORED);
    expect(client.storeFailure).toBeInstanceOf(Error);
  });
});
