import { describe, expect, it } from 'vitest';
import { BACKUP_LABEL } from '#src/backends/kubernetes/marks.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import {
  kvData,
  kvMetadata,
  kvPut,
  pathOf,
  reasonOf,
  requestRun,
  rowsByName,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';

const stage = useStage();
const BACKUP = 'login.migrated-bak';

async function aTenantWithLogin(): Promise<Tenant> {
  const tenant = await stage().tenant();
  const options = { type: 'kubernetes.io/basic-auth', labels: { app: 'web' } };
  await tenant.apply(aSecret('login', { username: 'app', password: 'p' }, options));
  return tenant;
}

async function passwordIn(tenant: Tenant, name: string): Promise<string | undefined> {
  const encoded = (await tenant.secret(name))?.data?.['password'];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString();
}

describe('sourcePolicy Backup of Kubernetes Secrets', () => {
  describeCopies();
  describeLifeOfBackups();
});

function describeCopies(): void {
  it('keeps a labeled copy under another name once the value is proven', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('backup', { sourcePolicy: 'Backup' }));
    await tenant.untilReady('backup');

    expect(await tenant.secret('login')).toBeUndefined();
    const kept = await tenant.secret(BACKUP);
    expect(kept).toMatchObject({ type: 'kubernetes.io/basic-auth' });
    expect(kept?.metadata.labels).toMatchObject({ [BACKUP_LABEL]: 'true' });
    expect(await passwordIn(tenant, BACKUP)).toBe('p');
    expect(await kvData(tenant, pathOf(tenant, 'login'))).toEqual({ username: 'app', password: 'p' });
    expect((await rowsByName(tenant, 'backup'))['login']).toMatchObject({
      state: 'Removed',
      backup: BACKUP,
    });
  });

  it('makes the copy only after the value was read back, and removes the source only after that', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('order', { sourcePolicy: 'Backup' }));
    await tenant.untilReady('order');
    const secrets = `/api/v1/namespaces/${tenant.namespace}/secrets`;
    const data = `/v1/${tenant.mount}/data/${pathOf(tenant, 'login')}`;
    const steps = [
      stage().bao.requests.find(({ method, path }) => method === 'POST' && path === data),
      stage().bao.requests.find(({ path, query }) => path === data && query === 'version=1'),
      stage().api.requests.find(({ method, path }) => method === 'POST' && path === secrets),
      stage().api.requests.find(({ method, path }) => method === 'DELETE' && path === `${secrets}/login`),
    ];
    for (const [index, step] of steps.entries()) {
      const before = index === 0 ? 0 : steps[index - 1]?.endedAt;
      expect(step?.arrivedAt, `step ${index}`).toBeGreaterThan(before ?? Number.POSITIVE_INFINITY);
    }
  });

  it('never imports a backup, not even into a migration of everything', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('backup', { sourcePolicy: 'Backup' }));
    await tenant.untilReady('backup');
    await tenant.apply(aMigration('everything'));
    await tenant.untilReady('everything', { reason: 'NothingSelected' });

    expect(await statesOf(tenant, 'everything')).toEqual({});
    expect(await kvMetadata(tenant, pathOf(tenant, BACKUP))).toBeUndefined();
  });

  it('never overwrites another backup: the source stays and the row says why', async () => {
    const tenant = await aTenantWithLogin();
    const labels = { [BACKUP_LABEL]: 'true' };
    await tenant.apply(aSecret(BACKUP, { username: 'app', password: 'older' }, { labels }));
    await tenant.apply(aMigration('backup', { sourcePolicy: 'Backup' }));
    await eventually('the row says why the source stays', async () => {
      const rows = await statesOf(tenant, 'backup');
      return rows['login'] === 'Verified BackupExists';
    });

    expect(await passwordIn(tenant, BACKUP)).toBe('older');
    expect(await passwordIn(tenant, 'login')).toBe('p');
  });
}

