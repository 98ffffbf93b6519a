import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import type { EventRecord } from '#src/ports.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { Rollouts } from './rollouts.ts';

const MIGRATION = {
  apiVersion: 'keyferry.io/v1alpha1',
  kind: 'SecretMigration',
  namespace: 'team',
  name: 'follow',
  uid: 'm1',
};

interface Stored {
  readonly metadata: Record<string, unknown>;
  readonly spec: { template: { metadata: { annotations: Record<string, string> }; spec: object } };
}

let clock: ManualClock;
let stored: Map<string, Stored>;
let fail: (request: KubeRequest) => ErrorCode | undefined;
let client: ScriptedKubeClient;
let events: EventRecord[];
let log: RecordedLog;
let metrics: RecordedMetrics;
let rollouts: Rollouts;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  clock = new ManualClock();
  stored = new Map();
  fail = () => undefined;
  client = new ScriptedKubeClient(answer);
  events = [];
  log = new RecordedLog();
  metrics = new RecordedMetrics();
  rollouts = aRollouts();
  stop = new AbortController();
  running = rollouts.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await clock.advance(60_000);
  await running;
});

function aRollouts(): Rollouts {
  const resource = { group: 'apps', version: 'v1', namespaced: true };
  const of = (plural: string, kind: string): ObjectClient =>
    new ObjectClient(client, { ...resource, plural, kind });
  return new Rollouts({
    workloads: {
      Deployment: of('deployments', 'Deployment'),
      StatefulSet: of('statefulsets', 'StatefulSet'),
      DaemonSet: of('daemonsets', 'DaemonSet'),
    },
    events: { record: (event) => void events.push(event) },
    clock,
    random: () => 0,
    logger: log,
    metrics,
  });
}

/** What an API server does with the requests of an ObjectClient. */
function answer(request: KubeRequest): unknown {
  const { path, method, body } = request;
  const code = fail(request);
  if (code !== undefined) throw new OperatorError(code, { op: request.op, target: request.target });
  const object = stored.get(path);
  if (method === 'GET' && object !== undefined) return object;
  if (method === 'PATCH') return patched(path, JSON.parse(JSON.stringify(body)));
  const kind = KIND_OF[path.split('/').at(-1) ?? ''] ?? '';
  const items = [...stored].filter(([each]) => each.startsWith(`${path}/`)).map(([, each]) => each);
  return { kind: `${kind}List`, metadata: { resourceVersion: '1' }, items };
}

const KIND_OF: Readonly<Record<string, string>> = {
  deployments: 'Deployment',
  statefulsets: 'StatefulSet',
  daemonsets: 'DaemonSet',
};

function patched(path: string, patch: Stored): unknown {
  const object = stored.get(path);
  const error = { op: 'kube.patch', target: path };
  if (object === undefined) throw new OperatorError('NOT_FOUND', error);
  if (patch.metadata['resourceVersion'] !== object.metadata['resourceVersion'])
    throw new OperatorError('VERSION_CONFLICT', error);
  Object.assign(object.spec.template.metadata.annotations, patch.spec.template.metadata.annotations);
  object.metadata['resourceVersion'] = `${String(object.metadata['resourceVersion'])}1`;
  return object;
}

/** A workload that uses these Secrets; of a path as `team/deployments/web`. */
function has(path: string, secrets: readonly string[], optedIn = true): Stored {
  const [namespace = '', plural = '', name = ''] = path.split('/');
  const annotations: Record<string, string> = optedIn ? { 'keyferry.io/restart-on-change': 'true' } : {};
  const envFrom = secrets.map((secret) => ({ secretRef: { name: secret } }));
  const object = {
    metadata: { name, namespace, uid: `uid-${name}`, resourceVersion: '1', annotations },
    spec: { template: { metadata: { annotations: {} }, spec: { containers: [{ envFrom }] } } },
  };
  stored.set(`/apis/apps/v1/namespaces/${namespace}/${plural}/${name}`, object);
  return object;
}

function changes(name: string, revision = '7', namespace = 'team'): void {
  rollouts.secretChanged({ namespace, name, revision, migration: { ...MIGRATION, namespace } });
}

function annotationOf(object: Stored): string | undefined {
  return object.spec.template.metadata.annotations['keyferry.io/restarted-for'];
}

const patches = (): readonly KubeRequest[] => client.requests.filter(({ method }) => method === 'PATCH');
const restarts = (kind: string): number | undefined =>
  metrics.value('keyferry_rollout_restarts_total', { kind });

