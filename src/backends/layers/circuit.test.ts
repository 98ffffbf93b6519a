import { describe, expect, it } from 'vitest';
import type { Document } from '#src/core/document.ts';
import { errorOf, OperatorError, type ErrorCode } from '#src/errors.ts';
import { whenAborted } from '#src/io/abort.ts';
import { Deadline } from '#src/io/deadline.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { permitted } from '#test/support/permit.ts';
import { RecordedMetrics } from '#test/support/recorded.ts';
import type { Driver, Probe } from '../driver.ts';
import { BackendRegistry } from '../registry.ts';

const { signal } = new AbortController();
const PROBE: Probe = { server: { product: 'p', version: '1' }, identity: 'i', capabilities: [] };
const ABSENT = { state: 'absent' } as const;
const REFUSED = { code: 'BACKEND_NOT_READY', message: expect.stringContaining('BackendSealed') };
const ACCESSOR = {
  migration: { namespace: 'ns', name: 'm', uid: 'u' },
  backend: { kind: 'SecretBackend', namespace: 'ns', name: 'bao' },
};
const DOCUMENT: Document = { address: 'db', fields: new Map(), attributes: {} };

/** What a server does with a request: it answers, fails with a code, or says nothing until the request is aborted. */
type Behavior = 'answer' | ErrorCode | 'silence';

/** A backend whose server the test breaks, and every request that left. */
function aBackend(clock: ManualClock) {
  const sent: string[] = [];
  const server: { probe: Behavior; requests: Behavior; isLimited: boolean; doubts: number } = {
    probe: 'answer',
    requests: 'answer',
    isLimited: false,
    doubts: 0,
  };
  const held: (() => void)[] = [];
  const does = async (name: string, behavior: Behavior, inner: AbortSignal): Promise<void> => {
    sent.push(name);
    if (behavior === 'answer') return;
    const indeterminate = name.startsWith('write');
    // As a request that waits for its turn.
    using _paused = server.isLimited ? Deadline.pause(inner) : undefined;
    if (behavior !== 'silence') throw new OperatorError(behavior, { op: 'test', indeterminate });
    await Promise.race([whenAborted(inner), new Promise<void>((resolve) => held.push(resolve))]);
    inner.throwIfAborted();
  };
  const driver: Partial<Driver> = {
    kind: 'fake',
    traits: { addressing: 'tree', concurrency: 8, statesAttributes: false },
    backups: undefined,
    claims: undefined,
    projections: undefined,
    acceptedPerSecond: () => (server.isLimited ? 5 : undefined),
    refusalOf: () => undefined,
    addressRefusalOf: () => undefined,
    probe: async (inner) => {
      await does('probe', server.probe, inner);
      return PROBE;
    },
    read: async (address, inner) => {
      await does(`read ${address}`, server.requests, inner);
      return ABSENT;
    },
    async *list(_query, inner) {
      for (const address of ['a', 'b']) {
        await does(`list ${address}`, server.requests, inner);
        yield { address };
      }
    },
    write: async ({ address }, _expect, permit) => {
      await does(`write ${address}`, server.requests, permit.signal);
      return { identity: 'i', revision: '1' };
    },
    [Symbol.asyncDispose]: async () => Promise.resolve(),
  };
  const guard = { clock, random: () => 0, metrics: new RecordedMetrics() };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a call that the test does not expect fails
  const registry = new BackendRegistry([{ kind: 'kubernetes', create: () => driver as Driver }], { guard });
  const definition = {
    title: 'SecretBackend ns/bao',
    spec: { type: 'kubernetes' },
    backend: ACCESSOR.backend,
    credentialsNamespace: 'ns',
    tenant: 'ns',
  };
  const opened = registry.open(definition, {
    refusalOf: () => undefined,
    onDoubt: () => {
      server.doubts += 1;
    },
  });
  const lent = opened.for('ns', ACCESSOR);
  const read = async (address: string): Promise<unknown> =>
    lent.read(address, signal).catch((failure: unknown) => failure);
  const write = async (): Promise<unknown> =>
    lent.write(DOCUMENT, 'absent', permitted(signal)).catch((failure: unknown) => failure);
  const reads = async (many: number): Promise<unknown[]> =>
    Promise.all(Array.from({ length: many }, async (_each, index) => read(`doc-${index}`)));
  /** Lets the server answer everything that it left unanswered. */
  const answer = async (): Promise<void> => {
    for (const release of held.splice(0)) release();
    await clock.advance(0);
  };
  const probes = (): number => sent.filter((name) => name === 'probe').length;
  return { answer, held, lent, opened, probes, read, reads, sent, server, write };
}

