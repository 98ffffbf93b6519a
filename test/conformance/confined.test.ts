import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import { confine } from '#src/backends/layers/confine.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { aDocument, presentIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { describeDriver } from './driver-suite.ts';
import type { TestStore } from './suite/subject.ts';
import { CLOSED_PORT } from './kube-client.ts';
import { HOSTILE_KV_PATHS, ILLEGAL_KV_PATHS, kvFieldName } from './kv-names.ts';
import { accessorOf, allLayers, KeptRecords } from './layers.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { requestsTo } from './request-log.ts';
import { permitted } from '#test/support/permit.ts';

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

type Options = Parameters<OpenBaoFixture['driver']>[0];
type MakeDriver = (fixture: OpenBaoFixture, options: Options) => Driver;

/** The layer alone. */
const confined: MakeDriver = (fixture, options) => confine(fixture.driver(options), 'red');

/** As a ClusterSecretBackend that the namespace `red` shares. */
const withAllLayers: MakeDriver = (fixture, options) =>
  fixture.shared(options, allLayers(new KeptRecords())).for('red', accessorOf('red'));

async function openTestStore(make: MakeDriver): Promise<TestStore> {
  const fixture = await OpenBaoFixture.open(cluster);
  const mount = await cluster.createMount('confined');
  const auth = await fixture.tokenAuth(documentedPolicy(mount));
  const stranger = await fixture.tokenAuth(`path "${mount}/unrelated" { capabilities = ["read"] }`);
  const address = `https://127.0.0.1:${CLOSED_PORT}`;
  const driverOf = (options: Options): Driver => make(fixture, { ...options, pathPrefix: 'teams' });
  const driver = driverOf({ mount, auth });
  // Opens the pools and logs in, so that the suite counts only the requests of a call itself.
  await driver.probe(AbortSignal.timeout(20_000));
  return {
    driver,
    denied: driverOf({ mount, auth: stranger }),
    // One that has not failed yet: after its first failure, all layers together say that the backend is not Ready.
    get unreachable(): Driver {
      return driverOf({ mount, auth, address });
    },
    traffic: async (during) => requestsTo(cluster.baoUrl, during),
    recreate: async (name, field, text) => {
      await cluster.bao('DELETE', `${mount}/metadata/teams/red/${name}`);
      await cluster.bao('POST', `${mount}/data/teams/red/${name}`, { data: { [field]: text } });
    },
    createIllegal: async () => {
      for (const path of ILLEGAL_KV_PATHS.keys())
        await cluster.bao('POST', `${mount}/data/teams/red/${path}`, { data: { a: 'b' } });
      return [...ILLEGAL_KV_PATHS.values()];
    },
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
}

for (const [kind, make] of [
  ['openbao driver confined to a folder, that is the openbao', confined],
  ['openbao with all layers', withAllLayers],
] as const) {
  describeDriver({
    kind,
    open: async () => openTestStore(make),
    manyNames: 1_050,
    largeTextBytes: 1_000_000,
    tooLargeBytes: 1_048_576,
    fieldName: kvFieldName,
    hostileAddresses: HOSTILE_KV_PATHS,
    listsDeleted: true,
    undoesWrites: true,
  });
}

describe('two folders of one driver', () => {
  let fixture: OpenBaoFixture;
  let red: Driver;
  let blue: Driver;
  const { signal } = new AbortController();

  beforeAll(async () => {
    fixture = await OpenBaoFixture.open(cluster);
    const mount = await cluster.createMount('folders');
    const whole = fixture.driver({ mount, auth: await fixture.tokenAuth(documentedPolicy(mount)) });
    await whole.probe(signal);
    [red, blue] = [confine(whole, 'red'), confine(whole, 'red-too')];
  });
  afterAll(() => fixture[Symbol.asyncDispose]());

  it('have nothing in common, even if the name of one is a prefix of the other', async () => {
    await red.write(aDocument('a/b', { of: 'red' }), 'absent', permitted(signal));
    await blue.write(aDocument('a/b', { of: 'blue' }), 'absent', permitted(signal));
    for (const [driver, owner] of [
      [red, 'red'],
      [blue, 'blue'],
    ] as const) {
      expect(await collect(driver.list({ folder: '' }, signal))).toEqual([{ address: 'a/b' }]);
      expect(await collect(driver.list({ folder: 'a' }, signal))).toEqual([{ address: 'a/b' }]);
      const document = presentIn(await driver.read('a/b', signal));
      expect(document.address).toBe('a/b');
      expect(document.fields.get('of')?.reveal().toString()).toBe(owner);
    }
    expect(red.locationOf('a/b').store).toBe(blue.locationOf('a/b').store);
    expect(red.locationOf('a/b').path).not.toBe(blue.locationOf('a/b').path);
  });

  it('skip unwanted folders by their names inside the folder', async () => {
    await red.write(aDocument('wanted/a', { a: 'b' }), 'absent', permitted(signal));
    await red.write(aDocument('other/a', { a: 'b' }), 'absent', permitted(signal));
    const asked: string[] = [];
    const skips = (folder: string): boolean => {
      asked.push(folder);
      return folder === 'other';
    };
    const entries = await collect(red.list({ folder: '', skips }, signal));
    expect(entries.map(({ address }) => address)).not.toContain('other/a');
    expect(entries.map(({ address }) => address)).toContain('wanted/a');
    expect(asked).toContain('wanted');
  });

  it('close independently: closing one keeps the shared driver open', async () => {
    const other = confine(blue, 'below');
    await other[Symbol.asyncDispose]();
    expect((await blue.read('nothing', signal)).state).toBe('absent');
  });
});
