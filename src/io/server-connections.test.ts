import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthority, issueCertificate, type PemPair } from '#test/cluster/pki.ts';
import { CountingServer } from '#test/support/counting-server.ts';
import { eventually } from '#test/support/eventually.ts';
import { OWN_MACHINE } from '#test/support/own-machine.ts';
import { limitOf } from './connection-shares.ts';
import { ConnectRules } from './connect-rules.ts';
import type { Server } from './server.ts';
import { ServerConnections, type ConnectionLease } from './server-connections.ts';

const { signal } = new AbortController();
let server: CountingServer;
let leases: ConnectionLease[];
let connections: ServerConnections;

beforeEach(async () => {
  server = await CountingServer.start();
  connections = new ServerConnections(OWN_MACHINE);
  leases = [];
});

afterEach(async () => {
  for (const lease of leases) lease[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

interface Backend {
  readonly tenant?: string;
  readonly maxInFlight?: number;
  readonly at?: Partial<Server>;
  readonly among?: ServerConnections;
}

/** A backend, of a tenant of its own unless the test names one. */
function aBackend({ tenant, maxInFlight = 32, at = {}, among = connections }: Backend = {}): ConnectionLease {
  const lease = among.lease(
    { origin: server.origin, serverName: undefined, tls: {}, ...at },
    { tenant: tenant ?? `tenant-${leases.length}`, maxInFlight, timeoutMs: 10_000 },
  );
  leases.push(lease);
  return lease;
}

async function ask(lease: ConnectionLease, path = '/', by: AbortSignal = signal): Promise<number> {
  using taken = await lease.take(by);
  const { statusCode, body } = await taken.dispatcher.request({ method: 'GET', path, signal: by });
  await body.dump();
  return statusCode;
}

/** Requests of one backend that the server keeps waiting; rejections are those of the end of a test. */
function hanging(lease: ConnectionLease, count: number): readonly Promise<number>[] {
  const all = Array.from({ length: count }, async () => ask(lease, '/held'));
  for (const asked of all) asked.catch(() => undefined);
  return all;
}

async function untilHeld(count: number): Promise<void> {
  await eventually(`${count} requests are held`, () => server.held === count);
}

describe('connections to one server', () => {
  describeSharing();
  describeFairness();
  describeEnds();
  describeTls();
});

function describeSharing(): void {
  it('are shared by a hundred backends, which use no more of them than two can', async () => {
    const backends = Array.from({ length: 100 }, () => aBackend());
    const asked = backends.flatMap((backend) => Array.from({ length: 32 }, async () => ask(backend)));
    expect(new Set(await Promise.all(asked))).toEqual(new Set([200]));
    expect(server.opened).toBeLessThanOrEqual(limitOf(64));
  });

  it('are one for requests in sequence, of whatever backend', async () => {
    const backends = Array.from({ length: 10 }, () => aBackend());
    for (let round = 0; round < 3; round += 1) for (const backend of backends) await ask(backend);
    expect(server.opened).toBe(1);
  });

  it('that are free are taken without a listener at the signal of each request', async () => {
    const backend = aBackend();
    const { signal: watched } = new AbortController();
    const follows = vi.spyOn(watched, 'addEventListener');
    using _taken = await backend.take(watched);
    expect(follows).not.toHaveBeenCalled();
  });

  it('are at most as many for one backend as its maxInFlight', async () => {
    const [small, large] = [aBackend({ maxInFlight: 3 }), aBackend({ maxInFlight: 32 })];
    const held = hanging(small, 10);
    await untilHeld(3);
    await Promise.all(Array.from({ length: 100 }, async () => ask(large)));
    expect(server.held).toBe(3);
    let answered = 0;
    for (const asked of held) void asked.then(() => (answered += 1));
    await eventually('all are answered', () => {
      expect(server.held).toBeLessThanOrEqual(3);
      server.release();
      return answered === 10;
    });
  });

  it('are limited for the process: those that are unused for the longest time make room', async () => {
    await using second = await CountingServer.start();
    await using third = await CountingServer.start();
    connections = new ServerConnections(OWN_MACHINE, 8);
    for (const { origin } of [server, second, third]) {
      const backend = aBackend({ at: { origin } });
      await Promise.all(Array.from({ length: 20 }, async () => ask(backend)));
    }
    const open = (): number => server.open + second.open + third.open;
    await eventually('at most nine are open', () => open() <= 9);
    expect(third.open).toBeGreaterThan(0);
  });
}

function describeFairness(): void {
  it.each(['another tenant', 'the same tenant'])(
    'are left for a backend of %s, whatever one backend keeps',
    async (which) => {
      void hanging(aBackend({ tenant: 'greedy' }), 100);
      await untilHeld(32);
      const other = aBackend(which === 'the same tenant' ? { tenant: 'greedy' } : {});
      expect(await Promise.all(Array.from({ length: 10 }, async () => ask(other)))).toHaveLength(10);
      expect(server.held).toBe(32);
    },
  );

  it('are left for another tenant, whatever all backends of one tenant keep', async () => {
    for (let backend = 0; backend < 50; backend += 1) void hanging(aBackend({ tenant: 'greedy' }), 32);
    await untilHeld(48);
    expect(await ask(aBackend())).toBe(200);
    expect(server.held).toBe(48);
  });

  it('are left for another server, whatever one tenant keeps at servers of its own', async () => {
    const servers = await Promise.all(Array.from({ length: 10 }, async () => CountingServer.start()));
    for (const { origin } of servers) void hanging(aBackend({ tenant: 'greedy', at: { origin } }), 32);
    const held = (): number => servers.reduce((sum, each) => sum + each.held, 0);
    await eventually('the tenant has its part', () => held() === 192);
    expect(await Promise.all(Array.from({ length: 20 }, async () => ask(aBackend())))).toHaveLength(20);
    expect(held()).toBe(192);
    for (const lease of leases) lease[Symbol.dispose]();
    for (const each of servers) await each[Symbol.asyncDispose]();
  });
}

function describeEnds(): void {
  it('are closed when the last backend goes, and not before', async () => {
    const [first, second] = [aBackend(), aBackend()];
    await ask(first);
    first[Symbol.dispose]();
    await ask(second);
    expect([server.opened, server.open]).toEqual([1, 1]);
    second[Symbol.dispose]();
    await eventually('it is closed', () => server.open === 0);
    await ask(aBackend());
    expect(server.opened).toBe(2);
  });

  it('are closed when nobody uses them for the time that the server names', async () => {
    await using hasty = await CountingServer.start({ headers: { 'keep-alive': 'timeout=3' } });
    const backend = aBackend({ at: { origin: hasty.origin } });
    await ask(backend);
    await eventually('it is closed', () => hasty.open === 0);
    await ask(backend);
    expect(hasty.opened).toBe(2);
  });

  it('end with the request that is given up, and carry no later one', async () => {
    const backend = aBackend();
    await ask(backend);
    const leaving = new AbortController();
    const given = ask(backend, '/held', leaving.signal);
    await untilHeld(1);
    const [used] = server.requestsBy.keys();
    leaving.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await ask(backend);
    expect(used !== undefined && server.requestsBy.get(used)).toBe(2);
    expect(server.opened).toBe(2);
    await eventually('one is open', () => server.open === 1);
  });

  it('end for the requests of a backend that goes, and of no other one', async () => {
    const [leaving, staying] = [aBackend({ maxInFlight: 2 }), aBackend()];
    const [stays] = hanging(staying, 1);
    const goes = hanging(leaving, 3);
    await untilHeld(3);
    leaving[Symbol.dispose]();
    expect(await Promise.allSettled(goes)).toMatchObject([
      { reason: { code: 'UND_ERR_DESTROYED' } },
      { reason: { code: 'UND_ERR_DESTROYED' } },
      { reason: { code: 'BACKEND_NOT_READY' } },
    ]);
    await expect(leaving.take(signal)).rejects.toMatchObject({ code: 'BACKEND_NOT_READY' });
    server.release();
    expect(await stays).toBe(200);
  });

  it('give their place back when they cannot be opened', async () => {
    const backend = aBackend({ maxInFlight: 2, at: { origin: 'http://127.0.0.1:1' } });
    const asked = Array.from({ length: 20 }, async () => ask(backend));
    const ends = await Promise.allSettled(asked);
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
  });
}

function describeTls(): void {
  let authority: PemPair;
  let certificate: PemPair;
  let secure: CountingServer;

  beforeAll(async () => {
    authority = await createAuthority('one');
    certificate = await issueCertificate(authority, {
      commonName: 'kv',
      dnsNames: ['kv.example'],
      ipAddresses: ['127.0.0.1'],
      usages: ['server'],
    });
  });
  beforeEach(async () => (secure = await CountingServer.start({ certificate })));
  afterEach(async () => secure[Symbol.asyncDispose]());

  const at = (tls: Server['tls'], serverName?: string): Backend => ({
    at: { origin: secure.origin, tls, serverName },
  });

  it('are shared only by those who trust the same authorities, name the same host and show the same certificate', async () => {
    const ca = authority.certificate;
    const client = await issueCertificate(authority, { commonName: 'client', usages: ['client'] });
    const identity = { ca, cert: client.certificate, key: client.key };
    for (const settings of [at({ ca }), at({ ca }, 'kv.example'), at({ ca: `${ca}\n` }), at(identity)]) {
      const before = secure.opened;
      for (const backend of [aBackend(settings), aBackend(settings)]) await ask(backend);
      expect(secure.opened - before).toBe(1);
    }
  });

  it('are opened again under other authorities, while requests on the old ones end', async () => {
    const old = aBackend(at({ ca: authority.certificate }));
    const [last] = hanging(old, 1);
    await eventually('it is held', () => secure.held === 1);
    const rotated = aBackend(
      at({ ca: `${authority.certificate}${(await createAuthority('two')).certificate}` }),
    );
    await ask(rotated);
    expect(secure.opened).toBe(2);
    secure.release();
    expect(await last).toBe(200);
    old[Symbol.dispose]();
    await eventually('the old one is closed', () => secure.open === 1);
  });

  it('carry nothing to a server that the own authorities do not know, although another backend is connected to it', async () => {
    const stranger = await createAuthority('stranger');
    await ask(aBackend(at({ ca: authority.certificate })));
    await expect(ask(aBackend(at({ ca: stranger.certificate })))).rejects.toThrow(/certificate/);
    await expect(ask(aBackend(at({})))).rejects.toThrow(/certificate/);
    expect([...secure.requestsBy.values()]).toEqual([1]);
  });

  it('are not shared under other rules', async () => {
    const ca = authority.certificate;
    await ask(aBackend(at({ ca })));
    const strict = new ServerConnections(new ConnectRules({ allowed: [], apiServers: [] }));
    const refused = ask(aBackend({ ...at({ ca }), among: strict }));
    await expect(refused).rejects.toMatchObject({ code: 'ADDRESS_FORBIDDEN' });
  });
}
