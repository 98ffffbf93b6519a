import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '#test/cluster/cluster.ts';
import { JsonClient } from '#test/cluster/json-client.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import { RequestHistory } from '#test/support/request-history.ts';

let cluster: Cluster;
let mount: string;
let proxy: RecordingProxy;
let client: JsonClient;

beforeAll(async () => {
  cluster = sharedCluster();
  mount = await cluster.createMount('proxied');
});

beforeEach(async () => {
  proxy = await startProxy(cluster, 'bao');
  client = new JsonClient({
    origin: proxy.url,
    ca: cluster.baoCaPem,
    headers: { 'x-vault-token': cluster.rootToken, 'user-agent': 'proxy-test/1' },
  });
});

afterEach(async () => {
  await client.close();
  await proxy[Symbol.asyncDispose]();
});

afterAll(() => cluster.dispose());

async function write(name: string, value: string): Promise<unknown> {
  return await client.request('POST', `/v1/${mount}/data/${name}`, { data: { value } });
}

async function versionOf(name: string): Promise<number> {
  const reply = await cluster.baoClient.reply('GET', `/v1/${mount}/data/${name}`, undefined, {
    'x-vault-token': cluster.rootToken,
  });
  if (reply.status === 404) return 0;
  const body = await cluster.bao<{ data: { metadata: { version: number } } }>('GET', `${mount}/data/${name}`);
  return body.data.metadata.version;
}

describe('without a rule', () => {
  it('passes requests on and records what they were, when they came and when they were done', async () => {
    await write('a', 'one');
    const read = await client.request<{ data: object }>('GET', `/v1/${mount}/data/a?version=1`);
    expect(read.data).toMatchObject({ data: { value: 'one' } });
    const [first, second] = proxy.requests;
    expect(first).toMatchObject({ method: 'POST', path: `/v1/${mount}/data/a`, query: '', status: 200 });
    expect(second).toMatchObject({ method: 'GET', query: 'version=1', userAgent: 'proxy-test/1' });
    expect(first?.endSeq).toBeLessThan(second?.seq ?? 0);
    expect(first?.endedAt).toBeGreaterThanOrEqual(first?.arrivedAt ?? Infinity);
    expect(proxy.count({ method: 'POST', path: /\/data\// })).toBe(1);
    expect(proxy.count((request) => request.status === 200)).toBe(2);
  });

  it('keeps no bodies unless it is asked to', async () => {
    await write('b', 'canary');
    expect(proxy.requests[0]).not.toHaveProperty('body');
    const keeping = await startProxy(cluster, 'bao', { keepBodies: true });
    const direct = new JsonClient({ origin: keeping.url, ca: cluster.baoCaPem });
    await direct.reply('POST', '/v1/sys/capabilities-self', { paths: ['canary'] });
    expect(keeping.requests[0]?.body?.toString()).toContain('canary');
    await direct.close();
    await keeping[Symbol.asyncDispose]();
  });

  it('sends a hostile path on as the client wrote it', async () => {
    await client.reply('GET', `/v1/${mount}/data/f/%2e%2e/z`);
    expect(proxy.requests[0]?.path).toBe(`/v1/${mount}/data/f/%2e%2e/z`);
  });

  it('streams a watch event by event', async () => {
    const namespace = await cluster.createNamespace('watched');
    const history = new RequestHistory();
    const api = await startProxy(cluster, 'apiserver', { history });
    const token = await cluster.requestToken('keyferry-system', 'keyferry');
    const watching = cluster.kubectl([
      `--server=${api.url}`,
      `--token=${token}`,
      '--request-timeout=5s',
      'get',
      'secrets',
      `--namespace=${namespace}`,
      '--watch-only',
      '--output=name',
    ]);
    await eventually('the watch is open', () =>
      history.requests.some((request) => request.query.includes('watch=true') && request.status === 200),
    );
    await cluster.kube('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: 'seen' } });
    const watch = history.requests.find((request) => request.query.includes('watch=true'));
    expect(watch?.endSeq, 'the watch is still open').toBeUndefined();
    expect((await watching).stdout).toContain('secret/seen');
    await api[Symbol.asyncDispose]();
  });
});

describe('a rule', () => {
  it('drops a request before the server sees it', async () => {
    proxy.onRequest({ method: 'POST' }, { kind: 'drop-before' }, 1);
    await expect(write('dropped', 'x')).rejects.toThrow();
    expect(await versionOf('dropped')).toBe(0);
    await write('dropped', 'x');
    expect(await versionOf('dropped')).toBe(1);
  });

  it('loses the reply of a request that the server has applied', async () => {
    const rule = proxy.onRequest({ method: 'POST' }, { kind: 'drop-after' }, 1);
    await expect(write('applied', 'x')).rejects.toThrow();
    expect(await versionOf('applied')).toBe(1);
    expect(rule.hits).toBe(1);
    expect(proxy.requests[0]).toMatchObject({ status: 200 });
  });

  it('answers in place of the server', async () => {
    const headers = { 'retry-after': '1' };
    proxy.onRequest({ path: /\/answered$/ }, { kind: 'status', code: 429, body: { errors: [] }, headers });
    await expect(write('answered', 'x')).rejects.toMatchObject({ status: 429, body: { errors: [] } });
    expect(await versionOf('answered')).toBe(0);
  });

  it('holds a request until it is released', async () => {
    const { promise: until, resolve: release } = Promise.withResolvers<void>();
    const rule = proxy.onRequest({ method: 'POST' }, { kind: 'hold', until });
    const writing = write('held', 'x');
    const held = await rule.firstHit;
    expect(await versionOf('held')).toBe(0);
    expect(held.status).toBeUndefined();
    release();
    await writing;
    expect(await versionOf('held')).toBe(1);
  });

  it('changes what the server answers', async () => {
    await write('changed', 'true');
    proxy.onRequest({ method: 'GET' }, { kind: 'mutate', change: () => ({ data: 'changed' }) });
    expect(await client.request('GET', `/v1/${mount}/data/changed`)).toEqual({ data: 'changed' });
  });

  it('no longer applies once it is removed', async () => {
    const rule = proxy.onRequest({ method: 'POST' }, { kind: 'status', code: 500 });
    rule.remove();
    await write('removed', 'x');
    expect(await versionOf('removed')).toBe(1);
  });
});

it('orders the requests of two servers in one history', async () => {
  const history = new RequestHistory();
  const proxies = [
    await startProxy(cluster, 'apiserver', { history }),
    await startProxy(cluster, 'bao', { history }),
  ];
  const authorities = [cluster.apiserverCaPem, cluster.baoCaPem];
  for (const [index, each] of [...proxies, ...proxies].entries()) {
    const direct = new JsonClient({ origin: each.url, ca: authorities[index % 2] ?? '' });
    await direct.reply('GET', `/probe-${index}`);
    await direct.close();
  }
  expect(history.requests.map((request) => request.path)).toEqual([
    '/probe-0',
    '/probe-1',
    '/probe-2',
    '/probe-3',
  ]);
  for (const each of proxies) await each[Symbol.asyncDispose]();
});
