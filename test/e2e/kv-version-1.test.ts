import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { conditionOf, rowsByName, statesOf } from '#test/support/queries.ts';
import { rawKv } from '#test/support/raw-kv.ts';
import { useStage } from '#test/support/stage.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import type { Tenant } from '#test/support/tenant.ts';

const stage = useStage();
const Fields = z.object({ data: z.unknown() });
const FIELDS = { user: 'app', password: 'correct horse' };

interface OldMount {
  readonly tenant: Tenant;
  readonly mount: string;
  readonly put: (name: string, fields: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Undefined where there is nothing. */
  readonly get: (name: string) => Promise<unknown>;
  /** What was sent to the mount to change something. */
  readonly changes: () => readonly string[];
  readonly applyBackend: (more?: Readonly<Record<string, unknown>>) => Promise<void>;
}

/** A tenant with a third backend, `old`, on a mount of version 1. */
async function anOldMount(): Promise<OldMount> {
  const tenant = await stage().tenant();
  const { cluster, bao } = stage();
  const mount = await cluster.createV1Mount('old');
  await tenant.apply(aSecret('old-token', { token: await cluster.createToken(documentedPolicy(mount, 1)) }));
  const root = { 'x-vault-token': cluster.rootToken };
  const applyBackend: OldMount['applyBackend'] = async (more = {}) => {
    const { spec, ...backend } = anOpenBaoBackend({
      name: 'old',
      tokenSecret: 'old-token',
      address: bao.url,
      mount,
      caBundle: cluster.baoCaPem,
    });
    await tenant.apply({
      ...backend,
      spec: { ...spec, openbao: { ...spec.openbao, kvVersion: 1, ...more } },
    });
  };
  await applyBackend();
  return {
    tenant,
    mount,
    put: async (name, fields) => {
      await cluster.bao('POST', `${mount}/${name}`, fields);
    },
    get: async (name) => {
      const { status, body } = await cluster.baoClient.reply('GET', `/v1/${mount}/${name}`, undefined, root);
      return status === 404 ? undefined : Fields.parse(body).data;
    },
    changes: () => {
      const inMount = stage()
        .writes()
        .filter(({ path }) => path.startsWith(`/v1/${mount}/`));
      return inMount.map(({ method, path }) => `${method} ${path}`);
    },
    applyBackend,
  };
}

const OUT = { from: 'old', to: 'kubernetes', mapping: { path: '{name}' } } as const;
const INTO = { to: 'old', mapping: { path: '{name}' } } as const;

describe('a mount of KV version 1 as the source', () => {
  it('is read in full, copied, and not touched', async () => {
    const { tenant, put, get, changes } = await anOldMount();
    await put('db', FIELDS);
    await put('odd', { n: 1 });
    await tenant.apply(aMigration('out', { ...OUT, select: { all: true } }));
    await tenant.untilReady('out', { status: 'False', reason: 'PartiallyFailed' });

    expect(await statesOf(tenant, 'out')).toEqual({ db: 'Verified', odd: 'Failed NotRepresentable' });
    const { data } = (await tenant.secret('db')) ?? {};
    expect(data).toEqual(aSecret('db', FIELDS).data);
    expect([await get('db'), await get('odd')]).toEqual([FIELDS, { n: 1 }]);
    expect(changes()).toEqual([]);
  });

  it('is not deleted from, and nothing is copied either, unless its backend allows it', async () => {
    const { tenant, put, get, changes, applyBackend } = await anOldMount();
    await put('db', FIELDS);
    await tenant.apply(aMigration('out', { ...OUT, select: { all: true }, sourcePolicy: 'Delete' }));
    const refused = await tenant.untilReady('out', { status: 'False', reason: 'CapabilityMissing' });
    expect(conditionOf(refused, 'Ready')?.message).toContain('set spec.openbao.allowUnsafeWrites');
    expect(await tenant.secret('db')).toBeUndefined();
    expect(changes()).toEqual([]);

    await applyBackend({ allowUnsafeWrites: true });
    await tenant.untilReady('out', { status: 'True', reason: 'Completed' });
    expect(await statesOf(tenant, 'out')).toEqual({ db: 'Removed' });
    expect(await get('db')).toBeUndefined();
    expect((await tenant.secret('db'))?.data).toEqual(aSecret('db', FIELDS).data);
  });

  it('gives documents new names with every digit of their numbers', async () => {
    const { tenant, mount, get, applyBackend } = await anOldMount();
    await applyBackend({ allowUnsafeWrites: true });
    const raw = rawKv(tenant.cluster);
    const text = '{"id":12345678901234567890,"limits":{"10":[1.10,-0.0],"2":null},"on":true,"text":"1"}';
    await raw.post(`${mount}/app-1`, text);
    const mapping = { path: '{name}', prefixes: [{ from: 'app-', to: 'new-', stripPrefix: false }] };
    const spec = { from: 'old', to: 'old', select: { all: true as const }, mapping };
    await tenant.apply(aMigration('rekey', { ...spec, sourcePolicy: 'Delete' }));
    await tenant.untilReady('rekey', { status: 'True', reason: 'Completed' });

    expect(await statesOf(tenant, 'rekey')).toMatchObject({ 'app-1': 'Removed' });
    expect(await raw.get(`${mount}/new-app-1`)).toContain(`"data":${text}`);
    expect(await get('app-1')).toBeUndefined();
  });

  it('keeps what was written there after it was copied', async () => {
    const { tenant, mount, put, get, applyBackend } = await anOldMount();
    await applyBackend({ allowUnsafeWrites: true });
    await put('db', FIELDS);
    // Read to be copied, read to be proven once more, and the look right before the delete.
    let reads = 0;
    const { promise: until, resolve: release } = Promise.withResolvers<void>();
    const look = stage().bao.onRequest(
      ({ method, path }) => method === 'GET' && path === `/v1/${mount}/db` && (reads += 1) === 3,
      { kind: 'hold', until },
    );
    await tenant.apply(aMigration('out', { ...OUT, select: { all: true }, sourcePolicy: 'Delete' }));
    await look.firstHit;
    await put('db', { rotated: 'meanwhile' });
    release();
    await tenant.untilReady('out', { status: 'False', reason: 'ConflictsFound' });
    expect(await get('db')).toEqual({ rotated: 'meanwhile' });
  });
});

describe('a mount of KV version 1 as the destination', () => {
  it('gets nothing, and no source is removed, unless its backend allows it', async () => {
    const { tenant, get, changes } = await anOldMount();
    await tenant.apply(aSecret('db', FIELDS));
    await tenant.apply(aMigration('into', { ...INTO, select: { names: ['db'] }, sourcePolicy: 'Delete' }));
    await tenant.untilReady('into', { status: 'False', reason: 'CapabilityMissing' });
    expect(await get('db')).toBeUndefined();
    expect(await tenant.secret('db')).toBeDefined();
    expect(changes()).toEqual([]);
  });

  it('gets text when it is allowed, says that there is no version, and the rest stays where it is', async () => {
    const { tenant, get, applyBackend } = await anOldMount();
    await applyBackend({ allowUnsafeWrites: true });
    await tenant.apply(aSecret('db', FIELDS));
    await tenant.apply(aSecret('blob', { key: Buffer.from([255, 0]) }));
    await tenant.apply(
      aSecret('basic', { username: 'u', password: 'p' }, { type: 'kubernetes.io/basic-auth' }),
    );
    const names = ['db', 'blob', 'basic'];
    await tenant.apply(aMigration('into', { ...INTO, select: { names }, sourcePolicy: 'Delete' }));
    await tenant.untilReady('into', { status: 'False', reason: 'PartiallyFailed' });

    expect(await statesOf(tenant, 'into')).toEqual({
      db: 'Removed',
      blob: 'Failed NotRepresentable',
      basic: 'Failed TypeRefused',
    });
    const { db } = await rowsByName(tenant, 'into');
    expect(db?.destination).toEqual({ path: 'db', version: 'unversioned', created: true });
    expect([await get('db'), await get('blob'), await get('basic')]).toEqual([FIELDS, undefined, undefined]);
    expect(await tenant.secret('blob')).toBeDefined();
  });

  it('is never overwritten: there would be nothing to go back to', async () => {
    const { tenant, put, get, applyBackend } = await anOldMount();
    await applyBackend({ allowUnsafeWrites: true });
    await put('db', { theirs: 'x' });
    await tenant.apply(aSecret('db', FIELDS));
    const select = { names: ['db'] };
    await tenant.apply(aMigration('over', { ...INTO, select, conflictPolicy: 'Overwrite' }));
    await tenant.untilReady('over', { status: 'False', reason: 'CapabilityMissing' });
    await tenant.apply(aMigration('into', { ...INTO, select }));
    await tenant.untilReady('into', { status: 'False', reason: 'ConflictsFound' });
    expect(await get('db')).toEqual({ theirs: 'x' });
  });
});