describe('Secrets that change together', () => {
  it('restart each workload once, two seconds after the last change', async () => {
    const web = has('team/deployments/web', ['db', 'tls']);
    const queue = has('team/statefulsets/queue', ['db']);
    const agent = has('team/daemonsets/agent', ['tls']);
    changes('db');
    await clock.advance(1_900);
    changes('tls', '9');
    await clock.advance(1_900);
    expect(client.requests).toEqual([]);
    await clock.advance(200);
    expect([web, queue, agent].map(annotationOf)).toEqual([
      '{"db":"7","tls":"9"}',
      '{"db":"7"}',
      '{"tls":"9"}',
    ]);
    expect(patches()).toHaveLength(3);
    expect([restarts('Deployment'), restarts('StatefulSet'), restarts('DaemonSet')]).toEqual([1, 1, 1]);
  });

  it('restart at the latest ten seconds after the first change, for the last revision', async () => {
    const web = has('team/deployments/web', ['db']);
    for (let revision = 0; revision < 10; revision += 1) {
      changes('db', String(revision));
      await clock.advance(1_000);
    }
    expect(annotationOf(web)).toBe('{"db":"9"}');
    expect(patches()).toHaveLength(1);
  });

  it('are told by an event of the workload, with their names', async () => {
    has('team/deployments/web', ['db', 'tls']);
    changes('tls');
    changes('db');
    await clock.advance(2_000);
    expect(events).toEqual([
      {
        regarding: {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          namespace: 'team',
          name: 'web',
          uid: 'uid-web',
        },
        type: 'Normal',
        reason: 'SecretChanged',
        action: 'Restart',
        note: 'Restarts, because Secrets that it uses changed: db, tls.',
      },
    ]);
  });

  it('leave workloads alone that did not opt in, use others or are in another namespace', async () => {
    const others = [
      has('team/deployments/not-asked', ['db'], false),
      has('team/deployments/other', ['tls']),
      has('else/deployments/web', ['db']),
    ];
    changes('db');
    await clock.advance(20_000);
    expect(others.map(annotationOf)).toEqual([undefined, undefined, undefined]);
    expect(patches()).toEqual([]);
  });
});

describe('nothing restarts twice', () => {
  it('for a revision that was told again, even to another process', async () => {
    has('team/deployments/web', ['db']);
    changes('db');
    await clock.advance(2_000);
    changes('db');
    await clock.advance(2_000);
    const later = aRollouts();
    const second = later.run(stop.signal);
    later.secretChanged({ namespace: 'team', name: 'db', revision: '7', migration: MIGRATION });
    await clock.advance(2_000);
    expect(patches()).toHaveLength(1);
    stop.abort();
    await clock.advance(5_000);
    await second;
  });

  it('because an operator starts: it asks for nothing', async () => {
    has('team/deployments/web', ['db']);
    await clock.advance(600_000);
    expect(client.requests).toEqual([]);
  });

  it('but a later revision restarts again, and keeps what the annotation says of others', async () => {
    const web = has('team/deployments/web', ['db', 'tls']);
    changes('tls', '3');
    await clock.advance(2_000);
    changes('db', '8');
    await clock.advance(2_000);
    expect(annotationOf(web)).toBe('{"db":"8","tls":"3"}');
    expect(patches()).toHaveLength(2);
  });
});

describe('another writer of a workload', () => {
  it('between list and patch is not overwritten: it is read again', async () => {
    const web = has('team/deployments/web', ['db']);
    let once = true;
    fail = ({ method }) => {
      if (method === 'PATCH' && once) web.metadata['resourceVersion'] = '2';
      once &&= method !== 'PATCH';
      return undefined;
    };
    changes('db');
    await clock.advance(2_000);
    expect(annotationOf(web)).toBe('{"db":"7"}');
    expect(patches()).toHaveLength(2);
    expect(patches().map(({ body, query }) => [body, query?.['fieldManager']])[1]).toEqual([
      {
        metadata: { uid: 'uid-web', resourceVersion: '2' },
        spec: { template: { metadata: { annotations: { 'keyferry.io/restarted-for': '{"db":"7"}' } } } },
      },
      'keyferry',
    ]);
  });

  it('who takes the opt-in away in between is heard', async () => {
    const web = has('team/deployments/web', ['db']);
    fail = ({ method }) => {
      if (method === 'PATCH') Object.assign(web.metadata, { resourceVersion: '2', annotations: {} });
      return undefined;
    };
    changes('db');
    await clock.advance(2_000);
    expect(annotationOf(web)).toBeUndefined();
    expect(patches()).toHaveLength(1);
  });

  it('who deletes it in between is no failure', async () => {
    has('team/deployments/web', ['db']);
    fail = ({ method }) => (method === 'PATCH' ? 'NOT_FOUND' : undefined);
    changes('db');
    await clock.advance(60_000);
    expect(events).toEqual([]);
    expect(client.requests).toHaveLength(4);
  });
});

