import { beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { KubeObject, KubeRequest, WatchEvent, WatchRequest } from '#src/kube/client.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient, untilAborted } from '#test/support/scripted-kube-client.ts';
import { NamespacesInformer } from './namespaces-informer.ts';

const resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const labels = { resource: 'secrets' };

function secret(key: string, resourceVersion = '1'): KubeObject {
  const [namespace, name = ''] = key.split('/');
  return { kind: 'Secret', metadata: { name, namespace, uid: `uid-${key}`, resourceVersion } };
}

let clock: ManualClock;
let metrics: RecordedMetrics;
let log: RecordedLog;
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock();
  metrics = new RecordedMetrics();
  log = new RecordedLog();
  stop = new AbortController();
});

function start(
  list: (namespace: string) => readonly KubeObject[],
  watch?: (request: WatchRequest, namespace: string) => AsyncIterable<WatchEvent>,
) {
  const namespaceOf = ({ path }: Pick<KubeRequest, 'path'>): string =>
    /\/namespaces\/([^/]+)\/secrets$/.exec(path)?.[1] ?? 'all';
  const client = new ScriptedKubeClient(
    (request) => ({
      kind: 'SecretList',
      metadata: { resourceVersion: '100' },
      items: list(namespaceOf(request)),
    }),
    (request) => watch?.(request, namespaceOf(request)) ?? untilAborted(request),
  );
  const informer = new NamespacesInformer<KubeObject>({
    client,
    selection: { resource },
    namespaces: ['a', 'b'],
    project: (object) => {
      if (object.metadata.name === 'bad') throw new TypeError('not of the schema');
      return object;
    },
    indexes: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
    clock,
    random: () => 0.5,
    logger: log,
    metrics,
  });
  const seen: string[] = [];
  informer.addHandler(({ old, current }) =>
    seen.push(`${current === undefined ? 'gone' : 'there'} ${(current ?? old)?.metadata.name}`),
  );
  const running = informer.run(stop.signal);
  return { client, informer, running, seen };
}

describe('the informer of some namespaces', () => {
  it('lists and watches each of them and nothing else, into one cache', async () => {
    const { client, informer } = start((namespace) => [secret(`${namespace}/x`), secret(`${namespace}/bad`)]);
    await informer.synced;
    expect([...informer.store.keys()].toSorted()).toEqual(['a/x', 'b/x']);
    expect(informer.store.byIndex('namespace', 'b')).toHaveLength(1);
    expect([...informer.unparsed.keys()].toSorted()).toEqual(['a/bad', 'b/bad']);
    expect(client.requests.map(({ path }) => path).toSorted()).toEqual([
      '/api/v1/namespaces/a/secrets',
      '/api/v1/namespaces/b/secrets',
    ]);
    expect(metrics.value('keyferry_informer_objects', labels)).toBe(2);
  });

  it('is synced when all of them are, and says which one is forbidden and what to grant', async () => {
    let mayList = false;
    const { informer } = start((namespace) => {
      if (namespace === 'b' && !mayList)
        throw new OperatorError('AUTH_DENIED', { op: 'kube.list', status: 403 });
      return [secret(`${namespace}/x`)];
    });
    await settle();
    expect(informer.hasSynced).toBe(false);
    expect([...informer.store.keys()]).toEqual(['a/x']);
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual([
      expect.objectContaining({
        resource: 'secrets',
        namespace: 'b',
        grant: 'list and watch on secrets in the namespace b',
      }),
    ]);
    mayList = true;
    await clock.advance(30_000);
    await informer.synced;
    expect(informer.hasSynced).toBe(true);
    expect([...informer.store.keys()].toSorted()).toEqual(['a/x', 'b/x']);
  });

  it('keeps the objects of the others when one lists again', async () => {
    let watches = 0;
    const { informer, seen } = start(
      (namespace) => (watches === 0 || namespace === 'b' ? [secret(`${namespace}/x-${namespace}`)] : []),
      (request, namespace) => {
        if (namespace === 'b' || watches > 0) return untilAborted(request);
        watches += 1;
        throw new OperatorError('WATCH_EXPIRED', { op: 'kube.watch' });
      },
    );
    await informer.synced;
    await clock.advance(30_000);
    expect([...informer.store.keys()]).toEqual(['b/x-b']);
    expect(seen).toEqual(['there x-a', 'there x-b', 'gone x-a']);
  });

  it('ends when its signal aborts', async () => {
    const { informer, running } = start(() => []);
    await informer.synced;
    stop.abort();
    await running;
  });
});
