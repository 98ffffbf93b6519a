import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubernetesDriver } from '#src/backends/kubernetes/driver.ts';
import type { Document, Version } from '#src/core/document.ts';
import { explain } from '#src/errors/explain.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { aDocument, codeOf, failureOf, presentIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { permitted } from '#test/support/permit.ts';
import { aNamespaceWithClient, kubeClientWith } from './kube-client.ts';
import { FaultProxy, type Fault } from './fault-proxy.ts';
import { requestsTo } from './request-log.ts';

/* What the Kubernetes driver does for Secrets that are kept in step, on a real API server. */

const cluster = sharedCluster();
let namespace: string;
let client: HttpKubeClient;
let driver: KubernetesDriver;
const { signal } = new AbortController();

beforeAll(async () => {
  ({ namespace, client } = await aNamespaceWithClient(cluster, 'targets'));
  driver = new KubernetesDriver(client, namespace);
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await cluster.dispose();
});

const secretsPath = (name = '') => `/api/v1/namespaces/${namespace}/secrets${name && `/${name}`}`;

const patch = async (name: string, body: object): Promise<unknown> =>
  cluster.kube('PATCH', secretsPath(name), body, { 'content-type': 'application/merge-patch+json' });

interface StoredSecret {
  readonly data?: Readonly<Record<string, string>>;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields: readonly { readonly manager: string; readonly fieldsV1: object }[];
  };
}

const storedAt = async (name: string): Promise<StoredSecret> =>
  cluster.kube<StoredSecret>('GET', secretsPath(name));

describe('the mark of a Secret that is kept in step', () => {
  const reflects = { version: { identity: '2026-11-27T16:52:13Z', revision: '7' } };

  it('stores what a Secret reflects in the request of its value, and leaves all other metadata', async () => {
    const theirs = { labels: { team: 'web' }, annotations: { note: 'theirs' } };
    await cluster.kube('POST', secretsPath(), { metadata: { name: 'reflecting', ...theirs } });
    const { version } = presentIn(await driver.read('reflecting', signal));
    const document = { ...aDocument('reflecting', { a: '2' }), reflects };
    const requests = await requestsTo(cluster.apiserverUrl, async () => {
      await driver.write(document, version, permitted(signal));
    });
    expect(requests.filter(({ method }) => method !== 'GET')).toHaveLength(1);
    const { metadata } = await storedAt('reflecting');
    expect(metadata.labels).toEqual(theirs.labels);
    expect(metadata.annotations).toEqual({
      note: 'theirs',
      'keyferry.io/reflects': `7 2026-11-27T16:52:13Z ${version.revision}`,
    });
  });

  it('removes a mark that is not true of the value that it writes, and no other annotation', async () => {
    const document = aDocument('unmarked', { a: '1' }, { annotations: new Map([['note', 'ours']]) });
    const version = await driver.write({ ...document, reflects }, 'absent', permitted(signal));
    await driver.write(aDocument('unmarked', { a: '2' }), version, permitted(signal));
    const { metadata } = await storedAt('unmarked');
    expect(metadata.annotations).toEqual({ note: 'ours' });
  });

  it('takes no other text for its mark, and leaves the mark out of a backup', async () => {
    const marked = { ...aDocument('forged', { a: '1' }), reflects };
    await driver.write(marked, 'absent', permitted(signal));
    await patch('forged', { metadata: { annotations: { 'keyferry.io/reflects': '7  x' } } });
    const forged = presentIn(await driver.read('forged', signal));
    expect([forged.reflects, forged.isMarked]).toEqual([undefined, undefined]);
    const again = await driver.write(marked, forged.version, permitted(signal));
    const backup = await driver.backups.retire('forged', again, permitted(signal));
    const { metadata } = await storedAt(backup);
    expect(metadata.annotations).toBeUndefined();
  });

  it('owns the fields that it writes as the field manager keyferry, and no others', async () => {
    await cluster.kube('POST', `${secretsPath()}?fieldManager=theirs`, {
      metadata: { name: 'managed', labels: { team: 'web' } },
      stringData: { a: '1' },
    });
    const { version } = presentIn(await driver.read('managed', signal));
    await driver.write({ ...aDocument('managed', { a: '2' }), reflects }, version, permitted(signal));
    const { metadata } = await storedAt('managed');
    const owned = new Map(metadata.managedFields.map(({ manager, fieldsV1 }) => [manager, fieldsV1]));
    expect([...owned.keys()].toSorted()).toEqual(['keyferry', 'theirs']);
    expect(owned.get('keyferry')).toMatchObject({
      'f:data': { 'f:a': {} },
      'f:metadata': { 'f:annotations': { 'f:keyferry.io/reflects': {} } },
    });
    expect(owned.get('keyferry')).not.toHaveProperty(['f:metadata', 'f:labels']);
  });
});

