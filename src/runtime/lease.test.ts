import { beforeEach, describe, expect, test } from 'vitest';
import type { KubeRequest } from '#src/kube/client.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import { isJsonObject } from '#src/kube/json.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { Leadership } from './leadership.ts';
import { LeaderElector, type Lead } from './lease.ts';

interface Lease {
  metadata: { resourceVersion: string };
  spec: {
    holderIdentity: string;
    leaseDurationSeconds: number;
    renewTime: string;
    acquireTime: string;
    leaseTransitions: number;
  };
}

function isLease(value: unknown): value is Lease {
  return isJsonObject(value) && isJsonObject(value['metadata']) && isJsonObject(value['spec']);
}

/** The part of the API server that leases use: versions, and the six digits of MicroTime. */
class LeaseServer {
  lease: Lease | undefined;
  failure: ErrorCode | undefined;
  hangs = false;
  #version = 0;

  readonly answer = (request: KubeRequest): unknown => {
    if (this.hangs) return new Promise((_resolve, reject) => this.#rejectOnTimeout(request, reject));
    if (this.failure !== undefined) throw new OperatorError(this.failure, { op: request.op });
    if (request.method === 'GET') return this.#stored(request);
    const body: unknown = structuredClone(request.body);
    if (!isLease(body)) throw new Error('not a Lease');
    const digits = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
    expect(body.spec.renewTime).toMatch(digits);
    expect(body.spec.acquireTime).toMatch(digits);
    if (request.method === 'POST' && this.lease !== undefined)
      throw new OperatorError('ALREADY_EXISTS', { op: 'x' });
    if (
      request.method === 'PUT' &&
      body.metadata.resourceVersion !== this.#stored(request).metadata.resourceVersion
    ) {
      throw new OperatorError('VERSION_CONFLICT', { op: 'x' });
    }
    return this.store(body);
  };

  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  store(lease: Lease): Lease {
    this.#version += 1;
    const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
    this.lease = {
      ...kind,
      ...lease,
      metadata: { ...lease.metadata, resourceVersion: String(this.#version) },
    };
    return structuredClone(this.lease);
  }

  #stored(request: KubeRequest): Lease {
    if (this.lease === undefined) throw new OperatorError('NOT_FOUND', { op: request.op });
    return structuredClone(this.lease);
  }

  #rejectOnTimeout(request: KubeRequest, reject: (error: unknown) => void): void {
    const cancel = this.#clock.schedule(request.timeoutMs ?? 0, () =>
      reject(new OperatorError('DEADLINE', { op: request.op })),
    );
    request.signal.addEventListener('abort', () => {
      cancel();
      reject(request.signal.reason);
    });
  }
}

let clock: ManualClock;
let server: LeaseServer;
let metrics: RecordedMetrics;

beforeEach(() => {
  clock = new ManualClock();
  server = new LeaseServer(clock);
  metrics = new RecordedMetrics();
});

interface Candidate {
  readonly elector: LeaderElector;
  readonly leadership: Leadership;
  readonly stop: AbortController;
  readonly client: ScriptedKubeClient;
  readonly log: RecordedLog;
  readonly outcome: Promise<string>;
  leading: AbortSignal | undefined;
}

function start(identity: string, lead?: Lead, random = 0): Candidate {
  const client = new ScriptedKubeClient(server.answer);
  const leadership = new Leadership({ clock });
  const log = new RecordedLog();
  const options = {
    client,
    namespace: 'keyferry-system',
    name: 'keyferry',
    identity,
    leadership,
    clock,
    metrics,
    logger: log,
  };
  const elector = new LeaderElector({ ...options, random: () => random });
  const stop = new AbortController();
  const candidate: Candidate = {
    elector,
    leadership,
    stop,
    client,
    log,
    leading: undefined,
    outcome: Promise.resolve(''),
  };
  const work: Lead = async (leading) => {
    candidate.leading = leading;
    if (lead !== undefined) await lead(leading);
    else await new Promise<void>((resolve) => leading.addEventListener('abort', () => resolve()));
  };
  const outcome = elector.run(stop.signal, work).then(
    () => 'stopped',
    (error: { code: string }) => error.code,
  );
  return Object.assign(candidate, { outcome });
}

describe('LeaderElector', () => {
  describeTakingOver();
  describeStandby();
  describeOutages();
  describeLosing();
  describeStopping();
});

