import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import {
  conditionOf,
  kvData,
  kvMetadata,
  kvPut,
  pathOf,
  requestRun,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, filesIn, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';

/* Migrations that are taken back, on real servers: what a user or a pod can see is as it was before. */

const stage = useStage();

/** Everything of the Secrets that a user chose. */
async function secretsOf(tenant: Tenant) {
  const secrets = await tenant.secrets();
  return secrets
    .filter(({ metadata }) => metadata.name !== 'bao-token')
    .map(({ data, immutable, metadata: { annotations, labels, name }, type }) => ({
      name,
      type,
      immutable,
      data,
      labels,
      annotations,
    }))
    .toSorted((left, right) => left.name.localeCompare(right.name));
}

async function setUndo(tenant: Tenant, name: string, undo: boolean): Promise<void> {
  await tenant.mergePatch('SecretMigration', name, { spec: { undo } });
}

describe('spec.undo', () => {
  it('brings moved Secrets back byte for byte with their labels, and OpenBao to its earlier version, again and again', async () => {
    const tenant = await stage().tenant();
    const labels = { team: 'payments', 'example.com/tier': 'gold' };
    const annotations = { 'example.com/note': 'by hand – 東京' };
    await tenant.apply(aSecret('db', { user: 'app', bytes: randomBytes(500) }, { labels, annotations }));
    await tenant.apply(aSecret('pin', { pin: '0000' }, { immutable: true }));
    await tenant.apply(
      aSecret('login', { username: 'a', password: 'p' }, { type: 'kubernetes.io/basic-auth' }),
    );
    await kvPut(tenant, pathOf(tenant, 'login'), { username: 'earlier' });
    const before = await secretsOf(tenant);

    const spec = { sourcePolicy: 'Delete', conflictPolicy: 'Overwrite' } as const;
    await tenant.apply(aMigration('there', spec));
    for (let round = 1; round <= 2; round += 1) {
      await tenant.untilReady('there', { reason: 'Completed' });
      expect(await secretsOf(tenant)).toEqual([]);
      await setUndo(tenant, 'there', true);
      const taken = await tenant.untilReady('there', { status: 'True', reason: 'Undone' });
      expect(conditionOf(taken, 'Succeeded')).toMatchObject({ status: 'False', reason: 'Undone' });
      expect(taken.status.progress).toBe('5/5');
      expect(await secretsOf(tenant)).toEqual(before);
      expect(await kvData(tenant, pathOf(tenant, 'login'))).toEqual({ username: 'earlier' });
      for (const name of ['db', 'pin']) {
        const path = await kvMetadata(tenant, pathOf(tenant, name));
        expect(path?.versions[path.current_version]?.deletion_time).not.toBe('');
      }
      await setUndo(tenant, 'there', false);
    }
  });

  it('makes moved documents of OpenBao readable again in the very same version, and removes their Secrets', async () => {
    const tenant = await stage().tenant();
    await kvPut(tenant, pathOf(tenant, 'token'), { value: 'of-openbao' });
    const before = await kvMetadata(tenant, pathOf(tenant, 'token'));
    const spec = { from: 'bao', to: 'kubernetes', select: { all: true }, sourcePolicy: 'Delete' } as const;
    await tenant.apply(aMigration('out', spec));
    await tenant.untilReady('out', { reason: 'Completed' });
    expect(await tenant.secret('token')).toBeDefined();

    await setUndo(tenant, 'out', true);
    await tenant.untilReady('out', { reason: 'Undone' });
    expect(await tenant.secret('token')).toBeUndefined();
    expect(await kvData(tenant, pathOf(tenant, 'token'))).toEqual({ value: 'of-openbao' });
    expect(await kvMetadata(tenant, pathOf(tenant, 'token'))).toEqual(before);
  });
});

describe('spec.undo of a migration that keeps something', () => {
  it('takes a backup away, leaves what another writer changed, and then writes nothing more', async () => {
    const tenant = await stage().tenant();
    for (const name of ['kept', 'changed'])
      await tenant.apply(aSecret(name, { k: name }, { labels: { name } }));
    const before = await secretsOf(tenant);
    await tenant.apply(aMigration('backup', { sourcePolicy: 'Backup' }));
    await tenant.untilReady('backup', { reason: 'Completed' });
    await kvPut(tenant, pathOf(tenant, 'changed'), { k: 'rotated' });

    await setUndo(tenant, 'backup', true);
    const taken = await tenant.untilReady('backup', { status: 'False', reason: 'UndoIncomplete' });
    expect(conditionOf(taken, 'Ready')?.message).toContain('"changed" (DestinationChanged)');
    expect(await statesOf(tenant, 'backup')).toEqual({
      changed: 'Verified DestinationChanged',
      kept: 'Skipped Undone',
    });
    expect((await secretsOf(tenant)).filter(({ name }) => !name.endsWith('.migrated-bak'))).toEqual(before);
    expect(await kvData(tenant, pathOf(tenant, 'changed'))).toEqual({ k: 'rotated' });
    expect(await tenant.secret('kept.migrated-bak')).toBeUndefined();

    const again = await requestRun(tenant, 'backup');
    expect(again.status.keys).toEqual(taken.status.keys);
    expect(again.status.conditions).toEqual(taken.status.conditions);
  });

  it('brings token files back from their hidden backups, and leaves no backup and no copy', async () => {
    const tenant = await stage().tenant();
    const folder = tokenFolderOf(tenant.cluster, tenant.namespace);
    const tokens = { github: 'gh-token\n', gitlab: 'gl-token\n' };
    plantFiles(folder, tokens);
    await tenant.apply(aDirectoryBackend());
    await tenant.apply(aMigration('boot', { from: 'files', select: { all: true }, sourcePolicy: 'Backup' }));
    await tenant.untilReady('boot', { reason: 'Completed' });
    expect(Object.keys(filesIn(folder))).toEqual(['.github.migrated.bak', '.gitlab.migrated.bak']);

    await setUndo(tenant, 'boot', true);
    await tenant.untilReady('boot', { reason: 'Undone' });
    expect(filesIn(folder)).toEqual(tokens);
    const path = await kvMetadata(tenant, pathOf(tenant, 'github'));
    expect(path?.versions['1']?.deletion_time).not.toBe('');
  });

  it('takes the marks of projections off, and changes nothing else of the Secrets', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', { k: 'v' }, { labels: { app: 'web' } }));
    const before = await secretsOf(tenant);
    const { uid } = (await tenant.secret('db'))?.metadata ?? {};
    await tenant.apply(aMigration('project', { sourcePolicy: 'Project' }));
    await tenant.untilReady('project', { reason: 'Completed' });
    expect(await secretsOf(tenant)).not.toEqual(before);

    await setUndo(tenant, 'project', true);
    await tenant.untilReady('project', { reason: 'Undone' });
    expect(await secretsOf(tenant)).toEqual(before.map((secret) => ({ ...secret, annotations: undefined })));
    expect((await tenant.secret('db'))?.metadata.uid).toBe(uid);
  });
});
