import { describe, expect, it } from 'vitest';
import {
  ACKNOWLEDGE_IDENTITY_ANNOTATION,
  API_VERSION,
  RECONCILE_REQUESTED_ANNOTATION,
} from '#src/api/group.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { Driver, Probe } from '#src/backends/driver.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { BackendRegistry } from '#src/backends/registry.ts';
import { OperatorError } from '#src/errors.ts';
import { whenAborted } from '#src/io/abort.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { StatusWriter } from '#src/runtime/status-patch.ts';
import { Store } from '#src/runtime/store.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { DriverPool } from './pool.ts';
import { BackendReconciler } from './reconcile.ts';

const resource = {
  group: 'keyferry.io',
  version: 'v1alpha1',
  plural: 'secretbackends',
  kind: 'SecretBackend',
  namespaced: true,
};
const { signal } = new AbortController();
const PROBE: Probe = { server: { product: 'OpenBao', version: '2' }, identity: 'i', capabilities: [] };

type Objects = Map<string, KubeObject & { status?: object }>;

function aBackend(name: string, namespace: string, generation = 1): KubeObject & { status?: object } {
  const openbao = { address: 'https://bao:8200', auth: { token: { secretRef: { name: 'token' } } } };
  return {
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name, namespace, uid: `${namespace}/${name}`, resourceVersion: '1', generation },
    spec: { type: 'openbao', openbao },
  } as KubeObject;
}

/** The reconciler of SecretBackends that all have the same address, whose server answers when `isSilent` is false. */
function aReconciler() {
  const clock = new ManualClock();
  const objects: Objects = new Map();
  const server = { isSilent: true, probes: 0, opened: 0, credentialsChanged: false, identity: 'i' };
  const client = new ScriptedKubeClient(({ method, path, body }) => {
    const [, namespace, name] = /namespaces\/([^/]+)\/[^/]+\/([^/]+)/.exec(path) ?? [];
    const found = objects.get(`${namespace}/${name}`);
    if (found === undefined) throw new OperatorError('NOT_FOUND', { op: 'test' });
    if (method !== 'PATCH') return found;
    const sent = body instanceof Object && 'status' in body ? body.status : undefined;
    const written = { ...found, status: Object.assign({}, found.status, sent) };
    objects.set(`${namespace}/${name}`, written);
    return written;
  });
  const probe = async (inner: AbortSignal): Promise<Probe> => {
    server.probes += 1;
    if (server.isSilent) await whenAborted(inner);
    inner.throwIfAborted();
    return { ...PROBE, identity: server.identity };
  };
  const traits = { origin: 'https://bao:8200' };
  const driver = { kind: 'openbao', traits, probe, [Symbol.asyncDispose]: async () => Promise.resolve() };
  const guard = { clock, random: () => 0, metrics: new RecordedMetrics() };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a question that is not expected fails loudly
  const create = (): Driver => ((server.opened += 1), driver as unknown as Driver);
  const registry = new BackendRegistry([{ kind: 'openbao', create }], { guard }, { knownForMs: 120_000 });
  const pool = new DriverPool({
    registry,
    clusterResourceNamespace: 'keyferry',
    closedNamespaces: [],
    kinds: BACKEND_KINDS,
  });
  const reconciler = new BackendReconciler({
    backends: new ObjectClient(client, resource),
    parse: parseSecretBackend,
    clusterCache: new Store(),
    kind: 'SecretBackend',
    credentials: { haveChanged: async () => server.credentialsChanged, forget: () => undefined },
    pool,
    writer: new StatusWriter({ client, resource }),
    events: { record: () => undefined },
    kinds: BACKEND_KINDS,
    clock,
    random: () => 0.5,
    probeIntervalMs: 60_000,
  });
  const reconcile = async (key: string): Promise<unknown> =>
    reconciler
      .reconcile(key, { reconcileId: 'r', signal, logger: new RecordedLog() })
      .catch((failure: unknown) => failure);
  const add = (object: KubeObject): void =>
    void objects.set(`${object.metadata.namespace}/${object.metadata.name}`, object);
  const readyOf = (key: string) => {
    const parsed = parseSecretBackend(objects.get(key));
    return parsed.ok ? parsed.value.status.conditions?.find(({ type }) => type === 'Ready') : undefined;
  };
  return { clock, server, objects, add, pool, reconcile, readyOf };
}

