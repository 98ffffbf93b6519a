import { describe, expect, it } from 'vitest';
import type { AccessRecord, Labels } from '#src/ports.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import type { Driver } from './driver.ts';
import type { BackendDefinition } from './factory.ts';
import { BackendRegistry } from './registry.ts';

const { signal } = new AbortController();
const PROBE = { server: { product: 'p', version: '1' }, identity: 'i', capabilities: [] };
const DEFINITION: BackendDefinition = {
  title: 'ClusterSecretBackend shared',
  spec: { type: 'kubernetes', reservedPrefixes: [{ prefix: 'sys_', allowNamespaces: [] }] },
  credentialsNamespace: 'keyferry',
  tenant: undefined,
};

function accessorOf(namespace: string) {
  return {
    migration: { namespace, name: 'm', uid: 'u' },
    backend: { kind: 'ClusterSecretBackend', name: 'shared' },
  };
}

/** A backend whose drivers only say what they were asked, each with the namespace that it was made for. */
function anOpenBackend(addressing: 'flat' | 'tree', definition: Partial<BackendDefinition> = {}) {
  const asked: string[] = [];
  const records: AccessRecord[] = [];
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
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a question that is not expected fails loudly
    return driver as Driver;
  };
  const metrics = {
    count: (_name: string, labels?: Labels) => measured.push(labels),
    observe: () => undefined,
    gauge: () => undefined,
    forget: () => undefined,
  };
  const registry = new BackendRegistry([{ kind: 'kubernetes', create }], {
    guard: { clock: systemClock, random: () => 0.5, metrics, deadlineMs: 1_000 },
    accessLog: { record: async (record) => Promise.resolve(void records.push(record)) },
  });
  return { backend: registry.open({ ...DEFINITION, ...definition }), asked, records, measured };
}

describe('an open backend', () => {
  it('gives each namespace a folder of a tree store, and a driver of its own where names are flat', async () => {
    const tree = anOpenBackend('tree');
    await tree.backend.for('red', accessorOf('red')).read('a', signal);
    expect(tree.asked).toEqual(['* read red/a']);
    const flat = anOpenBackend('flat');
    await flat.backend.for('red', accessorOf('red')).read('a', signal);
    expect(flat.asked).toEqual(['red read a']);
  });

  it('gives the only namespace of a SecretBackend the whole of it', async () => {
    const { backend, asked } = anOpenBackend('tree', { tenant: 'red' });
    await backend.for('red', accessorOf('red')).read('a', signal);
    expect(asked).toEqual(['red read a']);
  });

  it('records a reserved name that was asked for, although the store never hears of it', async () => {
    const { backend, asked, records, measured } = anOpenBackend('tree');
    const driver = backend.for('red', accessorOf('red'));
    await expect(driver.read('sys_a', signal)).rejects.toMatchObject({ code: 'NAME_RESERVED' });
    expect(records).toMatchObject([{ path: 'sys_a', outcome: 'NAME_RESERVED', ...accessorOf('red') }]);
    expect([asked, measured]).toEqual([[], []]);
  });

  it('judges the names that a namespace sees, not the folder that it is in', async () => {
    const { backend, asked, records, measured } = anOpenBackend('tree');
    await backend.for('sys_team', accessorOf('sys_team')).read('a', signal);
    expect(asked).toEqual(['* read sys_team/a']);
    expect(records).toMatchObject([{ path: 'a', outcome: 'absent' }]);
    expect(measured).toEqual([{ backend: 'fake', operation: 'read', code: 'ok' }]);
  });

  it('probes once where an earlier answer will do, but a driver that only its namespace uses each time', async () => {
    const tree = anOpenBackend('tree');
    const flat = anOpenBackend('flat');
    for (const { backend } of [tree, flat]) {
      expect(await backend.probe('known', signal, 'red')).toBe(PROBE);
      expect(await backend.probe('known', signal, 'red')).toBe(PROBE);
      await backend.probe('known', signal);
      await backend.probe('known', signal);
      await backend.probe('now', signal);
    }
    expect(tree.asked).toEqual(['* probe', '* probe', '* probe']);
    expect(flat.asked).toEqual(['red probe', 'red probe', '* probe', '* probe']);
  });

  it('closes the drivers of its namespaces and then its own; those that it gave out close nothing', async () => {
    const { backend, asked } = anOpenBackend('flat');
    await backend.for('red', accessorOf('red'))[Symbol.asyncDispose]();
    expect(asked).toEqual([]);
    await backend[Symbol.asyncDispose]();
    expect(asked).toEqual(['red closed', '* closed']);
  });

  it('cannot be made of a type that no factory is for', () => {
    expect(() => anOpenBackend('flat', { spec: { type: 'openbao' } })).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID' }),
    );
  });
});
