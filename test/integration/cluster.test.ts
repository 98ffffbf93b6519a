import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attachCluster, startCluster, uniqueName, type Cluster } from '#test/cluster/cluster.ts';
import { JsonClient } from '#test/cluster/json-client.ts';
import { SERVER_NAMES } from '#test/cluster/state.ts';
import { readTools } from '#test/cluster/tools.ts';
import { eventually } from '#test/support/eventually.ts';

interface SelfReview {
  status: { userInfo: { username: string } };
}

interface Login {
  auth: { client_token: string };
}

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.enableKubernetesAuth();
});

afterAll(() => cluster.dispose());

async function writeConfigMap(namespace: string, metadata: object): Promise<{ metadata: { uid: string } }> {
  return await cluster.kube('POST', `/api/v1/namespaces/${namespace}/configmaps`, { metadata });
}

describe('the control plane', () => {
  it('answers kubectl as the pinned minor of Kubernetes', async () => {
    const namespaces = await cluster.kubectl(['get', 'namespaces', '-o', 'name']);
    expect(namespaces).toMatchObject({ code: 0, stderr: '' });
    expect(namespaces.stdout).toContain('namespace/kube-system');
    const { gitVersion } = await cluster.kube<{ gitVersion: string }>('GET', '/version');
    // The patch is the pinned one where the server was built; envtest publishes only some.
    const [major, minor] = readTools()['kube-apiserver'].version.split('.');
    expect(gitVersion).toMatch(new RegExp(`^v${major}\\.${minor}\\.\\d+$`));
  });

  it('hands kubectl its input and returns a failure as a result', async () => {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: uniqueName('piped') } };
    const applied = await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });
    expect(applied).toMatchObject({ code: 0, stdout: `namespace/${object.metadata.name} created\n` });
    const failed = await cluster.kubectl(['get', 'configmap', 'no-such', '-n', 'default']);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('NotFound');
  });

  it('shows a ServiceAccount its directory as a pod sees it, and knows its token', async () => {
    const namespace = await cluster.createNamespace('accounts');
    const directory = await cluster.serviceAccountDirectory(namespace, 'default');
    const read = (name: string): string => readFileSync(join(directory, name), 'utf8');
    expect(read('namespace')).toBe(namespace);
    const client = new JsonClient({ origin: cluster.apiserverUrl, ca: read('ca.crt') });
    const authorization = { authorization: `Bearer ${read('token')}` };
    const review = await client.request<SelfReview>(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      {},
      authorization,
    );
    expect(review.status.userInfo.username).toBe(`system:serviceaccount:${namespace}:default`);
    const secrets = await client.reply('GET', '/api/v1/secrets', undefined, authorization);
    expect(secrets.status, 'RBAC refuses what nobody granted').toBe(403);
    await client.close();
  });

  it('collects what an owner leaves behind', async () => {
    const namespace = await cluster.createNamespace('owners');
    const owner = await writeConfigMap(namespace, { name: 'owner' });
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid };
    await writeConfigMap(namespace, { name: 'owned', ownerReferences: [reference] });
    await cluster.kube('DELETE', `/api/v1/namespaces/${namespace}/configmaps/owner`);
    const owned = `/api/v1/namespaces/${namespace}/configmaps/owned`;
    await eventually(
      'the owned ConfigMap is gone',
      async () => (await cluster.kubeClient.reply('GET', owned)).status === 404,
    );
  });

  it('empties and removes a deleted namespace', async () => {
    const namespace = await cluster.createNamespace('doomed');
    await writeConfigMap(namespace, { name: 'inside' });
    await cluster.deleteNamespace(namespace);
    expect([...(await cluster.etcdEntries(`/registry/configmaps/${namespace}/`)).keys()]).toEqual([]);
  });

  it('shows what etcd itself stores', async () => {
    const namespace = await cluster.createNamespace('raw');
    await writeConfigMap(namespace, { name: 'seen', labels: { canary: 'yellow-bird' } });
    const entries = await cluster.etcdEntries(`/registry/configmaps/${namespace}/`);
    expect(entries.get(`/registry/configmaps/${namespace}/seen`)?.includes('yellow-bird')).toBe(true);
  });

  it('is refused by a client that trusts another authority', async () => {
    const wrong = new JsonClient({ origin: cluster.baoUrl, ca: cluster.apiserverCaPem });
    await expect(wrong.reply('GET', '/v1/sys/health')).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
    await wrong.close();
  });
});