/** Reconciles, and lets a probe that is not answered reach its deadline. */
async function afterDeadline({ clock, reconcile }: ReturnType<typeof aReconciler>, key: string) {
  const reconciled = reconcile(key);
  await clock.advance(10_000);
  return reconciled;
}

describe('a server that does not answer', () => {
  it('costs one probe of ten seconds, and then none for a pause, whichever backend of the namespace names it', async () => {
    const operator = aReconciler();
    for (const name of ['a', 'b']) operator.add(aBackend(name, 'ns'));
    expect(await afterDeadline(operator, 'ns/a')).toMatchObject({ code: 'DEADLINE' });
    expect(operator.server.probes).toBe(1);
    // As every server that gives no usable answer: the log has what it was.
    const shown = {
      status: 'False',
      reason: 'BackendUnavailable',
      message: operator.readyOf('ns/a')?.message,
    };
    expect(operator.readyOf('ns/a')).toMatchObject(shown);

    expect(await operator.reconcile('ns/a')).toEqual({ kind: 'requeue', requeueAfterMs: 5_000 });
    expect(await operator.reconcile('ns/b')).toMatchObject({
      code: 'DEADLINE',
      message: expect.stringContaining('Another backend with this address'),
    });
    expect(operator.server.probes).toBe(1);
    expect(operator.readyOf('ns/b')).toMatchObject(shown);
  });

  it('is asked at once for a backend of another namespace, and for one that a user has changed', async () => {
    const operator = aReconciler();
    operator.add(aBackend('a', 'ns'));
    await afterDeadline(operator, 'ns/a');
    operator.add(aBackend('v', 'victim'));
    operator.server.isSilent = false;
    expect(await operator.reconcile('victim/v')).toMatchObject({ kind: 'requeue' });
    expect(operator.readyOf('victim/v')?.status).toBe('True');

    operator.add({
      ...operator.objects.get('ns/a'),
      ...aBackend('a', 'ns', 2),
      status: { observedGeneration: 1 },
    } as KubeObject);
    await operator.reconcile('ns/a');
    expect(operator.readyOf('ns/a')?.status).toBe('True');
  });

  it('is asked by a backend that works, although another one waits', async () => {
    const operator = aReconciler();
    for (const name of ['a', 'b']) operator.add(aBackend(name, 'ns'));
    operator.server.isSilent = false;
    await operator.reconcile('ns/b');
    operator.server.isSilent = true;
    await afterDeadline(operator, 'ns/a');
    operator.server.isSilent = false;
    const { probes } = operator.server;
    await operator.reconcile('ns/b');
    expect(operator.server.probes).toBe(probes + 1);
    expect(operator.readyOf('ns/b')?.status).toBe('True');
  });
});

describe('a probe that a user asks for', () => {
  it('is sent at once to a server that others wait for, once, and the status says that it answers the request', async () => {
    const operator = aReconciler();
    const { add, objects, reconcile, server } = operator;
    add(aBackend('a', 'ns'));
    await afterDeadline(operator, 'ns/a');
    await reconcile('ns/a');
    expect(server.probes).toBe(1);

    const annotations = { [RECONCILE_REQUESTED_ANNOTATION]: 'now' };
    add({ ...objects.get('ns/a'), metadata: { ...aBackend('a', 'ns').metadata, annotations } });
    await afterDeadline(operator, 'ns/a');
    expect(server.probes).toBe(2);
    expect(objects.get('ns/a')?.status).toMatchObject({ lastHandledReconcileAt: 'now' });

    await reconcile('ns/a');
    expect(server.probes).toBe(2);
  });
});

