import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { ApiLists, ApiResource, Served, Wanted } from '#src/runtime/api-lists.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { SecretUses, type UseQuery } from './secret-uses.ts';

const signal = new AbortController().signal;
const NOBODY = { first: [], count: 0 };

interface Listed {
  readonly metadata?: object;
  readonly [member: string]: unknown;
}
type Objects = AsyncIterable<Listed> | readonly Listed[];

/** An API server: objects of each plural, or what the list of them does. */
class Server {
  readonly clock = new ManualClock();
  readonly objects: Record<string, (wanted: Wanted, signal: AbortSignal) => Objects> = {};
  /** What is served besides the built-in kinds. */
  readonly served: Record<string, Served> = {};
  readonly listed: string[] = [];
  readonly uses: SecretUses;

  constructor() {
    const lists: Pick<ApiLists, 'find' | 'list'> = {
      find: async ({ plural }) => Promise.resolve(this.served[plural] ?? 'unserved'),
      list: (resource, wanted, stop) => this.#list(resource, wanted, stop),
    };
    this.uses = new SecretUses({ clock: this.clock, lists });
  }

  async usersOf(secret: string, more: Partial<Parameters<SecretUses['usersOf']>[1]> = {}) {
    return this.uses.usersOf(this.query(secret), { suppliesCa: false, ...more });
  }

  async pushersOf(secret: string) {
    return this.uses.pushersOf(this.query(secret));
  }

  query(secret: string, purpose: UseQuery['asked']['for'] = 'removal'): UseQuery {
    return { namespace: 'ns', secret, asked: { for: purpose, signal }, since: 0 };
  }

  serve(plural: string, kind: string, namespaced = true): void {
    this.served[plural] = { group: 'example.com', version: 'v1', plural, kind, namespaced };
  }

  async *#list(resource: ApiResource, wanted: Wanted, stop: AbortSignal): ReturnType<ApiLists['list']> {
    this.listed.push(`${resource.plural} ${wanted.namespace ?? '*'}`);
    const identity = { namespace: 'ns', uid: 'u', resourceVersion: '1' };
    for await (const object of this.objects[resource.plural]?.(wanted, stop) ?? []) {
      yield { ...object, metadata: { ...identity, name: 'x', ...object.metadata } };
    }
  }
}

const podSpec = (secret: string) => ({ volumes: [{ secret: { secretName: secret } }] });
const pod = (name: string, secret: string): Listed => ({ metadata: { name }, spec: podSpec(secret) });
const refuses = (code: ConstructorParameters<typeof OperatorError>[0]) => (): Objects => {
  throw new OperatorError(code, { op: 'kube.list' });
};

describe('the users of a Secret', () => {
  it('are named, the workloads first, and counted', async () => {
    const server = new Server();
    server.objects['pods'] = () => [pod('web-0', 'db'), pod('web-1', 'db'), pod('other', 'mail')];
    server.objects['deployments'] = () => [
      { metadata: { name: 'web' }, spec: { template: { spec: podSpec('db') } } },
    ];
    expect(await server.usersOf('db')).toEqual({
      users: { first: ['Deployment web', 'Pod web-0'], count: 3 },
    });
    expect(await server.usersOf('mail')).toEqual({ users: { first: ['Pod other'], count: 1 } });
    expect(await server.usersOf('unused')).toEqual({ users: NOBODY });
  });

  it('need one list of each kind for all Secrets of a namespace, and another one after five seconds', async () => {
    const server = new Server();
    await Promise.all(['a', 'b', 'c'].map(async (name) => server.usersOf(name)));
    expect(server.listed).toHaveLength(new Set(server.listed).size);
    const before = server.listed.length;
    await server.clock.advance(5_000);
    await server.usersOf('d');
    expect(server.listed).toHaveLength(before);
    await server.clock.advance(1);
    server.objects['pods'] = () => [pod('late', 'd')];
    expect((await server.usersOf('d')).users.count).toBe(1);
    expect(server.listed).toHaveLength(2 * before);
  });

  it('are never those of before the run that asks', async () => {
    const server = new Server();
    server.objects['pods'] = () => [pod('web', 'db')];
    await server.usersOf('db');
    await server.clock.advance(1);
    server.objects['pods'] = () => [];
    const query = { ...server.query('db', 'plan'), since: server.clock.monotonic() };
    expect((await server.uses.usersOf(query, { suppliesCa: false })).users.count).toBe(0);
  });

  it('are those of a minute ago for a plan', async () => {
    const server = new Server();
    await server.usersOf('a');
    const before = server.listed.length;
    await server.clock.advance(50_000);
    await server.uses.usersOf(server.query('a', 'plan'), { suppliesCa: false });
    expect(server.listed).toHaveLength(before);
  });

  it('are none of what the cluster does not serve', async () => {
    const server = new Server();
    expect(await server.usersOf('db')).toEqual({ users: NOBODY });
    expect(server.listed).not.toContain('gateways ns');
    server.serve('gateways', 'Gateway');
    server.objects['gateways'] = () => [
      { metadata: { name: 'edge' }, spec: { listeners: [{ tls: { certificateRefs: [{ name: 'db' }] } }] } },
    ];
    await server.clock.advance(5_001);
    expect((await server.usersOf('db')).users.first).toEqual(['Gateway edge']);
  });

  it('among webhooks and API services are asked for only if the Secret supplies its CA', async () => {
    const server = new Server();
    const annotations = { 'cert-manager.io/inject-ca-from-secret': 'ns/db' };
    server.objects['apiservices'] = () => [{ metadata: { name: 'v1.metrics', annotations } }];
    expect((await server.usersOf('db')).users.count).toBe(0);
    expect(server.listed).not.toContain('apiservices *');
    expect((await server.usersOf('db', { suppliesCa: true })).users.first).toEqual(['APIService v1.metrics']);
  });
});