const DOCKER = 'kubernetes.io/dockerconfigjson';
const AT = '2026-11-27T20:00:00Z';
const permit = permitted(signal);

describe('the kept copy of a Secret', () => {
  it('has type and immutability of the original, and its labels and annotations as one text', async () => {
    const type = 'example.org/key';
    await cluster.kube('POST', secretsPath(), {
      metadata: { name: 'original', labels: { team: 'web' }, annotations: { note: 'theirs' } },
      type,
      immutable: true,
      stringData: { a: '1' },
    });
    const { version } = presentIn(await driver.read('original', signal));
    const copy = await driver.copies.keep('original', version, AT, permit);
    expect(copy).toBe(`original.keyferry-bak-${version.revision}`);
    const stored = await storedAt(copy);
    expect(stored).toMatchObject({ type, immutable: true, data: { a: 'MQ==' } });
    expect(stored.metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'keyferry',
      'keyferry.io/backup': 'true',
    });
    expect(stored.metadata.annotations).toEqual({
      'keyferry.io/backup-metadata': '{"labels":{"team":"web"},"annotations":{"note":"theirs"}}',
      'keyferry.io/backup-of': 'original',
      'keyferry.io/expires-at': AT,
    });
  });

  it('is counted as a backup by a listing, and is not the copy if another Secret has its name', async () => {
    const version = await driver.write(aDocument('taken', { a: '1' }), 'absent', permit);
    const name = `taken.keyferry-bak-${version.revision}`;
    const labels = { 'keyferry.io/backup': 'true' };
    await cluster.kube('POST', secretsPath(), { metadata: { name, labels }, stringData: { a: '2' } });
    const failure = await failureOf(driver.copies.keep('taken', version, AT, permit));
    expect(failure.code).toBe('ALREADY_EXISTS');
    expect(explain(failure)).toContain('Rename or delete the Secret that has the name of the backup');
    expect((await storedAt(name)).data).toEqual({ a: 'Mg==' });
    const leftOut: string[] = [];
    const query = { folder: '', leftOut: (reason: string) => void leftOut.push(reason) };
    const listed = await collect(driver.list(query, signal));
    expect(listed.map(({ address }) => address).filter((each) => each.includes('.keyferry-bak-'))).toEqual(
      [],
    );
    expect(leftOut).toContain('Backup');
  });

  it('is not a copy while it is being deleted', async () => {
    const version = await driver.write(aDocument('fading', { a: '1' }), 'absent', permit);
    const copy = await driver.copies.keep('fading', version, AT, permit);
    await patch(copy, { metadata: { finalizers: ['example.org/held'] } });
    await cluster.kube('DELETE', secretsPath(copy));
    expect(await codeOf(driver.copies.keep('fading', version, AT, permit))).toBe('ALREADY_EXISTS');
    await patch(copy, { metadata: { finalizers: null } });
    expect(await driver.copies.keep('fading', version, AT, permit)).toBe(copy);
  });

  it('has a name of 253 characters at most, another one for each long name', async () => {
    const long = ['a', 'b'].map((end) => `${'n'.repeat(222)}.${'x'.repeat(29)}${end}`);
    const copies = new Set<string>();
    for (const name of long) {
      const version = await driver.write(aDocument(name, { a: name }), 'absent', permit);
      const copy = await driver.copies.keep(name, version, AT, permit);
      expect(await driver.copies.keep(name, version, AT, permit)).toBe(copy);
      expect((await storedAt(copy)).metadata.annotations?.['keyferry.io/backup-of']).toBe(name);
      copies.add(copy);
    }
    expect([...copies].map((copy) => copy.length)).toEqual([252, 252]);
  });
});

