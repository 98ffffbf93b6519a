import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { aBinaryCanary, aTextCanary, findCanary, type Canary } from '#test/support/canary.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { LocalRig, type Ended } from '#test/support/local-run.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, filesIn } from '#test/support/token-files.ts';

/*
 * `migrate --local` as a process, between real servers. What a run does with rows, flags and files that need no server is in
 * src/cli/local.
 */

const CREDENTIALS = ['--credential', 'from=file:from.token', '--credential', 'to=file:to.token'];

let cluster: Cluster;
let proxy: RecordingProxy;

beforeAll(async () => {
  cluster = await startCluster({ report: () => undefined });
  await cluster.installKeyferry();
  proxy = await startProxy(cluster, 'bao');
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await cluster.dispose();
});

/** Two mounts with a token each, and a migration from one to the other. */
class Pair implements AsyncDisposable {
  readonly rig: LocalRig;
  readonly from: string;
  readonly to: string;

  private constructor(rig: LocalRig, { from, to }: { from: string; to: string }) {
    this.rig = rig;
    this.from = from;
    this.to = to;
  }

  static async open(spec: Partial<SecretMigration['spec']>): Promise<Pair> {
    const from = await cluster.createMount('kv');
    const to = await cluster.createMount('kv');
    const token = async (mount: string): Promise<string> => cluster.createToken(documentedPolicy(mount));
    const [source, destination] = [
      { name: 'from', mount: from },
      { name: 'to', mount: to },
    ].map((end) => anOpenBaoBackend({ ...end, address: proxy.url, caBundle: cluster.baoCaPem }));
    const migration = aMigration('move', {
      from: 'from',
      to: 'to',
      select: { all: true },
      mapping: { path: '{name}' },
      ...spec,
    });
    const rig = await LocalRig.open([migration, source ?? {}, destination ?? {}], {
      'from.token': await token(from),
      'to.token': await token(to),
    });
    return new Pair(rig, { from, to });
  }

  async plant(values: ReadonlyMap<string, string>): Promise<void> {
    for (const [name, value] of values)
      await cluster.bao('POST', `${this.from}/data/${name}`, { data: { password: value } });
  }

  /** The value at this mount; undefined for none. */
  async valueAt(mount: string, name: string): Promise<string | undefined> {
    const read = await cluster
      .bao<{ data: { data: { password: string } | null } }>('GET', `${mount}/data/${name}`)
      .catch(() => undefined);
    return read?.data.data?.password;
  }

