import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { KubernetesDriver } from '#src/backends/kubernetes/driver.ts';
import { selectorText } from '#src/core/label-selector.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { aDocument, codeOf, contentOf, presentIn, secretKey } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { anySelector, LABELED, selectedBy } from '#test/support/label-selectors.ts';
import { describeDriver } from './driver-suite.ts';
import type { TestStore } from './suite/subject.ts';
import { aNamespaceWithClient, CLOSED_PORT, credentialsWith, kubeClientWith } from './kube-client.ts';
import { requestsTo } from './request-log.ts';
import { permitted } from '#test/support/permit.ts';

const Claims = z.object({ aud: z.array(z.string()), exp: z.number() });

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

async function openTestStore(): Promise<TestStore> {
  const { namespace, client } = await aNamespaceWithClient(cluster, 'conformance');
  const stranger = await cluster.createNamespace('stranger');
  const strangerClient = kubeClientWith(cluster, await cluster.requestToken(stranger, 'default'));
  const nowhere = kubeClientWith(cluster, 'none', `https://127.0.0.1:${CLOSED_PORT}`);
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  return {
    driver: new KubernetesDriver(client, namespace),
    denied: new KubernetesDriver(strangerClient, namespace),
    unreachable: new KubernetesDriver(nowhere, namespace),
    traffic: (during) => requestsTo(cluster.apiserverUrl, during),
    recreate: async (address, field, text) => {
      await cluster.kube('DELETE', `${secrets}/${address}`);
      await cluster.kube('POST', secrets, { metadata: { name: address }, stringData: { [field]: text } });
    },
    createIllegal: async () => {
      await cluster.kube('POST', secrets, { metadata: { name: 'theirs.migrated-bak' } });
      return ['theirs.migrated-bak'];
    },
    [Symbol.asyncDispose]: async () => {
      for (const open of [client, strangerClient, nowhere]) await open[Symbol.asyncDispose]();
    },
  };
}

describeDriver({
  kind: 'kubernetes',
  keepsReflected: true,
  open: openTestStore,
  manyNames: 620,
  largeTextBytes: 1_048_576,
  tooLargeBytes: 1_048_577,
  fieldName: secretKey,
  hostileAddresses: [
    '',
    '.',
    '..',
    '../other/secrets/x',
    'a/b',
    '/a',
    'a%2fb',
    '%2e%2e',
    'a\\b',
    'a\tb',
    'a ',
    ' a',
    'a?b',
    'a#b',
    'Upper',
    'a..b',
    '-a',
    'a\0',
    'ünï',
    'a'.repeat(254),
  ],
});

let namespace: string;
let client: HttpKubeClient;
let driver: KubernetesDriver;
const { signal } = new AbortController();
const AUDIENCE = 'keyferry.io/openbao';

beforeAll(async () => {
  ({ namespace, client } = await aNamespaceWithClient(cluster, 'secrets'));
  driver = new KubernetesDriver(client, namespace);
});
afterAll(() => client[Symbol.asyncDispose]());

const secretsPath = (name = '') => `/api/v1/namespaces/${namespace}/secrets${name && `/${name}`}`;

describe('the kubernetes driver, beyond what all drivers share,', () => {
  describeLabels();
  describeAnnotations();
  describeRefusals();
  describeReading();
  describeEnds();
  describeCredentials();
});

const patch = async (name: string, body: object): Promise<unknown> =>
  cluster.kube('PATCH', secretsPath(name), body, { 'content-type': 'application/merge-patch+json' });