describe('the users of a Secret are unknown', () => {
  it('without the right to list a kind: the message says which', async () => {
    const server = new Server();
    server.objects['pods'] = refuses('AUTH_DENIED');
    const { unknown, users } = await server.usersOf('db');
    expect(users).toEqual(NOBODY);
    expect(unknown?.happened).toBe('The operator may not list pods in ns.');
    expect(unknown?.hint).toMatch(/^Grant it: /);
  });

  it.each(['SERVER_ERROR', 'BACKEND_UNREACHABLE', 'WATCH_EXPIRED', 'REPLY_INVALID'] as const)(
    'if a list fails with %s, which is not repeated for each Secret',
    async (code) => {
      const server = new Server();
      server.objects['serviceaccounts'] = refuses(code);
      expect((await server.usersOf('a')).unknown).toBeDefined();
      expect((await server.usersOf('b')).unknown).toBeDefined();
      expect(server.listed.filter((line) => line === 'serviceaccounts ns')).toHaveLength(1);
    },
  );

  it('if there are too many objects, or too many Secrets in them', async () => {
    const server = new Server();
    server.objects['pods'] = () => Array.from({ length: 50_001 }, () => ({ metadata: {}, spec: {} }));
    expect((await server.usersOf('db')).unknown?.happened).toContain('more than 50000 pods');
    const many = new Server();
    many.objects['serviceaccounts'] = () => [
      { secrets: Array.from({ length: 20_001 }, (_, index) => ({ name: `s${index}` })) },
    ];
    expect((await many.usersOf('db')).unknown?.happened).toContain('more than 20000 Secrets');
  });

  it('if a list does not end', async () => {
    const server = new Server();
    server.objects['jobs'] = (_wanted, stop) => ({
      async *[Symbol.asyncIterator]() {
        await server.clock.sleep(60_000, stop);
        yield {};
      },
    });
    const asking = server.usersOf('db');
    await server.clock.advance(15_000);
    expect((await asking).unknown?.happened).toBe('The server did not answer in time.');
  });

  it('but a user that is known is named all the same', async () => {
    const server = new Server();
    server.objects['jobs'] = refuses('AUTH_DENIED');
    server.objects['pods'] = () => [pod('web', 'db')];
    expect(await server.usersOf('db')).toMatchObject({ users: { count: 1 }, unknown: {} });
  });

  it('to nobody whose work was stopped: that is thrown', async () => {
    const server = new Server();
    const stop = new AbortController();
    server.objects['pods'] = () => {
      stop.abort(new Error('stopped'));
      throw new OperatorError('SERVER_ERROR', { op: 'kube.list' });
    };
    const query = { ...server.query('db'), asked: { for: 'removal' as const, signal: stop.signal } };
    await expect(server.uses.usersOf(query, { suppliesCa: false })).rejects.toThrow('stopped');
  });
});