describe('the end of a kept copy', () => {
  it('is the time in its own annotation, and of no other Secret', async () => {
    await using other = await aNamespaceWithClient(cluster, 'expiring').then(
      ({ client: own, namespace: name }) => ({
        secrets: new KubernetesDriver(own, name),
        path: `/api/v1/namespaces/${name}/secrets`,
        [Symbol.asyncDispose]: async () => own[Symbol.asyncDispose](),
      }),
    );
    const labels = { 'keyferry.io/backup': 'true' };
    const expired = { 'keyferry.io/expires-at': AT };
    for (const metadata of [
      { name: 'a.keyferry-bak-1', labels, annotations: expired },
      { name: 'b.keyferry-bak-1', labels, annotations: { 'keyferry.io/expires-at': '1' } },
      { name: 'c.keyferry-bak-1', labels },
      { name: 'd.keyferry-bak-1', annotations: expired },
      { name: 'e.keyferry-bak-1', labels: { 'keyferry.io/backup': 'false' }, annotations: expired },
      { name: 'f', labels, annotations: expired },
      { name: 'g.migrated-bak', labels, annotations: expired },
      { name: 'h.keyferry-bak-1', labels, annotations: { 'keyferry.io/expires-at': '2026-11-27T20:00:01Z' } },
    ])
      await cluster.kube('POST', other.path, { metadata });
    const discarded = await collect(other.secrets.copies.discardExpired(Date.parse(AT), permit));
    expect(discarded).toEqual([{ address: 'a.keyferry-bak-1' }]);
    const left = await cluster.kube<{ items: readonly StoredSecret[] }>('GET', other.path);
    expect(left.items.map(({ metadata }) => metadata.name)).toEqual([
      'b.keyferry-bak-1',
      'c.keyferry-bak-1',
      'd.keyferry-bak-1',
      'e.keyferry-bak-1',
      'f',
      'g.migrated-bak',
      'h.keyferry-bak-1',
    ]);
  });

  it('stays without the right to list: nothing is asked', async () => {
    const stranger = kubeClientWith(cluster, await cluster.requestToken(namespace, 'default'));
    await using _closed = stranger;
    const without = new KubernetesDriver(stranger, namespace);
    expect(await collect(without.copies.discardExpired(Date.parse(AT), permit))).toEqual([]);
  });
});

/** An immutable Secret that others gave an owner, a label and an annotation. */
async function anImmutable(name: string, finalizers: readonly string[] = []): Promise<Version> {
  const owner = { apiVersion: 'v1', kind: 'ServiceAccount', name: 'mover' };
  const { metadata } = await cluster.kube<{ metadata: { uid: string } }>(
    'GET',
    `/api/v1/namespaces/${namespace}/serviceaccounts/mover`,
  );
  await cluster.kube('POST', secretsPath(), {
    metadata: {
      name,
      finalizers,
      labels: { team: 'web' },
      annotations: { note: 'theirs' },
      ownerReferences: [{ ...owner, uid: metadata.uid }],
    },
    immutable: true,
    stringData: { a: '1' },
  });
  return presentIn(await driver.read(name, signal)).version;
}

/** The driver behind a proxy that has this plan for a create that stores something. */
async function withFaults<T>(
  plan: (creates: number) => Fault,
  use: (faulty: KubernetesDriver, proxy: FaultProxy) => Promise<T>,
): Promise<T> {
  await using proxy = await FaultProxy.start({ target: cluster.apiserverUrl, ca: cluster.apiserverCaPem });
  const bearer = await cluster.requestToken(namespace, 'mover');
  await using own = kubeClientWith(cluster, bearer, proxy.origin);
  let creates = 0;
  proxy.plan = ({ method, path }) => {
    if (method !== 'POST' || !path.endsWith('/secrets')) return 'pass';
    creates += 1;
    return plan(creates);
  };
  return await use(new KubernetesDriver(own, namespace), proxy);
}