describe('a server that worked and then does not answer for long', () => {
  it('is asked again within the interval of probes, and its backend is Ready with the first answer', async () => {
    const operator = aReconciler();
    const { clock, server, reconcile, readyOf } = operator;
    operator.add(aBackend('a', 'ns'));
    server.isSilent = false;
    await reconcile('ns/a');
    server.isSilent = true;
    for (let outage = 0; outage < 6; outage += 1) {
      await clock.advance(60_000);
      expect(await afterDeadline(operator, 'ns/a')).toMatchObject({ code: 'DEADLINE' });
    }
    server.isSilent = false;
    await clock.advance(50_000);
    await reconcile('ns/a');
    expect(readyOf('ns/a')?.status).toBe('False');
    await clock.advance(10_000);
    await reconcile('ns/a');
    expect(readyOf('ns/a')?.status).toBe('True');
  });
});

describe('a backend that is Ready', () => {
  const migration = { namespace: 'ns', name: 'm', uid: 'u' };
  const storedIn = (objects: Objects): SecretBackend => {
    const parsed = parseSecretBackend(objects.get('ns/a'));
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    return parsed.value;
  };

  it('is asked every five minutes, and each minute from the moment that a migration uses it to the minute after', async () => {
    const { add, objects, pool, reconcile, server } = aReconciler();
    server.isSilent = false;
    add(aBackend('a', 'ns'));
    const every = (minutes: number) => ({ kind: 'requeue', requeueAfterMs: minutes * 60_000 });
    expect(await reconcile('ns/a')).toEqual(every(5));

    const lease = await pool.acquire(storedIn(objects), migration);
    expect(await reconcile('ns/a')).toEqual(every(1));
    expect(await reconcile('ns/a')).toEqual(every(1));
    await lease[Symbol.asyncDispose]();
    expect(await reconcile('ns/a')).toEqual(every(1));
    expect(await reconcile('ns/a')).toEqual(every(5));
  });

  it('is asked by a run that finds its last probe too old, which wakes its reconcile', async () => {
    const { add, clock, objects, pool, reconcile, server } = aReconciler();
    const woken: string[] = [];
    pool.onDoubt(({ metadata }) => woken.push(metadata.name));
    server.isSilent = false;
    add(aBackend('a', 'ns'));
    await reconcile('ns/a');
    await using lease = await pool.acquire(storedIn(objects), migration);
    await clock.advance(120_000);
    await lease.probe('known', signal);
    expect([server.probes, woken]).toEqual([1, []]);
    await clock.advance(1);
    await lease.probe('known', signal);
    expect([server.probes, woken]).toEqual([2, ['a']]);

    server.identity = 'another';
    await clock.advance(120_001);
    await expect(lease.probe('known', signal)).rejects.toMatchObject({ code: 'BACKEND_IDENTITY_CHANGED' });
  });
});

describe('credentials that changed without a watch', () => {
  it('open the driver again before the probe, once a change', async () => {
    const { add, reconcile, server, readyOf } = aReconciler();
    server.isSilent = false;
    add(aBackend('a', 'ns'));
    const openedAfter = async (changed: boolean): Promise<number> => {
      server.credentialsChanged = changed;
      await reconcile('ns/a');
      return server.opened;
    };
    expect(await openedAfter(false)).toBe(1);
    expect(await openedAfter(false)).toBe(1);
    expect(await openedAfter(true)).toBe(2);
    expect(await openedAfter(false)).toBe(2);
    expect(readyOf('ns/a')?.status).toBe('True');
  });
});