describe('objects at spec.removal.references', () => {
  const reference = {
    resource: { group: 'example.com', version: 'v1', plural: 'widgets' },
    path: 'spec.refs.name',
  };
  const withWidgets = (...widgets: readonly Listed[]): Server => {
    const server = new Server();
    server.serve('widgets', 'Widget');
    server.objects['widgets'] = () => widgets;
    return server;
  };

  it('use the Secrets that their path leads to', async () => {
    const server = withWidgets({ metadata: { name: 'w' }, spec: { refs: [{ name: 'a' }, { name: 'db' }] } });
    const { users } = await server.usersOf('db', { references: [reference] });
    expect(users).toEqual({ first: ['Widget w'], count: 1 });
    expect((await server.usersOf('c', { references: [reference] })).users.count).toBe(0);
  });

  it('are none where the group is not served', async () => {
    const server = new Server();
    expect(await server.usersOf('db', { references: [reference] })).toEqual({ users: NOBODY });
  });

  it('are unknown in a version that is not served, or without a namespace', async () => {
    const server = new Server();
    server.served['widgets'] = 'unknown';
    const { unknown } = await server.usersOf('db', { references: [reference] });
    expect(unknown).toMatchObject({ where: 'widgets.example.com', hint: 'Correct spec.removal.references.' });
    const clusterWide = new Server();
    clusterWide.serve('widgets', 'Widget', false);
    expect((await clusterWide.usersOf('db', { references: [reference] })).unknown).toBeDefined();
  });

  it('are unknown if the path leads to something else than a name', async () => {
    const server = withWidgets({ spec: { refs: [{ name: { of: 'db' } }] } });
    const { unknown } = await server.usersOf('db', { references: [reference] });
    expect(unknown?.happened).toBe('spec.refs.name leads to something else than a name.');
  });
});

describe('a PushSecret', () => {
  const push = (spec: object): Server => {
    const server = new Server();
    server.serve('pushsecrets', 'PushSecret');
    server.objects['pushsecrets'] = () => [{ metadata: { name: 'p' }, spec }];
    server.objects['secrets'] = ({ labelSelector }) =>
      labelSelector === 'team=a' ? [{ metadata: { name: 'db' } }] : [];
    return server;
  };
  const BY_NAME = { selector: { secret: { name: 'db' } } };

  it.each<readonly [how: string, spec: object]>([
    ['by name', { ...BY_NAME, deletionPolicy: 'Delete' }],
    [
      'by labels',
      { deletionPolicy: 'Delete', selector: { secret: { selector: { matchLabels: { team: 'a' } } } } },
    ],
  ])('that deletes what it pushed is named with the Secret that it selects %s', async (_how, spec) => {
    const server = push(spec);
    expect((await server.pushersOf('db')).users).toEqual({ first: ['PushSecret p'], count: 1 });
    expect((await server.pushersOf('other')).users.count).toBe(0);
  });

  it.each<readonly [what: string, spec: object]>([
    ['keeps what it pushed', { ...BY_NAME, deletionPolicy: 'None' }],
    ['says nothing of deletion', BY_NAME],
    ['pushes a generated value', { deletionPolicy: 'Delete', selector: { generatorRef: { name: 'db' } } }],
  ])('that %s holds nothing', async (_what, spec) => {
    expect(await push(spec).pushersOf('db')).toEqual({ users: NOBODY });
  });

  it('with a selector that cannot be read is about every Secret', async () => {
    const selector = { secret: { selector: { matchLabels: { 'a,b': '(' } } } };
    expect((await push({ deletionPolicy: 'Delete', selector }).pushersOf('any')).users.count).toBe(1);
    const unread = { secret: { name: 7 } };
    expect((await push({ deletionPolicy: 'Delete', selector: unread }).pushersOf('any')).users.count).toBe(1);
  });

  it('is unknown without the right to list them', async () => {
    const server = push(BY_NAME);
    server.objects['pushsecrets'] = refuses('AUTH_DENIED');
    expect((await server.pushersOf('db')).unknown?.happened).toContain(
      'may not list pushsecrets.example.com',
    );
  });
});