/** Claims, and Secrets whose end is decided. */
function describeEnds(): void {
  it('claims a Secret with another version, so that a removal with the older one fails', async () => {
    const version = await driver.write(aDocument('claimed', { a: '1' }), 'absent', permitted(signal));
    const claimed = await driver.claims.claim('claimed', version, 'uid.run-1', permitted(signal));
    expect(claimed.identity).toBe(version.identity);
    const found = presentIn(await driver.read('claimed', signal));
    expect(found.version).toEqual(claimed);
    expect(found.attributes).toEqual({});
    expect(await codeOf(driver.delete('claimed', version, permitted(signal)))).toBe('VERSION_CONFLICT');
    const again = driver.claims.claim('claimed', version, 'uid.run-2', permitted(signal));
    expect(await codeOf(again)).toBe('VERSION_CONFLICT');

    await driver.claims.release(
      (by) => by !== 'uid.run-1',
      permitted(signal),
      async () => [],
    );
    expect(presentIn(await driver.read('claimed', signal)).version).toEqual(claimed);
    await driver.claims.release(
      (by) => by === 'uid.run-1',
      permitted(signal),
      async () => [],
    );
    expect(await codeOf(driver.delete('claimed', claimed, permitted(signal)))).toBe('VERSION_CONFLICT');
    const released = await cluster.kube<{ metadata: { labels: object } }>('GET', secretsPath('claimed'));
    expect(released.metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'keyferry' });
  });

  it('reads that a Secret has an owner, and that a finalizer holds it', async () => {
    const owner = await cluster.kube<{ metadata: { uid: string } }>(
      'POST',
      `/api/v1/namespaces/${namespace}/configmaps`,
      { metadata: { name: 'owner' } },
    );
    await driver.write(aDocument('held', { a: '1' }), 'absent', permitted(signal));
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
    await patch('held', { metadata: { ownerReferences, finalizers: ['example.org/held'] } });
    const found = presentIn(await driver.read('held', signal));
    expect(found).toMatchObject({ owner: 'ConfigMap owner' });
    expect(found.isLeaving).toBeUndefined();
    await driver.delete('held', found.version, permitted(signal));
    expect(presentIn(await driver.read('held', signal)).isLeaving).toBe(true);
    await patch('held', { metadata: { finalizers: null } });
    expect(await driver.read('held', signal)).toEqual({ state: 'absent' });
  });

  it('reads that its namespace is being deleted', async () => {
    const ending = await aNamespaceWithClient(cluster, 'ending');
    const there = new KubernetesDriver(ending.client, ending.namespace);
    expect(await there.isLeaving(signal)).toBe(false);
    await there.write(aDocument('held', { a: '1' }), 'absent', permitted(signal));
    const path = `/api/v1/namespaces/${ending.namespace}`;
    await cluster.kube(
      'PATCH',
      `${path}/secrets/held`,
      { metadata: { finalizers: ['example.org/held'] } },
      { 'content-type': 'application/merge-patch+json' },
    );
    await cluster.kube('DELETE', path);
    expect(await there.isLeaving(signal)).toBe(true);
    await ending.client[Symbol.asyncDispose]();
  });
}

