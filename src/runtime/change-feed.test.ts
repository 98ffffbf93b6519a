import { beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { WatchEvent, WatchRequest } from '#src/kube/client.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient, untilAborted } from '#test/support/scripted-kube-client.ts';
import { ChangeFeed, type ChangeListener } from './change-feed.ts';

const resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const labels = { resource: 'secrets' };

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

function event(type: 'ADDED' | 'MODIFIED' | 'DELETED', name: string, resourceVersion: string): WatchEvent {
  const metadata = { name, namespace: 'a', uid: `uid-${name}`, resourceVersion };
  return { type, object: { kind: 'PartialObjectMetadata', metadata } };
}

interface Scenario {
  readonly namespaces?: readonly string[];
  /** What the watches yield, one after the other; then nothing happens. */
  readonly watches?: readonly (readonly (WatchEvent | OperatorError)[])[];
  readonly listener?: Partial<ChangeListener>;
}

function start({ listener, namespaces, watches = [] }: Scenario) {
  const asked: string[] = [];
  const story: string[] = [];
  let version = 100;
  let opened = 0;
  const client = new ScriptedKubeClient(
    ({ path, query }) => {
      version += 1;
      asked.push(`list ${path} limit=${query?.['limit']}`);
      const items = [{ metadata: { name: 'first', namespace: 'a', uid: 'u', resourceVersion: '1' } }];
      return {
        kind: 'PartialObjectMetadataList',
        metadata: { resourceVersion: String(version), continue: 'more' },
        items,
      };
    },
    async function* watch(request: WatchRequest) {
      asked.push(`watch from ${request.query?.['resourceVersion']}`);
      opened += 1;
      for (const each of watches[opened - 1] ?? []) {
        if (each instanceof OperatorError) throw each;
        yield each;
      }
      yield* untilAborted(request);
    },
  );
  const feed = new ChangeFeed({
    client,
    selection: { resource, metadataOnly: true },
    namespaces,
    clock,
    random: () => 0.5,
    logger: log,
    metrics,
  });
  feed.addListener({
    changed: ({ metadata }, exists) => {
      story.push(`${metadata.name} ${metadata.resourceVersion} ${exists ? 'exists' : 'is gone'}`);
      listener?.changed?.({ metadata }, exists);
    },
    missed: (namespace) => void story.push(`missed changes in ${namespace ?? 'all'}`),
  });
  return { asked, feed, story, running: feed.run(stop.signal) };
}

describe('a feed of changes', () => {
  it('asks for one object to learn the version to watch from, however many there are, and tells what comes after', async () => {
    const watched = [event('ADDED', 'x', '102'), event('MODIFIED', 'x', '103'), event('DELETED', 'x', '104')];
    const { asked, feed, running, story } = start({ watches: [watched] });
    expect(feed.hasSynced).toBe(false);
    await feed.synced;
    await settle();
    expect(feed.hasSynced).toBe(true);
    expect(asked).toEqual(['list /api/v1/secrets limit=1', 'watch from 101']);
    expect(story).toEqual(['x 102 exists', 'x 103 exists', 'x 104 is gone']);
    stop.abort();
    await running;
  });

  it('goes on from the last version after a watch that broke, and has missed nothing', async () => {
    const broken = new OperatorError('BACKEND_UNREACHABLE', { op: 'kube.watch' });
    const { asked, story } = start({ watches: [[event('ADDED', 'x', '102'), broken]] });
    await clock.advance(30_000);
    expect(asked.slice(1)).toEqual(['watch from 101', 'watch from 102']);
    expect(story).toEqual(['x 102 exists']);
  });

  it('tells that it missed changes when the server does not know the version any more, before the changes that follow', async () => {
    const expired = new OperatorError('WATCH_EXPIRED', { op: 'kube.watch' });
    const { asked, story } = start({ watches: [[expired], [event('ADDED', 'x', '103')]] });
    await clock.advance(30_000);
    expect(asked).toEqual([
      'list /api/v1/secrets limit=1',
      'watch from 101',
      'list /api/v1/secrets limit=1',
      'watch from 102',
    ]);
    expect(story).toEqual(['missed changes in all', 'x 103 exists']);
    expect(metrics.value('keyferry_informer_failures_total', labels)).toBe(1);
  });

  it('watches each namespace on its own, and is synced when all are', async () => {
    const expired = new OperatorError('WATCH_EXPIRED', { op: 'kube.watch' });
    const { asked, feed, story } = start({ namespaces: ['a', 'b'], watches: [[expired]] });
    await feed.synced;
    expect(asked.filter((each) => each.startsWith('list'))).toEqual([
      'list /api/v1/namespaces/a/secrets limit=1',
      'list /api/v1/namespaces/b/secrets limit=1',
    ]);
    await clock.advance(30_000);
    expect(story).toEqual(['missed changes in a']);
  });

  it('counts a listener that fails, and goes on', async () => {
    const listener = {
      changed: () => {
        throw new TypeError('broken');
      },
    };
    const watched = [event('ADDED', 'x', '102'), event('ADDED', 'y', '103')];
    const { feed, story } = start({ listener, watches: [watched] });
    await feed.synced;
    await settle();
    expect(story).toEqual(['x 102 exists', 'y 103 exists']);
    expect(metrics.value('keyferry_informer_handler_errors_total', labels)).toBe(2);
  });
});