describe('the KV server', () => {
  it('lets a ServiceAccount in through TokenReview, with exactly the rights of its role', async () => {
    const namespace = await cluster.createNamespace('login');
    const mount = await cluster.createMount('kv');
    const role = uniqueName('reader');
    await cluster.createKubernetesRole({
      role,
      serviceAccounts: ['default'],
      namespaces: [namespace],
      audience: 'openbao',
      policy: `path "${mount}/data/open" { capabilities = ["read"] }`,
    });
    await cluster.bao('POST', `${mount}/data/open`, { data: { key: 'value' } });
    await cluster.bao('POST', `${mount}/data/shut`, { data: { key: 'value' } });
    const jwt = await cluster.requestToken(namespace, 'default', { audiences: ['openbao'] });
    const { auth } = await cluster.bao<Login>('POST', 'auth/kubernetes/login', { role, jwt });
    const open = await cluster.bao<{ data: object }>(
      'GET',
      `${mount}/data/open`,
      undefined,
      auth.client_token,
    );
    expect(open.data).toMatchObject({ data: { key: 'value' } });
    const shut = cluster.bao('GET', `${mount}/data/shut`, undefined, auth.client_token);
    await expect(shut).rejects.toMatchObject({ status: 403 });
  });

  it('turns away a token of another audience and one of another ServiceAccount', async () => {
    const namespace = await cluster.createNamespace('login');
    const role = uniqueName('reader');
    await cluster.createKubernetesRole({
      role,
      serviceAccounts: ['default'],
      namespaces: [namespace],
      audience: 'openbao',
      policy: 'path "nothing" { capabilities = ["read"] }',
    });
    const refused = [
      await cluster.requestToken(namespace, 'default', { audiences: ['elsewhere'] }),
      await cluster.requestToken('default', 'default', { audiences: ['openbao'] }),
    ];
    for (const jwt of refused) {
      const login = cluster.bao('POST', 'auth/kubernetes/login', { role, jwt });
      await expect(login).rejects.toMatchObject({ status: 403 });
    }
  });

  it('gives a token the rights of its policy and no others', async () => {
    const mount = await cluster.createMount('kv');
    const token = await cluster.createToken(`path "${mount}/metadata/*" { capabilities = ["list"] }`);
    await cluster.bao('POST', `${mount}/data/folder/a`, { data: {} });
    const listed = await cluster.bao<{ data: object }>('LIST', `${mount}/metadata/folder`, undefined, token);
    expect(listed.data).toMatchObject({ keys: ['a'] });
    const read = cluster.bao('GET', `${mount}/data/folder/a`, undefined, token);
    await expect(read).rejects.toMatchObject({ status: 403 });
  });

  it('answers 503 while it is sealed and has everything once it is unsealed', async () => {
    const mount = await cluster.createMount('kv');
    await cluster.bao('POST', `${mount}/data/kept`, { data: { key: 'value' } });
    await cluster.seal();
    await expect(cluster.bao('GET', `${mount}/data/kept`)).rejects.toMatchObject({ status: 503 });
    await cluster.unseal();
    const kept = await cluster.bao<{ data: object }>('GET', `${mount}/data/kept`);
    expect(kept.data).toMatchObject({ data: { key: 'value' } });
  });
});

describe.each(SERVER_NAMES)('%s', (name) => {
  it('comes back with its data on the same address after kill -9', async () => {
    const namespace = await cluster.createNamespace('survivor');
    const mount = await cluster.createMount('kv');
    await cluster.bao('POST', `${mount}/data/kept`, { data: { key: 'value' } });
    await writeConfigMap(namespace, { name: 'kept' });
    const before = cluster.pid(name);
    await cluster.kill(name);
    expect(cluster.isRunning(name)).toBe(false);
    await cluster.restart(name);
    expect(cluster.pid(name)).not.toBe(before);
    await cluster.kube('GET', `/api/v1/namespaces/${namespace}/configmaps/kept`);
    const kept = await cluster.bao<{ data: object }>('GET', `${mount}/data/kept`);
    expect(kept.data).toMatchObject({ data: { key: 'value' }, metadata: { version: 1 } });
    await cluster.createNamespace('after');
  });

  it('answers nothing while it is paused, and the waiting request when it is resumed', async () => {
    const request = (): Promise<unknown> =>
      name === 'bao' ? cluster.bao('GET', 'sys/mounts') : cluster.kube('GET', '/api/v1/namespaces/default');
    await cluster.pause(name);
    let answered = false;
    const waiting = request().then(() => (answered = true));
    // Another server's reply is the measure of time: after a round of those the paused one would have answered.
    const serves = name === 'bao' ? cluster.kube('GET', '/version') : cluster.bao('GET', 'sys/mounts');
    if (name === 'bao' || name === 'apiserver') {
      await serves;
      expect(answered).toBe(false);
    }
    cluster.resume(name);
    await waiting;
    await serves;
  });
});

describe('another process', () => {
  it('uses the same cluster through its state file and can restart its servers', async () => {
    const other = attachCluster(cluster.stateFile);
    const namespace = await other.createNamespace('attached');
    await other.kill('apiserver');
    expect(cluster.isRunning('apiserver')).toBe(false);
    await other.restart('apiserver');
    await other.dispose();
    await cluster.kube('GET', `/api/v1/namespaces/${namespace}`);
    expect(cluster.isRunning('apiserver'), 'its dispose only closes its connections').toBe(true);
  });
});

describe('the program of the KV server', () => {
  it('lists documents as the demo shows them', async () => {
    const mount = await cluster.createMount('kv');
    await cluster.bao('POST', `${mount}/data/team/b`, { data: { key: 'value' } });
    await cluster.bao('POST', `${mount}/data/team/a`, { data: { key: 'value' } });
    const variables = { ADDR: cluster.baoUrl, TOKEN: cluster.rootToken, CACERT: cluster.baoCaPath };
    const prefix = cluster.isOpenBao ? 'BAO' : 'VAULT';
    const env = Object.entries(variables).map(([name, value]) => [`${prefix}_${name}`, value]);
    const { stdout } = await promisify(execFile)(cluster.baoProgram, ['kv', 'list', `${mount}/team`], {
      env: { HOME: cluster.folder, ...Object.fromEntries(env) },
    });
    expect(stdout).toBe('Keys\n----\na\nb\n');
  });
});