/** A backend whose circuit one failed read has opened. */
async function anOpenCircuit(clock = new ManualClock()) {
  const backend = aBackend(clock);
  backend.server.requests = 'BACKEND_SEALED';
  backend.server.probe = 'BACKEND_SEALED';
  const first = backend.read('first');
  await clock.advance(5_000);
  expect(await first).toMatchObject({ code: 'BACKEND_SEALED' });
  await clock.advance(0);
  backend.sent.length = 0;
  return { ...backend, clock };
}

describe('a server that is sealed', () => {
  it('is probed once, however many requests fail, and the owner is told once', async () => {
    const clock = new ManualClock();
    const { probes, reads, server } = aBackend(clock);
    server.requests = 'BACKEND_SEALED';
    server.probe = 'BACKEND_SEALED';
    const failed = reads(20);
    await clock.advance(5_000);
    expect(new Set((await failed).map((failure) => errorOf(failure).code))).toEqual(
      new Set(['BACKEND_SEALED', 'BACKEND_NOT_READY']),
    );
    expect(probes()).toBe(1);
    expect(server.doubts).toBe(1);
  });

  it('is told to the owner once also if the probe of a run finds it first, right after one that succeeded', async () => {
    const { opened, server } = aBackend(new ManualClock());
    await opened.probe('now', signal);
    server.probe = 'BACKEND_SEALED';
    for (let times = 0; times < 2; times += 1)
      await expect(opened.probe('now', signal)).rejects.toMatchObject({ code: 'BACKEND_SEALED' });
    expect(server.doubts).toBe(1);
  });

  it('gets nothing but probes from then on: every request is told why at once', async () => {
    const { lent, opened, read, sent, write } = await anOpenCircuit();
    expect(await read('other')).toMatchObject(REFUSED);
    expect(await write()).toMatchObject({ ...REFUSED, indeterminate: false });
    await expect(Array.fromAsync(lent.list({ folder: '' }, signal))).rejects.toMatchObject(REFUSED);
    await expect(opened.probe('known', signal)).rejects.toMatchObject({ code: 'BACKEND_SEALED' });
    expect(sent).toEqual(['probe']);
  });

  it('is used again as soon as a probe succeeds', async () => {
    const { opened, read, server } = await anOpenCircuit();
    Object.assign(server, { probe: 'answer', requests: 'answer' });
    await opened.probe('now', signal);
    expect(await read('other')).toBe(ABSENT);
  });
});

describe('a connection that broke while the server works', () => {
  it('lets what begins wait for one probe, and then go on', async () => {
    const clock = new ManualClock();
    const { answer, probes, read, reads, sent, server, write } = aBackend(clock);
    await clock.advance(5_000);
    Object.assign(server, { requests: 'BACKEND_UNREACHABLE', probe: 'silence' });
    expect(await write()).toMatchObject({ code: 'BACKEND_UNREACHABLE', indeterminate: true });
    server.requests = 'answer';
    const waiting = reads(5);
    await clock.advance(0);
    expect(sent).toEqual(['write db', 'probe']);
    // What became of the change is read without a wait.
    expect(await read('db')).toBe(ABSENT);
    await answer();
    expect(await waiting).toEqual(Array.from({ length: 5 }, () => ABSENT));
    expect(probes()).toBe(1);
  });
});

describe('a failure that a document can have alone', () => {
  it.each<ErrorCode>(['AUTH_DENIED', 'SERVER_ERROR', 'DEADLINE'])(
    '(%s) holds nothing up and starts at most one probe in half a minute',
    async (code) => {
      const clock = new ManualClock();
      const { probes, server, write, lent } = aBackend(clock);
      server.requests = code;
      for (let document = 0; document < 10; document += 1) expect(await write()).toMatchObject({ code });
      expect(probes()).toBe(1);
      server.requests = 'answer';
      expect(await lent.read('db', signal)).toBe(ABSENT);
    },
  );

  it('opens the circuit if the probe fails too, as with a token that was revoked', async () => {
    const clock = new ManualClock();
    const { read, server, write } = aBackend(clock);
    Object.assign(server, { requests: 'AUTH_DENIED', probe: 'AUTH_DENIED' });
    await write();
    await clock.advance(0);
    await read('db');
    const refused = { code: 'BACKEND_NOT_READY', message: expect.stringContaining('PermissionDenied') };
    expect(await read('other')).toMatchObject(refused);
  });

  it('is none that the store answers: a conflict asks nobody', async () => {
    const { probes, server, write } = aBackend(new ManualClock());
    server.requests = 'VERSION_CONFLICT';
    await write();
    expect(probes()).toBe(0);
  });
});