  /** Requests of this pair that change a document. */
  writes(): readonly string[] {
    const place = new RegExp(`^/v1/(${this.from}|${this.to})/`);
    return proxy.requests
      .filter(({ method, path }) => method !== 'GET' && method !== 'LIST' && place.test(path))
      .map(({ method, path }) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig[Symbol.asyncDispose]();
  }
}

function expectNoLeak(canaries: readonly Canary[], ended: readonly Ended[], rig: LocalRig): void {
  const said = Buffer.from(ended.map(({ err, out }) => `${out}${err}`).join('\n'));
  for (const canary of canaries)
    expect([canary.name, ...findCanary(canary, Buffer.concat([said, rig.state()]))]).toEqual([canary.name]);
}

it('moves documents from one OpenBao mount to another one, and a second run writes nothing', async () => {
  await using pair = await Pair.open({ sourcePolicy: 'Delete' });
  const canary = aTextCanary('password');
  await pair.plant(
    new Map([
      ['db', canary.bytes.toString()],
      ['api/key', 'x'],
    ]),
  );
  const plan = await pair.rig.run([...CREDENTIALS, '--dry-run']);
  expect(plan).toMatchObject({ code: 0, err: '' });
  expect(plan.out).toContain('would create 2, adopt 0, overwrite 0, remove 2');
  expect([pair.writes(), existsSync(join(pair.rig.folder, '.keyferry'))]).toEqual([[], false]);

  const done = await pair.rig.run(CREDENTIALS);
  expect(done).toMatchObject({ code: 0, err: '' });
  expect(done.out).toContain('2 keys: 2 removed.');
  expect(await pair.valueAt(pair.to, 'db')).toBe(canary.bytes.toString());
  expect(await pair.valueAt(pair.from, 'db')).toBeUndefined();

  const before = pair.writes().length;
  const again = await pair.rig.run([...CREDENTIALS, '-o', 'yaml']);
  expect(again.code).toBe(0);
  expect(pair.writes().length).toBe(before);
  expectNoLeak([canary], [plan, done, again], pair.rig);
});

it('goes on after kill -9 in the middle: nothing is lost, and all of it arrives', async () => {
  await using pair = await Pair.open({ sourcePolicy: 'Delete' });
  const values = new Map(Array.from({ length: 40 }, (_, index) => [`doc-${index}`, `value-${index}`]));
  await pair.plant(values);
  const stuck = proxy.onRequest(
    { method: 'POST', path: new RegExp(`^/v1/${pair.from}/delete/doc-2`) },
    { kind: 'hold', until: new Promise(() => undefined) },
  );
  const { child, ended } = pair.rig.start(CREDENTIALS);
  await stuck.firstHit;
  child.kill('SIGKILL');
  await ended;
  stuck.remove();
  for (const [name, value] of values) {
    const found = [await pair.valueAt(pair.from, name), await pair.valueAt(pair.to, name)];
    expect(found).toContain(value);
  }
  const done = await pair.rig.run(CREDENTIALS);
  expect(done).toMatchObject({ code: 0, err: '' });
  expect(done.out).toContain('40 keys: 40 removed.');
  for (const [name, value] of values) expect(await pair.valueAt(pair.to, name)).toBe(value);
});

it('stops at Ctrl-C: what it sent is recorded, and it says how to go on', async () => {
  await using pair = await Pair.open({});
  await pair.plant(new Map(Array.from({ length: 80 }, (_, index) => [`doc-${index}`, 'v'])));
  const slow = proxy.onRequest(
    { method: 'POST', path: new RegExp(`^/v1/${pair.to}/data/doc-1$`) },
    { kind: 'hold', until: new Promise((resolve) => setTimeout(resolve, 500)) },
  );
  const { child, ended } = pair.rig.start(CREDENTIALS);
  await slow.firstHit;
  child.kill('SIGINT');
  const stopped = await ended;
  expect(stopped.code).toBe(1);
  expect(stopped.err).toContain('Run the same command to go on.');
  expect(await pair.rig.run(CREDENTIALS)).toMatchObject({ code: 0 });
});

it('ends with 1 at a conflict, and overwrites nothing', async () => {
  await using pair = await Pair.open({ sourcePolicy: 'Delete' });
  await pair.plant(new Map([['db', 'new']]));
  await cluster.bao('POST', `${pair.to}/data/db`, { data: { password: 'other' } });
  const { code, out } = await pair.rig.run(CREDENTIALS);
  expect(code).toBe(1);
  expect(out).toMatch(/^db +password +Conflict +DestinationDiffers/m);
  expect([await pair.valueAt(pair.from, 'db'), await pair.valueAt(pair.to, 'db')]).toEqual(['new', 'other']);
});

it('moves token files to OpenBao and keeps a backup of each', async () => {
  const mount = await cluster.createMount('kv');
  const backend = anOpenBaoBackend({ mount, address: cluster.baoUrl, caBundle: cluster.baoCaPem });
  const migration = aMigration('tokens', {
    from: 'files',
    select: { all: true },
    sourcePolicy: 'Backup',
    mapping: { path: '{name}' },
  });
  await using rig = await LocalRig.open([aDirectoryBackend({ path: 'tokens' }), backend, migration], {});
  const canary = aBinaryCanary('token');
  rig.plant('tokens', { github: canary.bytes, gitlab: 'correct-horse\n' });
  const token = await cluster.createToken(documentedPolicy(mount));
  // As bao and vault find it.
  const done = await rig.run([], { BAO_ADDR: cluster.baoUrl, BAO_TOKEN: token });
  expect(done).toMatchObject({ code: 0, err: '' });
  expect(Object.keys(filesIn(join(rig.folder, 'tokens'))).toSorted()).toEqual([
    '.github.migrated.bak',
    '.gitlab.migrated.bak',
  ]);
  const { data } = await cluster.bao<{ data: { data: { value: string } } }>('GET', `${mount}/data/gitlab`);
  expect(data.data.value).toBe('correct-horse');
  expectNoLeak([canary], [done], rig);
});

it('moves the Secrets of a kubeconfig, and leaves those that a backend of an operator reads', async () => {
  const tenant = await Tenant.create(cluster);
  await tenant.apply(aSecret('db', { password: 'correct-horse' }));
  const { mount, namespace } = tenant;
  const backend = anOpenBaoBackend({
    mount,
    address: cluster.baoUrl,
    caBundle: cluster.baoCaPem,
    tokenSecret: 'not-in-the-cluster',
  });
  const { metadata, ...rest } = aMigration('secrets', { select: { all: true }, sourcePolicy: 'Delete' });
  const source = { backendRef: { kind: 'ClusterSecretBackend', name: 'kubernetes' } };
  const migration = { ...rest, metadata: { ...metadata, namespace }, spec: { ...rest.spec, source } };
  await using rig = await LocalRig.open([migration, backend], {
    token: await cluster.createToken(documentedPolicy(mount)),
  });
  const args = ['--credential', 'bao=file:token', '--kubeconfig', cluster.kubeconfigPath];
  const { code, err, out } = await rig.run(args);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^bao-token +\S* +Skipped +TrustRoot/m);
  expect((await tenant.secrets()).map(({ metadata: { name } }) => name)).toEqual(['bao-token']);
});

it('says at once what a backend lacks: its credential, a server that answers', async () => {
  await using pair = await Pair.open({});
  expect(await pair.rig.run([])).toEqual({
    code: 1,
    out: '',
    err: expect.stringContaining('Say where it is: --credential from=file:PATH'),
  });
  const refused = await pair.rig.run(['--credential', 'from=env:BAD', '--credential', 'to=file:to.token'], {
    BAD: 'x',
  });
  expect(refused.err).toContain('SecretBackend from cannot be used. ');
  expect(refused.code).toBe(1);
});
