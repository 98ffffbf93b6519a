import { describe, expect, it } from 'vitest';
import type { AccessRecord, CredentialRecord, Labels } from '#src/ports.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { collect } from '#test/support/collect.ts';
import type { Driver } from './driver.ts';
import type { BackendDefinition } from './factory.ts';
import { BackendRegistry } from './registry.ts';

const { signal } = new AbortController();
/** Of a driver or a backend that was closed. */
const CLOSED = { code: 'BACKEND_NOT_READY', op: expect.stringMatching(/^backend\./) };
const PROBE = { server: { product: 'p', version: '1' }, identity: 'i', capabilities: [] };
const DEFINITION: BackendDefinition = {
  title: 'ClusterSecretBackend shared',
  spec: { type: 'kubernetes', reservedPrefixes: [{ prefix: 'sys_', allowNamespaces: [] }] },
  backend: { kind: 'SecretBackend', namespace: 'n', name: 'b' },
  credentialsNamespace: 'keyferry',
  tenant: undefined,
};

function accessorOf(namespace: string) {
  return {
    migration: { namespace, name: 'm', uid: 'u' },
    backend: { kind: 'ClusterSecretBackend', name: 'shared' },
  };
}

/** A backend whose drivers record each call with the namespace that the driver is for. */
function anOpenBackend(
  addressing: 'flat' | 'tree',
  definition: Partial<BackendDefinition> = {},
  isAudited = true,
) {
  const asked: string[] = [];
  const records: (AccessRecord | CredentialRecord)[] = [];
  const measured: (Labels | undefined)[] = [];
  const create = ({ tenant = '*' }: BackendDefinition): Driver => {
    const ask = async <T>(question: string, answer: T): Promise<T> => {
      asked.push(`${tenant} ${question}`);
      return Promise.resolve(answer);
    };
    const driver: Partial<Driver> = {
      kind: 'fake',
      traits: { addressing, concurrency: 1, statesAttributes: false },
      backups: undefined,
      projections: undefined,
      probe: async () => ask('probe', PROBE),
      read: async (address) => ask(`read ${address}`, { state: 'absent' } as const),
      [Symbol.asyncDispose]: async () => ask('closed', undefined),
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a call that the test does not expect fails
    return driver as Driver;
  };
  const metrics = {
    count: (_name: string, labels?: Labels, by = 1) => {
      if (by > 0) measured.push(labels); // Each series starts with a zero.
    },
    observe: () => undefined,
    gauge: () => undefined,
  };
  const registry = new BackendRegistry([{ kind: 'kubernetes', create }], {
    guard: { clock: systemClock, random: () => 0.5, metrics, deadlineMs: 1_000 },
    accessLog: isAudited
      ? { record: async (record) => Promise.resolve(void records.push(record)) }
      : undefined,
  });
  return { backend: registry.open({ ...DEFINITION, ...definition }), asked, records, measured };
}

describe('an open backend', () => {
  it('gives each namespace a folder of a tree store, or its own driver of a flat store', async () => {
    const tree = anOpenBackend('tree');
    await tree.backend.for('red', accessorOf('red')).read('a', signal);
    expect(tree.asked).toEqual(['* read red/a']);
    const flat = anOpenBackend('flat');
    await flat.backend.for('red', accessorOf('red')).read('a', signal);
    expect(flat.asked).toEqual(['red read a']);
  });

  it('gives the namespace of a SecretBackend the whole store', async () => {
    const { backend, asked } = anOpenBackend('tree', { tenant: 'red' });
    await backend.for('red', accessorOf('red')).read('a', signal);
    expect(asked).toEqual(['red read a']);
  });

  it('records a request for a reserved name and does not pass it on', async () => {
    const { backend, asked, records, measured } = anOpenBackend('tree');
    const driver = backend.for('red', accessorOf('red'));
    await expect(driver.read('sys_a', signal)).rejects.toMatchObject({ code: 'NAME_RESERVED' });
    expect(records).toMatchObject([{ path: 'sys_a', outcome: 'NAME_RESERVED', ...accessorOf('red') }]);
    expect([asked, measured]).toEqual([[], []]);
  });

  it('checks the names that a namespace sees, not the folder that the namespace has', async () => {
    const { backend, asked, records, measured } = anOpenBackend('tree');
    await backend.for('sys_team', accessorOf('sys_team')).read('a', signal);
    expect(asked).toEqual(['* read sys_team/a']);
    expect(records).toMatchObject([{ path: 'a', outcome: 'absent' }]);
    expect(measured).toEqual([{ backend: 'fake', operation: 'read', code: 'ok' }]);
  });

  it('reuses a known probe result, except for a driver that only its namespace uses', async () => {
    const tree = anOpenBackend('tree');
    const flat = anOpenBackend('flat');
    for (const { backend } of [tree, flat]) {
      expect(await backend.probe('known', signal, 'red')).toBe(PROBE);
      expect(await backend.probe('known', signal, 'red')).toBe(PROBE);
      await backend.probe('known', signal);
      await backend.probe('known', signal);
      await backend.probe('now', signal);
    }
    expect(tree.asked).toEqual(['* probe', '* probe']);
    expect(flat.asked).toEqual(['red probe', 'red probe', '* probe', '* probe']);
  });

  it('closes the drivers of its tenants and then its own', async () => {
    const { backend, asked } = anOpenBackend('flat');
    backend.for('red', accessorOf('red'));
    await backend[Symbol.asyncDispose]();
    expect(asked).toEqual(['red closed', '* closed']);
  });

  it('refuses all work once it is closed, also through the drivers that it handed out, and closes once', async () => {
    const { backend, asked } = anOpenBackend('flat');
    const driver = backend.for('red', accessorOf('red'));
    await backend[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
    await expect(driver.read('a', signal)).rejects.toMatchObject(CLOSED);
    await expect(collect(driver.list({ folder: '' }, signal))).rejects.toMatchObject(CLOSED);
    await expect(backend.probe('known', signal)).rejects.toMatchObject(CLOSED);
    expect(() => backend.for('blue', accessorOf('blue'))).toThrow(expect.objectContaining(CLOSED));
    expect(asked).toEqual(['red closed', '* closed']);
  });

  it.each([
    ['with an access log', true, DEFINITION.spec],
    ['without an access log', false, DEFINITION.spec],
    ['without an access log and reserved prefixes', false, { type: 'kubernetes' }],
  ])(
    'hands out drivers that refuse work once they are given back, and close nothing, %s',
    async (_case, isAudited, spec) => {
      for (const tenant of [undefined, 'red']) {
        const { backend, asked } = anOpenBackend('flat', { spec, tenant }, isAudited);
        const driver = backend.for('red', accessorOf('red'));
        await driver[Symbol.asyncDispose]();
        expect(asked).toEqual([]);
        await expect(driver.read('a', signal)).rejects.toMatchObject(CLOSED);
        await backend.for('red', accessorOf('red')).read('a', signal);
        expect(asked).toEqual(['red read a']);
      }
    },
  );

  it('cannot be opened for a type without a factory', () => {
    expect(() => anOpenBackend('flat', { spec: { type: 'openbao' } })).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID' }),
    );
  });
});
