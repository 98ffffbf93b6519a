import { describe, expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { rowsByName, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

const stage = useStage();
const DOCKER = 'kubernetes.io/dockerconfigjson';
const TLS = 'kubernetes.io/tls';
const CONFIG = '{"auths":{}}';

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
});
