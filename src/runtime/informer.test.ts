import { beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject, KubeRequest, WatchEvent, WatchRequest } from '#src/kube/client.ts';
import { OperatorError } from '#src/errors.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { endedAtOnce, ScriptedKubeClient, untilAborted } from '#test/support/scripted-kube-client.ts';
import { Informer, type Change } from './informer.ts';
import type { Selection } from './listing.ts';
import { objectKey } from './store.ts';

const resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const labels = { resource: 'secrets' };

function secret(name: string, resourceVersion: string, uid = `uid-${name}`): KubeObject {
  return { kind: 'Secret', metadata: { name, namespace: 'ns', uid, resourceVersion } };
}

function listOf(items: readonly object[], kind = 'SecretList'): object {
  return { kind, metadata: { resourceVersion: '100' }, items };
}

let clock: ManualClock;
let metrics: RecordedMetrics;
let log: RecordedLog;
let story: string[];
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock();
  metrics = new RecordedMetrics();
  log = new RecordedLog();
  story = [];
  stop = new AbortController();
});

interface Scenario {
  readonly list: (request: KubeRequest) => unknown;
  readonly watch?: (request: WatchRequest) => AsyncIterable<WatchEvent>;
  readonly selection?: Partial<Selection>;
  readonly project?: (object: KubeObject) => KubeObject;
  readonly random?: () => number;
}

function start(scenario: Scenario): {
  readonly informer: Informer<KubeObject>;
  readonly running: Promise<void>;
} {
  const client = new ScriptedKubeClient(scenario.list, scenario.watch);
  const informer = new Informer<KubeObject>({
    client,
    selection: { resource, ...scenario.selection },
    project: scenario.project ?? ((object) => object),
    clock,
    random: scenario.random ?? (() => 0.5),
    logger: log,
    metrics,
  });
  informer.addHandler((change) => story.push(describeChange(informer, change)));
  return { informer, running: informer.run(stop.signal) };
}

/** Also proves that the cache changes before the handler runs. */
function describeChange(
  informer: Informer<KubeObject>,
  { old, current, initial }: Change<KubeObject>,
): string {
  const subject = current ?? old;
  if (subject === undefined) throw new Error('neither old nor current');
  expect(informer.store.get(objectKey(subject.metadata))).toBe(current);
  const verb = old === undefined ? 'add' : current === undefined ? 'delete' : 'update';
  return `${verb} ${subject.metadata.name}@${subject.metadata.uid}${initial ? ' initially' : ''}`;
}

/** A server whose first watch fails with 410 and whose second list is `second`. */
function relisting(first: readonly object[], second: readonly object[]): Scenario {
  let lists = 0;
  let watches = 0;
  return {
    list: () => ((lists += 1) === 1 ? listOf(first) : listOf(second)),
    watch: (request) => {
      watches += 1;
      if (watches > 1) return untilAborted(request);
      throw new OperatorError('WATCH_EXPIRED', { op: 'kube.watch' });
    },
  };
}

describe('the log of an informer says what to do', () => {
  const refusals = async (error: OperatorError, selection: Partial<Selection> = {}) => {
    const { running } = start({
      selection,
      list: () => {
        throw error;
      },
    });
    await settle();
    stop.abort();
    await running;
    return log.lines.filter(({ level }) => level === 'warn');
  };
  const about = { op: 'kube.list', target: 'SecretMigration' };

  test('if the resource is not served: its name, and where it comes from', async () => {
    const migrations = { ...resource, group: 'keyferry.io', plural: 'secretmigrations' };
    const missing = new OperatorError('REPLY_INVALID', { ...about, status: 404 });
    expect(await refusals(missing, { resource: migrations })).toEqual([
      {
        level: 'warn',
        message: 'a resource is not served, retrying',
        fields: expect.objectContaining({
          summary: 'The API server does not serve secretmigrations.keyferry.io.',
          hint: expect.stringContaining('https://keyferry.io/docs/install'),
        }),
      },
    ]);
  });

  test.each([
    [
      'list or watch failed, retrying',
      new OperatorError('BACKEND_UNREACHABLE', { ...about, detail: 'It is X.' }),
    ],
    [
      'list or watch is forbidden, retrying',
      new OperatorError('AUTH_DENIED', { ...about, status: 403, detail: 'It is X.' }),
    ],
  ])('and what happened: %s', async (message, error) => {
    expect(await refusals(error)).toEqual([
      {
        level: 'warn',
        message,
        fields: expect.objectContaining({ summary: expect.stringContaining('It is X.'), hint: error.hint }),
      },
    ]);
  });
});

