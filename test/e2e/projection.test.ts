import type { V1ConfigMap, V1Secret } from '@kubernetes/client-node';
import type { Stored } from '#src/kube/wire.ts';
import { describe, expect, it } from 'vitest';
import { PROJECTED_FROM_ANNOTATION } from '#src/backends/kubernetes/marks.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { kvData, kvPut, pathOf, reasonOf, requestRun, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

/* mcpctl #51, its open box: the Secrets that feed a workload move to OpenBao, and the workload notices nothing. */

const stage = useStage();

type WholeSecret = Stored<V1Secret>;

async function wholeSecret(tenant: Tenant, name: string): Promise<WholeSecret> {
  return await tenant.cluster.kube<WholeSecret>(
    'GET',
    `/api/v1/namespaces/${tenant.namespace}/secrets/${name}`,
  );
}

/** All that a workload, its owner or a selector can tell a Secret by. */
function asUsed({ metadata, ...rest }: WholeSecret): object {
  const { annotations: _mark, resourceVersion: _version, managedFields: _fields, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

async function aTenantWithLogin(): Promise<Tenant> {
  const tenant = await stage().tenant();
  await tenant.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner' } });
  const owner = await tenant.cluster.kube<Stored<V1ConfigMap>>(
    'GET',
    `/api/v1/namespaces/${tenant.namespace}/configmaps/owner`,
  );
  const secret = aSecret('login', { username: 'app', password: 'p' }, { labels: { app: 'web' } });
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
  const type = 'kubernetes.io/basic-auth';
  const metadata = { ...secret.metadata, ownerReferences };
  await tenant.apply({ ...secret, type, metadata });
  return tenant;
}

describe('sourcePolicy Project', () => {
  it('keeps the Secret as it was, and marks what it is the projection of', async () => {
    const tenant = await aTenantWithLogin();
    const before = await wholeSecret(tenant, 'login');
    await tenant.apply(aMigration('project', { sourcePolicy: 'Project' }));
    const migration = await tenant.untilReady('project');

    const after = await wholeSecret(tenant, 'login');
    expect(asUsed(after)).toEqual(asUsed(before));
    expect(after.metadata.annotations).toEqual({
      [PROJECTED_FROM_ANNOTATION]: `SecretBackend/bao ${pathOf(tenant, 'login')}`,
    });
    expect(await kvData(tenant, pathOf(tenant, 'login'))).toEqual({ username: 'app', password: 'p' });
    expect(await statesOf(tenant, 'project')).toEqual({ login: 'Verified Projected' });
    expect(migration.status.summary).toMatchObject({ total: 2, verified: 2 });
  });

  it('writes nothing when it is asked again, on either side', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('project', { sourcePolicy: 'Project' }));
    await tenant.untilReady('project');
    const { resourceVersion } = (await wholeSecret(tenant, 'login')).metadata;
    const changes = stage().changesOf(tenant).length;
    await requestRun(tenant, 'project');

    expect((await wholeSecret(tenant, 'login')).metadata.resourceVersion).toBe(resourceVersion);
    expect(stage().changesOf(tenant)).toHaveLength(changes);
    expect(await statesOf(tenant, 'project')).toEqual({ login: 'Verified Projected' });
  });

  it('says so when a projection is no longer what OpenBao holds, and changes neither', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('project', { sourcePolicy: 'Project' }));
    await tenant.untilReady('project');
    await kvPut(tenant, pathOf(tenant, 'login'), { username: 'app', password: 'rotated' });
    const migration = await requestRun(tenant, 'project');

    expect(reasonOf(migration)).toBe('ConflictsFound');
    expect(await statesOf(tenant, 'project')).toEqual({ login: 'Conflict DestinationDiffers' });
    expect((await kvData(tenant, pathOf(tenant, 'login')))['password']).toBe('rotated');
    const secret = await tenant.secret('login');
    expect(Buffer.from(secret?.data?.['password'] ?? '', 'base64').toString()).toBe('p');
  });

  it('is refused where the source cannot be a projection, before anything is written', async () => {
    const tenant = await stage().tenant();
    await kvPut(tenant, pathOf(tenant, 'login'), { password: 'p' });
    const options = { from: 'bao', to: 'kubernetes', select: { all: true as const } };
    await tenant.apply(aMigration('nowhere', { ...options, sourcePolicy: 'Project' }));
    const migration = await tenant.untilReady('nowhere', { status: 'False' });

    const ready = migration.status.conditions?.find(({ type }) => type === 'Ready');
    expect(ready?.message).toMatch(/Project/);
    expect(await tenant.secret('login')).toBeUndefined();
  });
});
