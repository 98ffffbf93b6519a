import { describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { kvData, pathOf, rowsByName, statesOf } from '#test/support/queries.ts';
import { rawKv } from '#test/support/raw-kv.ts';
import { useStage } from '#test/support/stage.ts';

/* Terraform and `bao kv put @file.json` write numbers, booleans and objects as they are. */

const stage = useStage();
const NESTED = '{"hosts":["a",{"port":5432}],"ratio":0.5}';
const APP = `{"replicas":3,"nested":${NESTED},"off":false,"nothing":null,"text":"3"}`;

describe('JSON values of KV version 2', () => {
  it('travel to new names as they are; a number that the server rounds is named, and stays', async () => {
    const tenant = await stage().tenant();
    const raw = rawKv(tenant.cluster);
    const at = (name: string): string => `${tenant.mount}/data/${pathOf(tenant, name)}`;
    await raw.post(at('app'), `{"data":${APP}}`);
    await raw.post(at('rounded'), '{"data":{"fine":1,"id":12345678901234567890}}');
    const prefixes = ['app', 'rounded'].map((from) => ({ from, to: 'new-', stripPrefix: false }));
    const spec = {
      from: 'bao',
      to: 'bao',
      select: { all: true as const },
      mapping: { path: '{namespace}/{name}', prefixes },
    };
    await tenant.apply(aMigration('rekey', { ...spec, sourcePolicy: 'Delete' }));
    await tenant.untilReady('rekey', { status: 'False', reason: 'PartiallyFailed' });

    expect(await statesOf(tenant, 'rekey')).toMatchObject({
      app: 'Removed',
      rounded: 'Failed NotRepresentable',
    });
    expect(await kvData(tenant, pathOf(tenant, 'new-app'))).toEqual(JSON.parse(APP));
    const { rounded } = await rowsByName(tenant, 'rekey');
    expect(rounded?.message).toContain('Key "id" has a number beyond 2^53');
    expect(JSON.stringify(rounded)).not.toContain('12345');
    expect(await raw.get(at('rounded'))).toContain('"fine":1');
  });

  it('are refused by the name of a key in a Secret, and become text if the migration says so', async () => {
    const tenant = await stage().tenant();
    await rawKv(tenant.cluster).post(`${tenant.mount}/data/${pathOf(tenant, 'app')}`, `{"data":${APP}}`);
    const spec = { from: 'bao', to: 'kubernetes', select: { all: true as const } };
    await tenant.apply(aMigration('out', spec));
    await tenant.untilReady('out', { status: 'False', reason: 'PartiallyFailed' });
    const { app } = await rowsByName(tenant, 'out');
    expect(app).toMatchObject({ state: 'Failed', reason: 'NotRepresentable' });
    expect(app?.message).toMatch(/^Key "nested" has a JSON value .* Set spec\.mapping\.jsonValues to AsText/);
    expect(await tenant.secret('app')).toBeUndefined();

    await tenant.mergePatch('SecretMigration', 'out', { spec: { mapping: { jsonValues: 'AsText' } } });
    await tenant.untilReady('out', { status: 'True', reason: 'Completed' });
    const fields = { replicas: '3', nested: NESTED, off: 'false', nothing: 'null', text: '3' };
    expect((await tenant.secret('app'))?.data).toEqual(aSecret('app', fields).data);

    await tenant.mergePatch('SecretMigration', 'out', { spec: { sourcePolicy: 'Delete' } });
    await tenant.untilReady('out', { status: 'False', reason: 'PartiallyFailed' });
    expect((await rowsByName(tenant, 'out'))['app']).toMatchObject({
      state: 'Failed',
      reason: 'MetadataRefused',
    });
    expect(await kvData(tenant, pathOf(tenant, 'app'))).toEqual(JSON.parse(APP));
  });
});