function describeLabels(): void {
  it('labels what it creates, and keeps other metadata when it replaces', async () => {
    const version = await driver.write(aDocument('labeled', { a: '1' }), 'absent', permitted(signal));
    await cluster.kube(
      'PATCH',
      secretsPath('labeled'),
      { metadata: { labels: { team: 'payments' }, annotations: { note: 'theirs' } } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(await codeOf(driver.write(aDocument('labeled', { a: '2' }), version, permitted(signal)))).toBe(
      'VERSION_CONFLICT',
    );
    const current = presentIn(await driver.read('labeled', signal)).version;
    await driver.write(aDocument('labeled', { a: '2' }), current, permitted(signal));
    const stored = await cluster.kube<{ metadata: Record<string, unknown> }>('GET', secretsPath('labeled'));
    expect(stored.metadata).toMatchObject({
      labels: { 'app.kubernetes.io/managed-by': 'keyferry', team: 'payments' },
      annotations: { note: 'theirs' },
    });
  });

  it('stores metadata as labels, and reads all labels as metadata except its own', async () => {
    const travels = new Map([
      ['team', 'payments'],
      ['example.org/empty', ''],
    ]);
    const document = aDocument('noted', { a: '1' }, { metadata: travels });
    await driver.write(document, 'absent', permitted(signal));
    expect(contentOf(presentIn(await driver.read('noted', signal)))).toEqual(contentOf(document));
    const { metadata } = await cluster.kube<{ metadata: Record<string, unknown> }>(
      'GET',
      secretsPath('noted'),
    );
    expect(metadata['labels']).toEqual({
      'app.kubernetes.io/managed-by': 'keyferry',
      ...Object.fromEntries(travels),
    });
  });

  it.each([
    ['with labels', { theirs: 'x', team: 'nobody' }],
    ['without any', undefined],
  ])('sets labels on a Secret %s, and removes none when it replaces', async (what, labels) => {
    const name = `relabeled-${what.replaceAll(' ', '-')}`;
    await cluster.kube('POST', secretsPath(), { metadata: { name, ...(labels && { labels }) } });
    const { version } = presentIn(await driver.read(name, signal));
    const document = aDocument(name, { a: '2' }, { metadata: new Map([['team', 'payments']]) });
    await driver.write(document, version, permitted(signal));
    const stored = await cluster.kube<{ metadata: Record<string, unknown> }>('GET', secretsPath(name));
    expect(stored.metadata['labels']).toEqual({ ...labels, team: 'payments' });
  });

  it('does not copy labels to a backup: other clients could find it by them', async () => {
    const document = aDocument('retired', { a: '1' }, { metadata: new Map([['team', 'payments']]) });
    const version = await driver.write(document, 'absent', permitted(signal));
    const backup = await driver.backups.retire('retired', version, permitted(signal));
    const stored = await cluster.kube<{ metadata: Record<string, unknown> }>('GET', secretsPath(backup));
    expect(stored.metadata['labels']).toEqual({
      'app.kubernetes.io/managed-by': 'keyferry',
      'keyferry.io/backup': 'true',
    });
  });
}

function describeAnnotations(): void {
  it('stores and reads annotations, but never a copy of the Secret or what is its own', async () => {
    const annotations = new Map([
      ['example.org/Note', 'a\nb'],
      ['empty', ''],
    ]);
    const document = aDocument('annotated', { a: '1' }, { annotations });
    await driver.write(document, 'absent', permitted(signal));
    const theirs = {
      'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"a":"MQ=="}}',
      'keyferry.io/projected-from': 'SecretBackend b x',
    };
    await cluster.kube(
      'PATCH',
      secretsPath('annotated'),
      { metadata: { annotations: theirs } },
      { 'content-type': 'application/merge-patch+json' },
    );
    const found = presentIn(await driver.read('annotated', signal));
    expect(contentOf(found)).toEqual(contentOf(document));
    const more = { ...document, attributes: { annotations: new Map([['more', 'x']]) } };
    await driver.write(more, found.version, permitted(signal));
    const stored = await cluster.kube<{ metadata: Record<string, unknown> }>('GET', secretsPath('annotated'));
    expect(stored.metadata['annotations']).toEqual({
      ...Object.fromEntries(annotations),
      ...theirs,
      more: 'x',
    });
  });

  it.each<[string, [string, string]]>([
    ['a name that is not one', ['not a name', 'x']],
    ['a name of its own', ['keyferry.io/backup-metadata', 'x']],
    ['a copy of the Secret', ['kubectl.kubernetes.io/last-applied-configuration', '{}']],
    ['more than the server takes', ['note', 'x'.repeat(256 * 1024 - 3)]],
  ])('refuses an annotation with %s before a request is sent', (_what, pair) => {
    const document = aDocument('refused', { a: '1' }, { annotations: new Map([pair]) });
    expect(driver.refusalOf(document)?.reason).toBe('MetadataRefused');
  });

  it('keeps labels and annotations in one annotation of a backup, which is not theirs', async () => {
    const attributes = { metadata: new Map([['team', 'web']]), annotations: new Map([['note', 'x']]) };
    const document = aDocument('noted-backup', { a: '1' }, attributes);
    const version = await driver.write(document, 'absent', permitted(signal));
    const backup = await driver.backups.retire('noted-backup', version, permitted(signal));
    const stored = await cluster.kube<{ metadata: Record<string, unknown> }>('GET', secretsPath(backup));
    expect(stored.metadata['annotations']).toEqual({
      'keyferry.io/backup-metadata': '{"labels":{"team":"web"},"annotations":{"note":"x"}}',
    });
  });
}

function describeRefusals(): void {
  it('refuses a document that expires before a request is sent', async () => {
    const document = aDocument('short-lived', { a: '1' }, { expiresAt: '2099-01-01T00:00:00Z' });
    expect(driver.refusalOf(document)?.reason).toBe('ExpiryRefused');
    const requests = await requestsTo(cluster.apiserverUrl, async () => {
      expect(await codeOf(driver.write(document, 'absent', permitted(signal)))).toBe('DOCUMENT_REFUSED');
    });
    expect(requests).toEqual([]);
  });

  it('reports as rejected what only the API server refuses', async () => {
    const broken = aDocument(
      'pull',
      // JSON, but not a number in Go.
      { '.dockerconfigjson': '{"n":1e999}' },
      { type: 'kubernetes.io/dockerconfigjson' },
    );
    expect(await codeOf(driver.write(broken, 'absent', permitted(signal)))).toBe('REQUEST_REJECTED');
    expect(await driver.read('pull', signal)).toEqual({ state: 'absent' });
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['kubernetes.io/tls', { 'tls.crt': '', 'tls.key': '' }],
    ['kubernetes.io/tls', { 'tls.crt': 'a' }],
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': ' {} ' }],
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{"auths":' }],
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '[]' }],
    ['kubernetes.io/dockerconfigjson', { other: '{}' }],
    ['kubernetes.io/dockercfg', { '.dockercfg': 'null' }],
    ['kubernetes.io/dockercfg', { '.dockercfg': '"text"' }],
    ['kubernetes.io/basic-auth', { password: '' }],
    ['kubernetes.io/basic-auth', { user: 'a' }],
    ['kubernetes.io/ssh-auth', { 'ssh-privatekey': 'a' }],
    ['kubernetes.io/ssh-auth', { 'ssh-privatekey': '' }],
  ])('agrees with the API server about type %s with %j', async (type, fields) => {
    const metadata = { generateName: 'typed-' };
    const path = `${secretsPath()}?dryRun=All`;
    const { status } = await cluster.kubeClient.reply('POST', path, { metadata, type, stringData: fields });
    const refusal = driver.refusalOf(aDocument('typed', fields, { type }));
    expect(refusal?.reason).toBe(status === 201 ? undefined : 'TypeRefused');
  });

  it.each([
    [undefined, 'example.org/a'],
    ['example.org/a', undefined],
    ['example.org/a', 'example.org/b'],
  ])('knows that the API server never changes a type: %j to %j', async (before, after) => {
    const typed = (type: string | undefined) =>
      aDocument('fixed', { a: '1' }, type === undefined ? {} : { type });
    const version = await driver.write(typed(before), 'absent', permitted(signal));
    expect(await codeOf(driver.write(typed(after), version, permitted(signal)))).toBe('REQUEST_REJECTED');
    expect(contentOf(presentIn(await driver.read('fixed', signal)))).toEqual(contentOf(typed(before)));
    await driver.delete('fixed', version, permitted(signal));
  });

  it('does not change an immutable Secret', async () => {
    const frozen = aDocument('frozen', { a: '1' }, { immutable: true });
    const version = await driver.write(frozen, 'absent', permitted(signal));
    const changed = aDocument('frozen', { a: '2' }, { immutable: true });
    expect(await codeOf(driver.write(changed, version, permitted(signal)))).toBe('DOCUMENT_IMMUTABLE');
    expect(contentOf(presentIn(await driver.read('frozen', signal)))).toEqual(contentOf(frozen));
  });

  it('knows that the API server accepts a type with spaces around it, and stores them', async () => {
    const type = ' kubernetes.io/service-account-token ';
    const stored = await cluster.kube<{ type: string }>('POST', secretsPath(), {
      metadata: { name: 'spaced' },
      type,
    });
    expect(stored.type).toBe(type);
  });

  it.each([
    'kubernetes.io/service-account-token',
    'bootstrap.kubernetes.io/token',
    'helm.sh/release.v1',
    ' kubernetes.io/service-account-token',
  ])('never creates a Secret of type %s', async (type) => {
    const document = aDocument('power', { a: 'b' }, { type });
    expect(driver.refusalOf(document)?.reason).toBe('TypeRefused');
    expect(await codeOf(driver.write(document, 'absent', permitted(signal)))).toBe('DOCUMENT_REFUSED');
  });

  it('does not list Secrets of refused types, and shows their type in a read', async () => {
    await cluster.kube('POST', secretsPath(), {
      metadata: { name: 'release-1' },
      type: 'helm.sh/release.v1',
      stringData: { release: 'x' },
    });
    const names = await collect(driver.list({ folder: '' }, signal));
    expect(names.map((entry) => entry.address)).not.toContain('release-1');
    expect(presentIn(await driver.read('release-1', signal)).attributes.type).toBe('helm.sh/release.v1');
    const many = Array.from({ length: 20 }, (_, index) => `none-${index}`);
    const outcomes = await collect(driver.readMany([...many, 'release-1'], signal));
    const release = outcomes.find((outcome) => outcome.address === 'release-1');
    expect(release).toHaveProperty('result.document.attributes.type', 'helm.sh/release.v1');
    expect(outcomes).toHaveLength(21);
  });
}

function describeReading(): void {
  it('selects by label on the server', async () => {
    await cluster.kube('POST', secretsPath(), { metadata: { name: 'chosen', labels: { pick: 'me' } } });
    const entries = await collect(driver.list({ folder: '', labelSelector: 'pick=me' }, signal));
    expect(entries).toEqual([{ address: 'chosen', labels: { pick: 'me' } }]);
  });

  it('selects by any label selector of a spec what metav1.LabelSelector selects', async () => {
    const { namespace: labeled, client: own } = await aNamespaceWithClient(cluster, 'labeled');
    await using _closed = own;
    for (const [name, labels] of Object.entries(LABELED)) {
      await cluster.kube('POST', `/api/v1/namespaces/${labeled}/secrets`, { metadata: { name, labels } });
    }
    const secrets = new KubernetesDriver(own, labeled);
    await fc.assert(
      fc.asyncProperty(anySelector, async (selector) => {
        const query = { folder: '', labelSelector: selectorText(selector) };
        for (const entries of [
          await collect(secrets.list(query, signal)),
          await collect(secrets.list({ ...query, leftOut: () => undefined }, signal)),
          await collect(secrets.versions(query, signal)),
        ]) {
          expect(entries.map(({ address }) => address).toSorted()).toEqual(selectedBy(selector));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('reads in bulk with at most a tenth of a request for each Secret', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `bulk-${index}`);
    for (const name of names) await driver.write(aDocument(name, { a: name }), 'absent', permitted(signal));
    const requests = await requestsTo(cluster.apiserverUrl, () => collect(driver.readMany(names, signal)));
    expect(requests.length).toBeLessThanOrEqual(names.length / 10);
  });

  it('reads pages of Secrets of the largest size', async () => {
    const names = Array.from({ length: 24 }, (_, index) => `huge-${index}`);
    const huge = Buffer.alloc(1_048_576, 1);
    const metadata = new Map([['size', 'huge']]);
    for (const name of names)
      await driver.write(aDocument(name, { huge }, { metadata }), 'absent', permitted(signal));
    const outcomes = await collect(
      driver.readMany(names, signal, { labelSelector: 'size=huge', listed: 24 }),
    );
    expect(outcomes.map((outcome) => outcome.address).toSorted()).toEqual(names.toSorted());
    for (const outcome of outcomes) expect(outcome).toHaveProperty('result.state', 'present');
  });
}

function describeCredentials(): void {
  it('finds permissions that are granted by name', async () => {
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    await cluster.kube('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      metadata: { name: 'strict' },
    });
    await cluster.kube('POST', `${rbac}/roles`, {
      metadata: { name: 'strict' },
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['mine'], verbs: ['get'] }],
    });
    await cluster.kube('POST', `${rbac}/rolebindings`, {
      metadata: { name: 'strict' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'strict' },
      subjects: [{ kind: 'ServiceAccount', name: 'strict', namespace }],
    });
    await using strict = kubeClientWith(cluster, await cluster.requestToken(namespace, 'strict'));
    const needs = ['mine', 'other'].map((address) => ({ address, verbs: ['read'] as const }));
    const refusals = await new KubernetesDriver(strict, namespace).denied(needs, signal);
    expect([...refusals.keys()]).toEqual(['other']);
  });

  describe('as a source of credentials', () => {
    it('reads one key of a Secret, and names what is missing', async () => {
      const credentials = credentialsWith(client);
      await driver.write(aDocument('token', { token: 't' }), 'absent', permitted(signal));
      const value = await credentials.readSecretKey(namespace, 'token', 'token', signal);
      expect(value.reveal().toString()).toBe('t');
      for (const [name, key] of [
        ['token', 'other'],
        ['absent', 'token'],
      ] as const) {
        expect(await codeOf(credentials.readSecretKey(namespace, name, key, signal))).toBe(
          'CREDENTIALS_MISSING',
        );
      }
    });

    it('gets a short-lived token of a ServiceAccount for an audience', async () => {
      const credentials = credentialsWith(client);
      const issued = await credentials.requestToken(namespace, 'default', [AUDIENCE], signal);
      const payload = issued.token.reveal().toString().split('.')[1] ?? '';
      const claims = Claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
      expect(claims.aud).toEqual([AUDIENCE]);
      expect(issued.expiresAt).toBe(claims.exp * 1000);
      expect(await codeOf(credentials.requestToken(namespace, 'nobody', [AUDIENCE], signal))).toBe(
        'CREDENTIALS_MISSING',
      );
    });
  });
}