function describeTakingOver(): void {
  test('the first replica creates the lease and renews it every two seconds with one PUT, without a read', async () => {
    const a = start('a');
    await clock.advance(10_000);
    expect(a.elector.isLeader).toBe(true);
    expect(a.client.requests.map((request) => request.method)).toEqual([
      'GET',
      'POST',
      'PUT',
      'PUT',
      'PUT',
      'PUT',
      'PUT',
    ]);
    expect(a.client.requests.every((request) => request.pool === 'lease')).toBe(true);
    expect(metrics.value('leader_election_master_status', { name: 'keyferry' })).toBe(1);
  });

  test('a standby takes over only after the record is unchanged for its duration on its own clock', async () => {
    const a = start('a');
    await settle();
    const b = start('b');
    await clock.advance(60_000);
    expect(b.elector.isLeader).toBe(false);
    server.hangs = false;
    a.client.request = () => new Promise(() => undefined); // a is killed
    await clock.advance(14_000);
    expect(b.elector.isLeader).toBe(false);
    await clock.advance(6_000);
    expect(b.elector.isLeader).toBe(true);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  test('a standby takes over when the lease of a dead leader expires, however long its pauses are', async () => {
    const longest = 1;
    const a = start('a');
    await settle();
    const b = start('b', undefined, longest);
    await clock.advance(60_000);
    a.client.request = () => new Promise(() => undefined); // a is killed
    await clock.advance(17_700); // Observed within 2.4 s, valid for 15 s from then, requested within 0.2 s.
    expect(b.elector.isLeader).toBe(true);
  });

  test('a record for decades keeps every replica out for a minute, not for decades', async () => {
    server.store(foreignLease({ leaseDurationSeconds: 2 ** 31 - 1, leaseTransitions: 2 ** 31 - 1 }));
    const b = start('b');
    await clock.advance(59_000);
    expect(b.elector.isLeader).toBe(false);
    await clock.advance(3_000);
    expect(b.elector.isLeader).toBe(true);
    // One more is not an int32, and the API server would refuse it.
    expect(server.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 2 ** 31 - 1 });
  });

  test('a holder that renews such a record keeps its lease', async () => {
    const b = start('b');
    for (let round = 0; round < 10; round += 1) {
      const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z');
      server.store(foreignLease({ leaseDurationSeconds: 2 ** 31 - 1, renewTime }));
      await clock.advance(50_000);
      expect(b.elector.isLeader).toBe(false);
    }
  });
}

function foreignLease(spec: Partial<Lease['spec']>): Lease {
  const time = '2026-01-01T00:00:00.000000Z';
  const common = { leaseDurationSeconds: 15, acquireTime: time, renewTime: time, leaseTransitions: 0 };
  return { metadata: { resourceVersion: '' }, spec: { holderIdentity: 'other', ...common, ...spec } };
}

function describeStandby(): void {
  test('a standby says who holds the lease, once for each holder', async () => {
    const a = start('keyferry-a_1');
    await settle();
    const b = start('keyferry-b_2');
    await clock.advance(60_000);
    const said = (): unknown[] =>
      b.log.lines.filter(({ message }) => message.startsWith('standing by')).map(({ fields }) => fields);
    const held = (holder: string): object =>
      expect.objectContaining({ lease: 'Lease keyferry-system/keyferry', holder, hint: expect.any(String) });
    expect(said()).toEqual([held('keyferry-a_1')]);
    expect(a.log.lines.filter(({ message }) => message.startsWith('standing by'))).toEqual([]);
    a.stop.abort();
    const c = start('keyferry-c_3');
    await settle();
    await clock.advance(60_000);
    const [leader, standby] = b.elector.isLeader ? [b, c] : [c, b];
    expect(leader.elector.isLeader).toBe(true);
    expect(
      standby.log.lines.filter(({ message }) => message.startsWith('standing by')).at(-1)?.fields,
    ).toEqual(held(leader === b ? 'keyferry-b_2' : 'keyferry-c_3'));
  });
}

function describeOutages(): void {
  test.each([-3_600_000, 3_600_000])(
    'a leader whose wall clock is off by %i ms keeps its lease',
    async (skewMs) => {
      const skewed = new ManualClock(Date.UTC(2026, 0, 1) + skewMs);
      const renew = (): void => {
        const time = new Date(skewed.now()).toISOString().replace('Z', '000Z');
        const spec = {
          holderIdentity: 'other',
          leaseDurationSeconds: 15,
          acquireTime: time,
          renewTime: time,
          leaseTransitions: 0,
        };
        server.store({ metadata: { resourceVersion: '' }, spec });
      };
      renew();
      const b = start('b');
      for (let round = 0; round < 20; round += 1) {
        await Promise.all([clock.advance(2_000), skewed.advance(2_000)]);
        renew();
      }
      expect(b.elector.isLeader).toBe(false);
    },
  );

  test('stops leading before another replica may start, when the server is unreachable', async () => {
    const a = start('a');
    await clock.advance(2_000);
    server.hangs = true;
    await clock.advance(9_999);
    expect(a.leading?.aborted).toBe(false);
    await clock.advance(2_001);
    expect(a.leading?.aborted).toBe(true);
    expect(await a.outcome).toBe('LEASE_LOST');
    expect(metrics.value('leader_election_master_status', { name: 'keyferry' })).toBe(0);
  });

  test('survives a short outage', async () => {
    const a = start('a');
    await clock.advance(2_000);
    server.failure = 'BACKEND_UNREACHABLE';
    await clock.advance(7_000);
    server.failure = undefined;
    await clock.advance(20_000);
    expect(a.elector.isLeader).toBe(true);
  });
}

function describeLosing(): void {
  test('a process that was paused for longer than the deadline stops leading without a request', async () => {
    const a = start('a');
    await clock.advance(2_000);
    clock.jump(11_000);
    await clock.advance(0);
    expect(await a.outcome).toBe('LEASE_LOST');
    expect(a.leading?.reason).toMatchObject({ code: 'LEASE_LOST' });
  });

  test('a process that was paused holds no mandate from its first instruction on, and gets none back', async () => {
    const a = start('a');
    await clock.advance(2_000);
    a.leadership.assertHeld();
    clock.jump(10_000);
    expect(() => a.leadership.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_LOST' }));
    await settle(); // Still no timer fired, but the work is told.
    expect(a.leading?.aborted).toBe(true);
    expect(await a.outcome).toBe('LEASE_LOST');
    const requests = a.client.requests.length;
    await clock.advance(60_000);
    expect(a.client.requests.length).toBe(requests);
  });

  test('ends at its deadline although a renewal is on its way', async () => {
    const a = start('a');
    await clock.advance(2_000);
    server.hangs = true;
    await clock.advance(10_000);
    expect(await a.outcome).toBe('LEASE_LOST');
  });

  test('does not take back a lease that another replica held and released meanwhile', async () => {
    const a = start('a');
    await clock.advance(2_000);
    const stolen = server.lease;
    if (stolen === undefined) throw new Error('no lease');
    server.store({ ...stolen, spec: { ...stolen.spec, holderIdentity: '' } });
    await clock.advance(2_000);
    expect(await a.outcome).toBe('LEASE_LOST');
    expect(server.lease?.spec.holderIdentity).toBe('');
  });

  test('stops leading immediately when another replica holds the lease', async () => {
    const a = start('a');
    await clock.advance(2_000);
    const stolen = server.lease;
    if (stolen === undefined) throw new Error('no lease');
    server.store({ ...stolen, spec: { ...stolen.spec, holderIdentity: 'thief' } });
    await clock.advance(2_000);
    expect(await a.outcome).toBe('LEASE_LOST');
    expect(server.lease?.spec.holderIdentity).toBe('thief');
  });
}

function describeStopping(): void {
  test('renews while its workers drain, and releases only then', async () => {
    const drained = Promise.withResolvers<void>();
    const a = start('a', async () => await drained.promise);
    await clock.advance(2_000);
    a.stop.abort();
    await clock.advance(30_000);
    expect(a.leading?.aborted).toBe(true);
    expect(server.lease?.spec.holderIdentity).toBe('a');
    a.leadership.assertHeld();
    drained.resolve();
    expect(await a.outcome).toBe('stopped');
    expect(() => a.leadership.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_LOST' }));
    expect(server.lease?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    const b = start('b');
    await settle();
    expect(b.elector.isLeader).toBe(true);
  });

  test('holds no mandate any more when it releases the lease', async () => {
    const ended = Promise.withResolvers<void>();
    const a = start('a', async () => await ended.promise);
    await settle();
    const send = a.client.request.bind(a.client);
    const refusals: unknown[] = [];
    a.client.request = async (request) => {
      expect(() => a.leadership.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_LOST' }));
      refusals.push(request.method);
      return await send(request);
    };
    ended.resolve();
    expect(await a.outcome).toBe('stopped');
    expect(refusals).toEqual(['GET', 'PUT']);
  });

  test('does not release a lease that another replica took over', async () => {
    const a = start('a');
    await clock.advance(1_000);
    const stolen = server.lease;
    if (stolen === undefined) throw new Error('no lease');
    server.store({ ...stolen, spec: { ...stolen.spec, holderIdentity: 'thief' } });
    a.stop.abort();
    expect(await a.outcome).toBe('stopped');
    expect(server.lease?.spec.holderIdentity).toBe('thief');
  });

  test('is unhealthy when it leads long after its last renewal', async () => {
    const a = start('a');
    await settle();
    expect(a.elector.isHealthy).toBe(true);
    clock.jump(35_001);
    expect(a.elector.isHealthy).toBe(false);
  });

  test('a standby stops without leading', async () => {
    start('a');
    await settle();
    const b = start('b');
    await settle();
    b.stop.abort();
    expect(await b.outcome).toBe('stopped');
    expect(b.leading).toBeUndefined();
  });
}
