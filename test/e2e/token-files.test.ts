import { chmodSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { aDirectoryBackend, aMigration } from '#test/builders/objects.ts';
import { holdWrites } from '#test/integration/operator/gate.ts';
import {
  kvData,
  kvMetadata,
  kvNames,
  pathOf,
  reasonOf,
  requestRun,
  rowsByName,
  standing,
} from '#test/integration/operator/questions.ts';
import { useStage } from '#test/integration/operator/stage.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { TokenFiles } from '#test/support/token-files.ts';

/*
 * claude-hooks TOK-1 (reference peers.md §1.5): token files of a service go to a secret store, one instance to a place of
 * its own, and each file becomes a hidden backup. What its plan leaves open has a test each: the backup keeps plaintext for
 * ever, a crash in between doubles the row, and a later boot must not bring an old file back over a rotated value.
 */

const stage = useStage();

async function aTenantWithTokens(): Promise<{ readonly tenant: Tenant; readonly files: TokenFiles }> {
  const tenant = await stage().tenant();
  const files = new TokenFiles(tenant, 'tokens');
  files.put('alice', 'token of alice\n');
  files.put('bob', 'token of bob\n');
  await tenant.apply(aDirectoryBackend({ path: 'tokens' }));
  return { tenant, files };
}

function aMove(name: string, change: Parameters<typeof aMigration>[1] = {}) {
  return aMigration(name, { from: 'files', select: { all: true }, sourcePolicy: 'Backup', ...change });
}

async function valueAt(tenant: Tenant, name: string): Promise<string | undefined> {
  return (await kvData(tenant, pathOf(tenant, name)))['value'];
}

const BACKUPS = { '.alice.migrated.bak': 'token of alice\n', '.bob.migrated.bak': 'token of bob\n' };

describe('a directory of token files', () => {
  it('goes to OpenBao, and each file becomes a hidden backup once its value is proven', async () => {
    const { tenant, files } = await aTenantWithTokens();
    await tenant.apply(aMove('moving'));
    await tenant.untilReady('moving');

    expect(files.texts()).toEqual(BACKUPS);
    expect(await valueAt(tenant, 'alice')).toBe('token of alice');
    expect(await valueAt(tenant, 'bob')).toBe('token of bob');
    expect((await rowsByName(tenant, 'moving'))['alice']).toMatchObject({
      state: 'Removed',
      backup: '.alice.migrated.bak',
      destination: { path: pathOf(tenant, 'alice') },
    });
  });

  it('sends one instance elsewhere', async () => {
    const { tenant, files } = await aTenantWithTokens();
    const path = `${tenant.namespace}/special/bob`;
    const overrides = [{ name: 'bob', path, sourcePolicy: 'Keep' as const }];
    await tenant.apply(aMove('moving', { mapping: { path: '{namespace}/{name}', overrides } }));
    await tenant.untilReady('moving');

    expect(await kvData(tenant, path)).toEqual({ value: 'token of bob' });
    expect(await kvMetadata(tenant, pathOf(tenant, 'bob'))).toBeUndefined();
    expect(await valueAt(tenant, 'alice')).toBe('token of alice');
    expect(files.texts()).toEqual({ '.alice.migrated.bak': 'token of alice\n', bob: 'token of bob\n' });
  });

  it('is read on the record, by names and never by values', async () => {
    const { tenant } = await aTenantWithTokens();
    await tenant.apply(aMove('moving'));
    await tenant.untilReady('moving');
    const lines = stage().operator.logs().split('\n');
    const records = lines.filter(
      (line) => line.includes('"stream":"audit"') && line.includes(`"namespace":"${tenant.namespace}"`),
    );
    const told = records.map((line) => {
      const { operation, backend, path, fields = [], outcome } = JSON.parse(line);
      return [operation, backend.name, path, ...fields, outcome].join(' ');
    });
    expect(told).toEqual(
      expect.arrayContaining([
        'read files alice value present',
        `write bao ${pathOf(tenant, 'alice')} value done`,
        `read bao ${pathOf(tenant, 'alice')} value present`,
        'backup files alice done',
      ]),
    );
    expect(stage().operator.logs()).not.toContain('token of');
  });

  it('is done: another run writes nothing, and no migration imports a backup', async () => {
    const { tenant, files } = await aTenantWithTokens();
    await tenant.apply(aMove('moving'));
    await tenant.untilReady('moving');
    const before = stage().changesOf(tenant).length;
    await requestRun(tenant, 'moving');
    await tenant.apply(aMove('again'));
    await tenant.untilReady('again', { reason: 'NothingSelected' });
    await tenant.apply(aMove('by-name', { select: { names: ['.alice.migrated.bak'] } }));
    await tenant.untilReady('by-name', { status: 'False' });

    expect(await standing(tenant, 'moving')).toEqual({ alice: 'Removed', bob: 'Removed' });
    expect(await standing(tenant, 'by-name')).toEqual({ '.alice.migrated.bak': 'Failed NameRefused' });
    expect(stage().changesOf(tenant)).toHaveLength(before);
    expect(files.texts()).toEqual(BACKUPS);
    expect(await kvNames(tenant, tenant.namespace)).toEqual(['alice', 'bob']);
  });

  it('never brings an old file back over a value that was rotated', async () => {
    const { tenant, files } = await aTenantWithTokens();
    await tenant.apply(aMove('moving'));
    await tenant.untilReady('moving');
    await tenant.cluster.bao('POST', `${tenant.mount}/data/${pathOf(tenant, 'alice')}`, {
      data: { value: 'rotated' },
    });
    files.put('alice', 'token of alice\n');
    await tenant.apply(aMove('next-boot'));
    await tenant.untilReady('next-boot', { status: 'False', reason: 'ConflictsFound' });

    expect(await valueAt(tenant, 'alice')).toBe('rotated');
    expect(files.texts()).toEqual({ ...BACKUPS, alice: 'token of alice\n' });
  });

  it('leaves another backup as it is: the file stays, and the row says why', async () => {
    const { tenant, files } = await aTenantWithTokens();
    files.put('.alice.migrated.bak', 'newer');
    await tenant.apply(aMove('moving'));
    await eventually('the row says why the file stays', async () => {
      const rows = await standing(tenant, 'moving');
      return rows['alice'] === 'Verified BackupExists' && rows['bob'] === 'Removed';
    });
    expect(files.texts()).toEqual({ ...BACKUPS, '.alice.migrated.bak': 'newer', alice: 'token of alice\n' });
  });

  it('removes the plaintext of its backups after their time to live', async () => {
    const { tenant, files } = await aTenantWithTokens();
    await tenant.apply(aMove('moving', { backupTTLSeconds: 2 }));
    await tenant.untilReady('moving');
    await eventually('the backups are gone', () => files.all().size === 0);
    await eventually('the rows say so', async () => {
      const rows = Object.values(await standing(tenant, 'moving'));
      return rows.every((row) => row === 'Removed BackupExpired');
    });
    expect(await valueAt(tenant, 'alice')).toBe('token of alice');
  });

  it('keeps a file that is written to while it moves', async () => {
    const { tenant, files } = await aTenantWithTokens();
    {
      using gate = holdWrites(stage(), tenant);
      await tenant.apply(aMove('moving'));
      await gate.arrival;
      files.put('alice', 'rotated by hand\n');
    }
    await tenant.untilReady('moving', { status: 'False', reason: 'ConflictsFound' });
    expect(files.texts()).toEqual({
      alice: 'rotated by hand\n',
      '.bob.migrated.bak': 'token of bob\n',
    });
  });

  it('comes back byte for byte', async () => {
    const { tenant, files } = await aTenantWithTokens();
    files.put('key.der', Buffer.from([0, 255, 10, 13, 128, 10]));
    files.put('empty', '');
    files.put('smtp/user', 'app');
    files.put('smtp/.env', 'A=b\n\n');
    await tenant.apply(aDirectoryBackend({ path: 'tokens', trailingNewline: 'Keep' }));
    await tenant.apply(aDirectoryBackend({ name: 'restored', path: 'restored', trailingNewline: 'Keep' }));
    const restored = new TokenFiles(tenant, 'restored');
    await tenant.apply(aMove('there', { sourcePolicy: 'Keep' }));
    await tenant.untilReady('there');
    await tenant.apply(aMove('back', { from: 'bao', to: 'restored', sourcePolicy: 'Keep' }));
    await tenant.untilReady('back');
    expect(restored.all()).toEqual(files.all());
    expect(restored.all().size).toBe(6);
  });

  it('goes to Secrets of Kubernetes as well, and comes back', async () => {
    const { tenant, files } = await aTenantWithTokens();
    await tenant.apply(aMove('moving', { to: 'kubernetes' }));
    await tenant.untilReady('moving');
    const stored = (await tenant.secret('alice'))?.data?.['value'] ?? '';
    expect(Buffer.from(stored, 'base64').toString()).toBe('token of alice');
    const back = {
      from: 'kubernetes',
      to: 'files',
      select: { names: ['alice', 'bob'] },
      sourcePolicy: 'Delete' as const,
    };
    await tenant.apply(aMigration('back', back));
    await tenant.untilReady('back');
    expect(files.texts()).toEqual({ ...BACKUPS, alice: 'token of alice\n', bob: 'token of bob\n' });
    expect(await tenant.secret('alice')).toBeUndefined();
  });
});

describe('a backend of type directory', () => {
  it('says what is wrong with its folder, and goes on once that is right', async () => {
    stage().allowErrors(/FOLDER_/);
    const { tenant, files } = await aTenantWithTokens();
    chmodSync(files.folder, 0o755);
    await tenant.apply(aMove('moving'));
    const ready = async () => {
      const { status } = await tenant.backend('files');
      return status.conditions?.find(({ type }) => type === 'Ready');
    };
    await tenant.apply(aDirectoryBackend({ path: 'tokens', trailingNewline: 'Keep' }));
    await eventually('the backend names the chmod', async () => {
      const condition = await ready();
      return (
        condition?.reason === 'FolderExposed' && condition.message.includes(`chmod o-rwx ${files.folder}`)
      );
    });
    rmSync(files.folder, { recursive: true });
    await tenant.apply(aDirectoryBackend({ path: 'tokens' }));
    await eventually(
      'the backend misses its folder',
      async () => (await ready())?.reason === 'FolderMissing',
    );

    const again = new TokenFiles(tenant, 'tokens');
    again.put('alice', 'token of alice\n');
    await tenant.apply(aDirectoryBackend({ path: 'tokens', trailingNewline: 'Keep' }));
    const migration = await tenant.untilReady('moving');
    expect(reasonOf(migration)).toBe('Completed');
    expect(await valueAt(tenant, 'alice')).toBe('token of alice\n');
  });
});