describe('a server that became silent', () => {
  it('ends what reads once a probe says so, and no change that was sent', async () => {
    const clock = new ManualClock();
    const { answer, lent, opened, reads, server, write } = aBackend(clock);
    server.requests = 'silence';
    server.probe = 'BACKEND_UNREACHABLE';
    const listing = Array.fromAsync(lent.list({ folder: '' }, signal)).catch((failure: unknown) => failure);
    const all = reads(3);
    const change = write();
    await clock.advance(0);
    await opened.probe('now', signal).catch(() => undefined);
    const refused = { code: 'BACKEND_NOT_READY', message: expect.stringContaining('BackendUnavailable') };
    expect(await listing).toMatchObject(refused);
    expect(await all).toMatchObject([refused, refused, refused]);
    await answer();
    expect(await change).toEqual({ identity: 'i', revision: '1' });
    server.requests = 'answer';
    // Read back once; a second read begins something.
    expect(await lent.read('db', signal)).toBe(ABSENT);
    await expect(lent.read('db', signal)).rejects.toMatchObject({ code: 'BACKEND_NOT_READY' });
  });

  it('does not slow down another backend', async () => {
    const clock = new ManualClock();
    const { server, reads } = aBackend(clock);
    const other = aBackend(clock);
    Object.assign(server, { requests: 'silence', probe: 'silence' });
    void reads(20);
    await clock.advance(0);
    expect(await other.reads(20)).toEqual(Array.from({ length: 20 }, () => ABSENT));
    expect(clock.monotonic()).toBe(0);
  });

  it('is not one whose quota is used up: a probe that waits for its turn opens nothing', async () => {
    const clock = new ManualClock();
    const { opened, read, server } = aBackend(clock);
    Object.assign(server, { isLimited: true, probe: 'silence' });
    const probing = opened.probe('now', signal).catch((failure: unknown) => failure);
    await clock.advance(20_000);
    expect(await probing).toMatchObject({ code: 'DEADLINE' });
    expect(await read('db')).toBe(ABSENT);
  });
});

describe('a server that is back after an outage', () => {
  it('gets one request, then twice as many with each reply, until all go through', async () => {
    const { answer, clock, held, opened, reads, server } = await anOpenCircuit();
    Object.assign(server, { probe: 'answer', requests: 'silence' });
    await opened.probe('now', signal);
    const all = reads(200);
    const underWay: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      await clock.advance(0);
      underWay.push(held.length);
      await answer();
    }
    expect(underWay).toEqual([1, 2, 4, 8, 16, 32, 64, 73]);
    expect(await all).toHaveLength(200);
  });

  it('begins again with one request when it fails again', async () => {
    const { clock, held, opened, reads, server } = await anOpenCircuit();
    for (let outage = 0; outage < 2; outage += 1) {
      Object.assign(server, { probe: 'answer', requests: 'silence' });
      await opened.probe('now', signal);
      const all = reads(5);
      await clock.advance(0);
      expect(held.splice(0)).toHaveLength(1);
      server.probe = 'BACKEND_SEALED';
      await opened.probe('now', signal).catch(() => undefined);
      expect(await all).toMatchObject(Array.from({ length: 5 }, () => REFUSED));
    }
  });

  it('can be read while it is listed, also while one request at a time may begin', async () => {
    const { lent, opened, read, server } = await anOpenCircuit();
    Object.assign(server, { probe: 'answer', requests: 'answer' });
    await opened.probe('now', signal);
    const found: unknown[] = [];
    for await (const { address } of lent.list({ folder: '' }, signal)) found.push(await read(address));
    expect(found).toEqual([ABSENT, ABSENT]);
  });

  it('does not get a request whose run ended while it waited', async () => {
    const { answer, clock, held, lent, opened, reads, server } = await anOpenCircuit();
    Object.assign(server, { probe: 'answer', requests: 'silence' });
    await opened.probe('now', signal);
    const first = reads(1);
    await clock.advance(0);
    const run = new AbortController();
    const waiting = lent.read('late', run.signal).catch((failure: unknown) => failure);
    await clock.advance(0);
    run.abort(new OperatorError('RUN_STOPPED', { op: 'test' }));
    expect(await waiting).toMatchObject({ code: 'RUN_STOPPED' });
    await answer();
    expect([await first, held.length]).toEqual([[ABSENT], 0]);
  });
});