describe('Informer', () => {
  describeChanges();
  describeConnections();
  describe('pages', describePages);
  describeMetadataOnly();
});

function describeChanges(): void {
  test('after 410 it lists again and reports only the differences; another uid is a delete and an add', async () => {
    const { informer } = start(
      relisting(
        [secret('same', '1'), secret('changed', '2'), secret('gone', '3'), secret('reborn', '4', 'old')],
        [secret('same', '1'), secret('changed', '9'), secret('new', '8'), secret('reborn', '7', 'new')],
      ),
    );
    await settle();
    expect(story.splice(0)).toHaveLength(4);
    await clock.advance(800);
    expect(story).toEqual([
      'delete gone@uid-gone',
      'update changed@uid-changed',
      'add new@uid-new',
      'delete reborn@old',
      'add reborn@new',
    ]);
    expect(informer.store.size).toBe(4);
    expect(metrics.value('keyferry_informer_lists_total', labels)).toBe(2);
    expect(metrics.value('keyferry_informer_objects', labels)).toBe(4);
  });

  test('marks objects of the first list as initial, and is synced after its handlers ran', async () => {
    const { informer } = start({ list: () => listOf([secret('a', '1')]) });
    expect(informer.hasSynced).toBe(false);
    await informer.synced;
    expect(story).toEqual(['add a@uid-a initially']);
  });

  test('a handler that throws is counted; the other handlers, objects and the loop continue', async () => {
    const { informer } = start({ list: () => listOf([secret('a', '1'), secret('b', '2')]) });
    informer.addHandler(() => {
      throw new TypeError('handler bug');
    });
    const seen: string[] = [];
    informer.addHandler(({ current }) => seen.push(current?.metadata.name ?? ''));
    await informer.synced;
    expect(seen).toEqual(['a', 'b']);
    expect(metrics.value('keyferry_informer_handler_errors_total', labels)).toBe(2);
    expect(log.lines.filter((line) => line.level === 'error')).toHaveLength(2);
  });

  test('an object that cannot be parsed stops no other, and is known as unparsed until it is correct or gone', async () => {
    const steps = [
      { type: 'MODIFIED', object: secret('bad', '101') },
      { type: 'MODIFIED', object: secret('good', '102') },
      { type: 'DELETED', object: secret('bad', '103') },
    ] as const;
    const next = steps.map(() => Promise.withResolvers<void>());
    const { informer } = start({
      list: () => listOf([secret('bad', '1'), secret('good', '2')]),
      // Both change: the one becomes correct, the other does not stay so.
      project: (object) => {
        if (['1', '102'].includes(object.metadata.resourceVersion)) throw new TypeError('not of the schema');
        return object;
      },
      watch: async function* ({ signal }) {
        for (const [index, step] of steps.entries()) {
          await next[index]?.promise;
          yield step;
        }
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    });
    const state = () => [[...informer.store.keys()], [...informer.unparsed.keys()]];
    await informer.synced;
    const states = [state()];
    for (const { resolve } of next) {
      resolve();
      await settle();
      states.push(state());
    }
    expect(states).toEqual([
      [['ns/good'], ['ns/bad']],
      [['ns/good', 'ns/bad'], []],
      [['ns/bad'], ['ns/good']],
      [[], ['ns/good']],
    ]);
    expect(story).toContain('delete good@uid-good');
    expect(metrics.value('keyferry_informer_handler_errors_total', labels)).toBe(2);
  });

  test('an unparsed object that a later list lacks is forgotten', async () => {
    const { informer } = start({
      ...relisting([secret('bad', '1')], []),
      project: () => {
        throw new TypeError('not of the schema');
      },
    });
    await informer.synced;
    expect([...informer.unparsed.keys()]).toEqual(['ns/bad']);
    await settle();
    await clock.advance(800);
    expect([...informer.unparsed.keys()]).toEqual([]);
  });
}

function describeConnections(): void {
  test('retries with growing pauses, honors Retry-After, and only its signal ends it', async () => {
    const times: number[] = [];
    const { running } = start({
      random: () => 1,
      list: () => {
        times.push(clock.monotonic());
        throw new OperatorError(times.length === 3 ? 'RATE_LIMITED' : 'BACKEND_UNREACHABLE', {
          op: 'kube.list',
          ...(times.length === 3 ? { retryAfterMs: 20_000 } : {}),
        });
      },
    });
    await clock.advance(34_000);
    expect(times).toEqual([0, 800, 2_400, 26_400, 32_800]);
    stop.abort();
    await running;
    expect(metrics.value('keyferry_informer_failures_total', labels)).toBe(5);
  });

  test('does not reconnect without a pause to a server that ends every watch immediately', async () => {
    let watches = 0;
    start({
      list: () => listOf([]),
      watch: () => {
        watches += 1;
        return endedAtOnce();
      },
    });
    await clock.advance(60_000);
    expect(watches).toBeGreaterThan(3);
    expect(watches).toBeLessThan(20);
  });

  test('resumes a failed watch at the last version, bookmarks included, without a list', async () => {
    const versions: (string | undefined)[] = [];
    start({
      list: () => listOf([]),
      watch: async function* (request) {
        versions.push(request.query['resourceVersion']);
        if (versions.length > 2) yield* untilAborted(request);
        yield versions.length === 1
          ? { type: 'ADDED', object: secret('a', '101') }
          : { type: 'BOOKMARK', object: { kind: 'Secret', metadata: { resourceVersion: '150' } } };
        throw new OperatorError('BACKEND_UNREACHABLE', { op: 'kube.watch' });
      },
    });
    await clock.advance(5_000);
    expect(versions).toEqual(['100', '101', '150']);
    expect(metrics.value('keyferry_informer_lists_total', labels)).toBe(1);
  });

  test('requests a watch of 5 to 10 minutes with bookmarks, which is dead after 90 to 120 s of silence', async () => {
    const asked: WatchRequest[] = [];
    start({
      list: () => listOf([]),
      watch: (request) => {
        asked.push(request);
        return untilAborted(request);
      },
    });
    await settle();
    expect(asked[0]?.query).toMatchObject({
      allowWatchBookmarks: 'true',
      timeoutSeconds: '450',
      resourceVersion: '100',
    });
    expect(asked[0]?.idleTimeoutMs).toBe(105_000);
  });
}

function describePages(): void {
  /** A server with `count` objects, of which `fitting` fit into a reply. */
  function serving(count: number, fitting: number): Scenario & { readonly asked: number[] } {
    const asked: number[] = [];
    const all = Array.from({ length: count }, (_, index) => secret(`s${index}`, String(index + 1)));
    const list = ({ query }: KubeRequest): object => {
      const [first, limit] = [Number(query?.['continue'] ?? 0), Number(query?.['limit'])];
      asked.push(limit);
      if (limit > fitting) throw new OperatorError('REPLY_TOO_LARGE', { op: 'kube.list' });
      const next = first + limit < count ? { continue: String(first + limit) } : {};
      const metadata = { resourceVersion: '100', ...next };
      return { kind: 'SecretList', metadata, items: all.slice(first, first + limit) };
    };
    return { asked, list };
  }

  test('of a list that are too large get smaller until they fit, down to one object', async () => {
    const { asked, list } = serving(20, 1);
    const { informer } = start({ list });
    await settle();
    expect(informer.store.size).toBe(20);
    expect(asked.slice(0, 10)).toEqual([500, 250, 125, 62, 31, 15, 7, 3, 1, 1]);
  });

  test('are projected as they come: no more than one page of whole objects is kept', async () => {
    const { list } = serving(1_500, 500);
    const seen: string[] = [];
    start({
      list: (request) => {
        seen.push('page');
        return list(request);
      },
      project: (object) => {
        if (seen.at(-1) === 'page') seen.push('projected');
        return object;
      },
    });
    await settle();
    expect(seen).toEqual(['page', 'projected', 'page', 'projected', 'page', 'projected']);
  });
}

function describeMetadataOnly(): void {
  describe('of metadata only', () => {
    const metadataOnly = { metadataOnly: true };

    test('refuses a list of whole Secrets, and caches none of them', async () => {
      const { informer } = start({
        selection: metadataOnly,
        list: () => listOf([{ ...secret('a', '1'), data: { k: 'dg==' } }]),
      });
      await settle();
      expect(informer.hasSynced).toBe(false);
      expect(informer.store.size).toBe(0);
      expect(log.lines.at(-1)).toMatchObject({ level: 'warn', fields: { code: 'REPLY_INVALID' } });
    });

    test('refuses a whole Secret in a watch event', async () => {
      const { informer } = start({
        selection: metadataOnly,
        list: () => listOf([], 'PartialObjectMetadataList'),
        watch: async function* () {
          yield { type: 'ADDED', object: { ...secret('a', '101'), data: { k: 'dg==' } } };
        },
      });
      await settle();
      expect(informer.store.size).toBe(0);
    });

    test('caches neither data nor managedFields nor the copy that kubectl apply stores', async () => {
      const object = {
        kind: 'PartialObjectMetadata',
        data: { k: 'aHVudGVyMg==' },
        metadata: {
          ...secret('a', '1').metadata,
          managedFields: [{ manager: 'kubectl' }],
          labels: { team: 'a' },
          annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'hunter2', keep: 'me' },
        },
      };
      const { informer } = start({
        selection: { ...metadataOnly, annotations: ['keep'] },
        list: () => listOf([object], 'PartialObjectMetadataList'),
      });
      await informer.synced;
      expect(informer.store.get('ns/a')).toEqual({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...secret('a', '1').metadata, annotations: { keep: 'me' } },
      });
    });

    test('keeps labels where they are wanted, and none of an object that has too many', async () => {
      const many = Object.fromEntries(
        Array.from({ length: 70 }, (_, index) => [`k${index}`, 'v'.repeat(63)]),
      );
      const labelsOf = { a: { team: 'core' }, b: undefined, c: many };
      const objects = Object.entries(labelsOf).map(([name, labels]) => ({
        kind: 'PartialObjectMetadata',
        metadata: { ...secret(name, '1').metadata, labels },
      }));
      const { informer } = start({
        selection: { ...metadataOnly, labels: true },
        list: () => listOf(objects, 'PartialObjectMetadataList'),
      });
      await informer.synced;
      const kept = [...informer.store.values()].map(({ metadata }) => metadata.labels);
      expect(kept).toEqual([{ team: 'core' }, {}, undefined]);
    });

    test('requests metadata without plain JSON as an alternative', async () => {
      const accepts: (string | undefined)[] = [];
      start({
        selection: metadataOnly,
        list: (request) => {
          accepts.push(request.accept);
          return listOf([], 'PartialObjectMetadataList');
        },
        watch: (request) => {
          accepts.push(request.accept);
          return untilAborted(request);
        },
      });
      await settle();
      expect(accepts).toEqual([
        'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
        'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
      ]);
    });
  });
}
