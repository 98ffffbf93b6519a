import { describe, expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { rowsByName, statesOf } from '#test/support/queries.ts';
import { eventually } from '#test/support/eventually.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

const stage = useStage();
const DOCKER = 'kubernetes.io/dockerconfigjson';
const TLS = 'kubernetes.io/tls';
const CONFIG = '{"auths":{}}';
const KEYSTORE = Buffer.from([0xfe, 0xed, 0xfe, 0xed, 0x00, 0xff]);

/** As another tool writes a document: without a marker of Keyferry. */
async function put({ cluster, mount }: Tenant, path: string, data: Readonly<Record<string, string>>) {
  await cluster.bao('POST', `${mount}/data/${path.split('/').map(encodeURIComponent).join('/')}`, { data });
}

describe('a migration from KV to Secrets', () => {
  it('gives documents a type, and those that cannot have it fail by name', async () => {
    const tenant = await stage().tenant();
    await put(tenant, 'app/pull', { '.dockerconfigjson': CONFIG });
    await put(tenant, 'app/broken', { '.dockerconfigjson': '{"auths":' });
    await put(tenant, 'app/web', { 'tls.crt': 'a', 'tls.key': 'b' });
    await tenant.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'taken' },
      stringData: { '.dockerconfigjson': CONFIG },
    });
    await put(tenant, 'app/taken', { '.dockerconfigjson': CONFIG });
    const mapping = {
      path: 'app/{name}',
      secretType: DOCKER,
      overrides: [{ name: 'web', path: 'web', secretType: TLS }],
    };
    await tenant.apply(aMigration('out', { from: 'bao', to: 'kubernetes', select: { all: true }, mapping }));
    await tenant.untilReady('out', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'out')).toEqual({
      pull: 'Verified',
      web: 'Verified',
      broken: 'Failed TypeRefused',
      taken: 'Conflict AttributesDiffer',
    });
    expect([(await tenant.secret('pull'))?.type, (await tenant.secret('web'))?.type]).toEqual([DOCKER, TLS]);
    expect((await tenant.secret('taken'))?.type).toBe('Opaque');
    const { taken } = await rowsByName(tenant, 'out');
    expect(taken?.message).toContain('The type of a Secret cannot change: delete the Secret there');
  });

  it('decodes base64 in a path with spaces and letters of any language', async () => {
    const tenant = await stage().tenant();
    const folder = 'café web/naïve';
    await put(tenant, `${folder}/store`, {
      'keystore.b64': KEYSTORE.toString('base64').replace(/^(.{4})/, '$1\r\n'),
      plain: KEYSTORE.toString('base64'),
    });
    await put(tenant, `${folder}/odd`, { 'keystore.b64': 'not base64' });
    const mapping = {
      path: `${folder}/{name}`,
      keys: [{ from: '{id}.b64', to: '{id}', decode: 'base64' as const }],
    };
    await tenant.apply(aMigration('out', { from: 'bao', to: 'kubernetes', select: { all: true }, mapping }));
    await tenant.untilReady('out', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'out')).toEqual({ store: 'Verified', odd: 'Failed DecodeFailed' });
    expect((await tenant.secret('store'))?.data).toEqual({
      keystore: KEYSTORE.toString('base64'),
      plain: Buffer.from(KEYSTORE.toString('base64')).toString('base64'),
    });
  });

  it('names a folder in which no document can be, and does not run', async () => {
    stage().allowErrors(/"code":"SPEC_INVALID"/);
    const tenant = await stage().tenant();
    const mapping = { path: 'web /{name}' };
    await tenant.apply(aMigration('out', { from: 'bao', to: 'kubernetes', select: { all: true }, mapping }));
    const { status } = await tenant.untilReady('out', { status: 'False', reason: 'InvalidSpec' });
    await eventually('the operator has logged it', () => stage().operator.logs().includes('"SPEC_INVALID"'));
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    expect(ready?.message).toContain('segment with a space at its start or end (spec.mapping.path)');
  });
});