describe('an immutable Secret that must change', () => {
  const changed = (name: string): Document => aDocument(name, { a: '2' });

  it('is created again with what others gave it', async () => {
    const version = await anImmutable('frozen');
    await driver.recreate(changed('frozen'), version, permit);
    expect(await storedAt('frozen')).toMatchObject({
      data: { a: 'Mg==' },
      immutable: true,
      metadata: {
        labels: { team: 'web' },
        annotations: { note: 'theirs' },
        ownerReferences: [{ kind: 'ServiceAccount', name: 'mover' }],
      },
    });
  });

  it('stays where the new Secret would be refused, or a finalizer holds it', async () => {
    const version = await anImmutable('refused');
    const broken = aDocument('refused', { '.dockerconfigjson': '{"n":1e999}' }, { type: DOCKER });
    expect(await codeOf(driver.recreate(broken, version, permit))).toBe('REQUEST_REJECTED');
    expect(presentIn(await driver.read('refused', signal)).version).toEqual(version);

    const held = await anImmutable('held', ['example.org/held']);
    const failure = await failureOf(driver.recreate(changed('held'), held, permit));
    expect(failure.code).toBe('DOCUMENT_IMMUTABLE');
    expect(explain(failure)).toContain('Remove metadata.finalizers');
    expect(presentIn(await driver.read('held', signal)).version).toEqual(held);
    await patch('held', { metadata: { finalizers: null } });
  });

  it('is there once, if the server fails a create or its reply is lost', async () => {
    for (const fault of [{ status: 500 }, 'lose-reply'] as const) {
      const name = `again-${typeof fault === 'string' ? fault : fault.status}`;
      const version = await anImmutable(name);
      const again = await withFaults(
        (creates) => (creates === 1 ? fault : 'pass'),
        async (faulty) => faulty.recreate(changed(name), version, permit),
      );
      const found = presentIn(await driver.read(name, signal));
      expect(found.version).toEqual(again);
      expect(found.fields.get('a')?.reveal().toString()).toBe('2');
    }
  });

  it('is gone with an error that says so if no create succeeds, and a write creates it', async () => {
    const version = await anImmutable('gone');
    await withFaults(
      () => ({ status: 500 }),
      async (faulty) => {
        const failure = await failureOf(faulty.recreate(changed('gone'), version, permit));
        expect(failure.code).toBe('SERVER_ERROR');
        expect(explain(failure)).toContain('was deleted and could not be created again');
      },
    );
    expect(await driver.read('gone', signal)).toEqual({ state: 'absent' });
    await driver.write(changed('gone'), 'absent', permit);
  });

  it('is not taken from another writer who creates it in between', async () => {
    const version = await anImmutable('raced');
    await withFaults(
      () => 'pass',
      async (faulty, proxy) => {
        proxy.meanwhile = async ({ method, path }) => {
          if (method !== 'POST' || !path.endsWith('/secrets')) return;
          await cluster.kube('POST', secretsPath(), { metadata: { name: 'raced' }, stringData: { a: '3' } });
        };
        expect(await codeOf(faulty.recreate(changed('raced'), version, permit))).toBe('VERSION_CONFLICT');
      },
    );
    expect((await storedAt('raced')).data).toEqual({ a: 'Mw==' });
  });
});

describe('a Secret that another program writes', () => {
  it('says which one, and a copy that Keyferry made does not', async () => {
    const labels = { 'controller.cert-manager.io/fao': 'true' };
    await cluster.kube('POST', secretsPath(), { metadata: { name: 'issued', labels } });
    const issued = presentIn(await driver.read('issued', signal));
    expect(issued.manager).toBe('cert-manager');
    await driver.write({ ...issued, address: 'issued-copy' }, 'absent', permit);
    const copy = presentIn(await driver.read('issued-copy', signal));
    expect(Object.fromEntries(copy.attributes.metadata ?? [])).toEqual(labels);
    expect(copy.manager).toBeUndefined();
  });
});
