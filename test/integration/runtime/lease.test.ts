import type { V1Lease, V1LeaseSpec } from '@kubernetes/client-node';
import type { Stored, Wire } from '#src/kube/wire.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeClient } from '#src/kube/client.ts';
import { OperatorError } from '#src/errors.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { Leadership } from '#src/runtime/leadership.ts';
import { LeaderElector } from '#src/runtime/lease.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { openAdminClient } from './real-client.ts';

/** Short times with the proportions of the real ones. */
const TIMES = { leaseDurationMs: 3_000, retryPeriodMs: 400 };
const RENEW_DEADLINE_MS = 2_000;

let cluster: Cluster;
let client: HttpKubeClient;
let namespace: string;

beforeAll(async () => {
  cluster = sharedCluster();
  client = await openAdminClient(cluster);
  namespace = await cluster.createNamespace('lease');
});

afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await cluster.dispose();
});

interface Replica {
  readonly elector: LeaderElector;
  readonly stop: AbortController;
  readonly outcome: Promise<string>;
}

function start(name: string, identity: string, kube: KubeClient = client): Replica {
  const elector = new LeaderElector({
    ...TIMES,
    client: kube,
    namespace,
    name,
    identity,
    leadership: new Leadership({ clock: systemClock, renewDeadlineMs: RENEW_DEADLINE_MS }),
    clock: systemClock,
    random: Math.random,
    logger: new RecordedLog(),
    metrics: new RecordedMetrics(),
  });
  const stop = new AbortController();
  const outcome = elector
    .run(stop.signal, async (leading) => {
      await new Promise<void>((resolve) =>
        leading.addEventListener('abort', () => resolve(), { once: true }),
      );
    })
    .then(
      () => 'stopped',
      (error: { code: string }) => error.code,
    );
  return { elector, stop, outcome };
}

const read = async (name: string): Promise<Wire<V1LeaseSpec>> => {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
  return (await cluster.kube<Stored<V1Lease>>('GET', path)).spec ?? {};
};

describe('leader election on a real API server', () => {
  test('one leads; cut off, it stops before the other starts', async () => {
    let cut = false;
    const cutOff = new ScriptedKubeClient(async (request) => {
      if (cut) throw new OperatorError('BACKEND_UNREACHABLE', { op: request.op });
      return await client.request(request);
    });
    const first = start('cut', 'first', cutOff);
    await eventually('the first leads', () => first.elector.isLeader);
    const second = start('cut', 'second');
    const renewTime = (await read('cut')).renewTime;
    expect(renewTime).toMatch(/\.\d{6}Z$/);
    await eventually('it renews', async () => (await read('cut')).renewTime !== renewTime);
    expect(second.elector.isLeader).toBe(false);
    cut = true;
    let both = false;
    await eventually('the second leads', () => {
      both ||= first.elector.isLeader && second.elector.isLeader;
      return second.elector.isLeader;
    });
    expect(both).toBe(false);
    expect(await first.outcome).toBe('LEASE_LOST');
    expect(await read('cut')).toMatchObject({ holderIdentity: 'second', leaseTransitions: 1 });
    second.stop.abort();
    expect(await second.outcome).toBe('stopped');
  });

  test('one that stops in order is replaced without waiting for its lease to run out', async () => {
    const first = start('orderly', 'first');
    await eventually('the first leads', () => first.elector.isLeader);
    first.stop.abort();
    expect(await first.outcome).toBe('stopped');
    expect((await read('orderly')).holderIdentity).toBe('');
    const second = start('orderly', 'second');
    await eventually('the second leads at once', () => second.elector.isLeader, { deadlineMs: 2_000 });
    second.stop.abort();
    await second.outcome;
  });

  test('of ten that start at once exactly one leads', async () => {
    const replicas = Array.from({ length: 10 }, (_, index) => start('crowd', `replica-${index}`));
    const leaders = (): number => replicas.filter((replica) => replica.elector.isLeader).length;
    await eventually('one leads', () => leaders() > 0);
    const { renewTime } = await read('crowd');
    await eventually('it has renewed', async () => (await read('crowd')).renewTime !== renewTime);
    expect(leaders()).toBe(1);
    for (const replica of replicas) replica.stop.abort();
    await Promise.all(replicas.map(async (replica) => await replica.outcome));
  });
});