describe('a backend of a newer version', () => {
  it('with a field in its spec that is not known is not Ready, names the field, and reaches no server', async () => {
    const { add, reconcile, server, readyOf } = aReconciler();
    add({
      ...aBackend('a', 'ns'),
      spec: { type: 'kubernetes', kubernetes: {}, keyPrefix: 'x' },
    } as KubeObject);
    expect(await reconcile('ns/a')).toMatchObject({ code: 'SPEC_INVALID' });
    expect(readyOf('ns/a')).toMatchObject({ status: 'False', reason: 'InvalidSpec' });
    expect(readyOf('ns/a')?.message).toContain('does not know spec.keyPrefix');
    expect(server.opened).toBe(0);
  });

  it('keeps the conditions that are not ours', async () => {
    const { add, objects, reconcile, server } = aReconciler();
    server.isSilent = false;
    const rotated = {
      type: 'Rotated',
      status: 'True',
      reason: 'ByHand',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    add({ ...aBackend('a', 'ns'), status: { conditions: [rotated] } } as KubeObject);
    await reconcile('ns/a');
    expect(objects.get('ns/a')?.status).toMatchObject({
      conditions: [{ type: 'Ready', status: 'True' }, rotated],
    });
  });
});

describe('a server that was swapped', () => {
  const KEY = 'ns/a';

  async function aSwapped() {
    const operator = aReconciler();
    const { add, objects, reconcile, server } = operator;
    server.isSilent = false;
    add(aBackend('a', 'ns'));
    await reconcile(KEY);
    expect(objects.get(KEY)?.status).toMatchObject({ identity: 'i', identityPlace: expect.any(String) });
    server.identity = 'other';
    const statusOf = (): unknown => objects.get(KEY)?.status;
    return { ...operator, statusOf };
  }

  it('makes the backend not Ready, is not recorded, and cuts off what runs through it', async () => {
    const { objects, pool, readyOf, reconcile, statusOf } = await aSwapped();
    const parsed = parseSecretBackend(objects.get(KEY));
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    const lease = await pool.acquire(parsed.value, { namespace: 'ns', name: 'm', uid: 'u' });
    expect(await reconcile(KEY)).toMatchObject({ code: 'BACKEND_IDENTITY_CHANGED' });
    expect(readyOf(KEY)).toMatchObject({ status: 'False', reason: 'BackendIdentityChanged' });
    expect(readyOf(KEY)?.message).toContain("acknowledge-identity='other'");
    expect(statusOf()).toMatchObject({ identity: 'i' });
    expect(lease.revoked.aborted).toBe(true);
    await expect(lease.driver.read('db', signal)).rejects.toMatchObject({ code: 'BACKEND_NOT_READY' });
  });

  it('is refused to a migration that begins before the next probe of the backend', async () => {
    const { objects, pool, server } = await aSwapped();
    const parsed = parseSecretBackend(objects.get(KEY));
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    await pool.retire(parsed.value.metadata.uid, { because: 'As after a restart of the operator.' });
    const { probes } = server;
    const lease = await pool.acquire(parsed.value, { namespace: 'ns', name: 'm', uid: 'u' });
    const refused = { code: 'BACKEND_IDENTITY_CHANGED' };
    await expect(lease.probe('known', signal)).rejects.toMatchObject(refused);
    await expect(lease.probe('known', signal)).rejects.toMatchObject(refused);
    expect(server.probes).toBe(probes + 2);
  });

  it('is recorded once the annotation names it, and is then the one that others are held against', async () => {
    const { objects, add, readyOf, reconcile, server, statusOf } = await aSwapped();
    await reconcile(KEY);
    const found = objects.get(KEY);
    const metadata = {
      ...aBackend('a', 'ns').metadata,
      annotations: { [ACKNOWLEDGE_IDENTITY_ANNOTATION]: 'other' },
    };
    add({ ...found, metadata });
    await reconcile(KEY);
    expect(readyOf(KEY)).toMatchObject({ status: 'True' });
    expect(statusOf()).toMatchObject({ identity: 'other' });
    server.identity = 'i';
    await reconcile(KEY);
    expect(readyOf(KEY)).toMatchObject({ status: 'False', reason: 'BackendIdentityChanged' });
  });

  it('is forgotten when the recorded one is back', async () => {
    const { readyOf, reconcile, server } = await aSwapped();
    await reconcile(KEY);
    server.identity = 'i';
    await reconcile(KEY);
    expect(readyOf(KEY)).toMatchObject({ status: 'True' });
  });
});