describe('a missing right', () => {
  it('is one warning of the migration and one line in the log, and no request is repeated', async () => {
    fail = () => 'AUTH_DENIED';
    changes('db');
    changes('tls');
    await clock.advance(60_000);
    expect(events).toMatchObject([
      {
        regarding: { kind: 'SecretMigration', name: 'follow' },
        type: 'Warning',
        reason: 'RestartForbidden',
        note: expect.stringContaining('Set rollout.enabled of the chart'),
      },
    ]);
    expect(client.requests).toHaveLength(3);
    changes('db', '8');
    await clock.advance(60_000);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('for one kind restarts the others', async () => {
    const queue = has('team/statefulsets/queue', ['db']);
    fail = ({ path }) => (path.includes('deployments') ? 'AUTH_DENIED' : undefined);
    changes('db');
    await clock.advance(2_000);
    expect(annotationOf(queue)).toBe('{"db":"7"}');
  });

  it('to patch is asked for once for each kind', async () => {
    for (let nth = 0; nth < 20; nth += 1) has(`team/deployments/web-${nth}`, ['db']);
    fail = ({ method }) => (method === 'PATCH' ? 'AUTH_DENIED' : undefined);
    changes('db');
    await clock.advance(60_000);
    expect(patches()).toHaveLength(1);
  });
});

describe('a failure', () => {
  it('that passes is tried again, and restarts each workload once', async () => {
    const [web, other] = [has('team/deployments/web', ['db']), has('team/deployments/other', ['db'])];
    let failures = 2;
    fail = ({ method, path }) =>
      method === 'PATCH' && path.endsWith('/web') && failures-- > 0 ? 'SERVER_ERROR' : undefined;
    changes('db');
    await clock.advance(60_000);
    expect([annotationOf(web), annotationOf(other)]).toEqual(['{"db":"7"}', '{"db":"7"}']);
    expect(patches()).toHaveLength(4);
    expect(events.map(({ reason }) => reason)).toEqual(['SecretChanged', 'SecretChanged']);
  });

  it('that does not pass is told after five tries', async () => {
    has('team/deployments/web', ['db']);
    fail = () => 'BACKEND_UNREACHABLE';
    changes('db');
    await clock.advance(600_000);
    expect(client.requests).toHaveLength(15);
    expect(events.map(({ reason }) => reason)).toEqual(['RestartFailed']);
  });

  it('of one workload does not stop the others, and a refusal is not tried again', async () => {
    has('team/deployments/refused', ['db']);
    const web = has('team/deployments/web', ['db']);
    fail = ({ method, path }) =>
      method === 'PATCH' && path.endsWith('/refused') ? 'ADMISSION_DENIED' : undefined;
    changes('db');
    await clock.advance(600_000);
    expect(annotationOf(web)).toBe('{"db":"7"}');
    expect(events.map(({ reason }) => reason).toSorted()).toEqual(['RestartFailed', 'SecretChanged']);
    expect(patches()).toHaveLength(2);
  });
});

describe('one namespace', () => {
  it('that hangs does not delay another', async () => {
    const web = has('team/deployments/web', ['db']);
    const never = Promise.withResolvers<never>();
    const hanging = new ScriptedKubeClient((request) =>
      request.path.includes('/hangs/') ? never.promise : answer(request),
    );
    client = hanging;
    rollouts = aRollouts();
    const both = rollouts.run(stop.signal);
    changes('db', '7', 'hangs');
    await clock.advance(1);
    changes('db');
    await clock.advance(2_000);
    expect(annotationOf(web)).toBe('{"db":"7"}');
    changes('db', '8', 'hangs');
    await clock.advance(20_000);
    expect(hanging.requests.filter(({ path }) => path.includes('/hangs/'))).toHaveLength(1);
    stop.abort();
    await clock.advance(5_000);
    never.reject(stop.signal.reason);
    await both;
  });
});

describe('a stop', () => {
  it('restarts at once what was collected', async () => {
    const web = has('team/deployments/web', ['db']);
    changes('db');
    stop.abort();
    await running;
    expect(annotationOf(web)).toBe('{"db":"7"}');
  });

  it('without the lease restarts nothing, and says so', async () => {
    has('team/deployments/web', ['db']);
    changes('db');
    await settle();
    stop.abort(new OperatorError('LEASE_LOST', { op: 'lease', target: 'Lease a/b' }));
    await running;
    expect(client.requests).toEqual([]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'restarts are lost with the stop of the operator',
    ]);
  });
});