function describeLifeOfBackups(): void {
  it('removes a backup after its time to live, and nothing else', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('short', { sourcePolicy: 'Backup', backupTTLSeconds: 2 }));
    await tenant.untilReady('short');
    await eventually('the backup is gone', async () => (await tenant.secret(BACKUP)) === undefined);
    await eventually('the row says so', async () => {
      return (await statesOf(tenant, 'short'))['login'] === 'Removed BackupExpired';
    });
    expect(await kvData(tenant, pathOf(tenant, 'login'))).toEqual({ username: 'app', password: 'p' });
  });

  it('is done once it is done: a backend that goes and comes back does not make it begin again', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('kept', { sourcePolicy: 'Backup', backupTTLSeconds: 3600 }));
    await tenant.untilReady('kept');
    await tenant.apply(aSecret('later', { password: 'not asked for' }));
    await tenant.delete('SecretBackend', 'kubernetes');
    await eventually('it was looked at without its backend', () => {
      const lines = stage().operator.logs().split('\n');
      return lines.some(
        (line) => line.includes(`${tenant.namespace}/kept`) && line.includes('BACKEND_NOT_FOUND'),
      );
    });
    expect(reasonOf(await tenant.migration('kept'))).toBe('Completed');
    expect(await kvMetadata(tenant, pathOf(tenant, 'later'))).toBeUndefined();
  });

  it('never moves the token of a backend away: who reads it would be locked out', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('all', { sourcePolicy: 'Backup', select: { all: true } }));
    await tenant.untilReady('all');
    expect(await statesOf(tenant, 'all')).toEqual({ login: 'Removed', 'bao-token': 'Skipped TrustRoot' });
    expect(await kvMetadata(tenant, pathOf(tenant, 'bao-token'))).toBeUndefined();
    expect(await tenant.secret('bao-token')).toBeDefined();
    expect(await tenant.secret('bao-token.migrated-bak')).toBeUndefined();
  });

  it('keeps the backup of a document that its destination has lost', async () => {
    const tenant = await aTenantWithLogin();
    await tenant.apply(aMigration('lost', { sourcePolicy: 'Backup', backupTTLSeconds: 3600 }));
    await tenant.untilReady('lost');
    await tenant.cluster.bao('DELETE', `${tenant.mount}/metadata/${pathOf(tenant, 'login')}`);
    await requestRun(tenant, 'lost');

    expect(await statesOf(tenant, 'lost')).toEqual({ login: 'Failed DestinationLost' });
    expect(await passwordIn(tenant, BACKUP)).toBe('p');
    const row = (await rowsByName(tenant, 'lost'))['login'];
    expect(row?.backup).toBe(BACKUP);
    expect(row?.message).toContain('Restore it from its backup.');
  });
}

it('a backup expires once its value is safe, and stays when another document is at the destination', async () => {
  const tenant = await aTenantWithLogin();
  await tenant.apply(aSecret('rotated', { password: 'p' }));
  await tenant.apply(aMigration('kept', { sourcePolicy: 'Backup', backupTTLSeconds: 3600 }));
  await tenant.untilReady('kept');
  await kvPut(tenant, pathOf(tenant, 'rotated'), { password: 'newer' });
  await tenant.cluster.bao('DELETE', `${tenant.mount}/metadata/${pathOf(tenant, 'login')}`);
  await kvPut(tenant, pathOf(tenant, 'login'), { username: 'app', password: 'of another client' });

  await tenant.mergePatch('SecretMigration', 'kept', { spec: { backupTTLSeconds: 1 } });
  await eventually('both rows say what became of the backups', async () => {
    const { login, rotated } = await statesOf(tenant, 'kept');
    return login === 'Removed DestinationDiffers' && rotated === 'Removed BackupExpired';
  });
  expect(await passwordIn(tenant, BACKUP)).toBe('p');
  expect((await rowsByName(tenant, 'kept'))['login']?.backup).toBe(BACKUP);
  expect(await tenant.secret('rotated.migrated-bak')).toBeUndefined();
});
