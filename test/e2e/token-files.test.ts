import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { holdWrites } from '#test/support/gate.ts';
import {
  conditionOf,
  kvData,
  kvMetadata,
  kvPut,
  pathOf,
  requestRun,
  rowsByName,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import { applyClusterBackend, clusterBackend, untilBackend } from '#test/support/cluster-backends.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, filesIn, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';

/* claude-hooks TOK-1 (reference peers.md §1.5): each token file becomes a secret, and a hidden backup of itself. */

const stage = useStage();
const TOKENS = { github: 'gh-token\n', gitlab: 'gl-token\n' };

interface Files {
  readonly tenant: Tenant;
  readonly folder: string;
}

async function aTenantWithFiles(files: Readonly<Record<string, string>> = TOKENS): Promise<Files> {
  const tenant = await stage().tenant();
  const folder = tokenFolderOf(tenant.cluster, tenant.namespace);
  plantFiles(folder, files);
  await tenant.apply(aDirectoryBackend());
  return { tenant, folder };
}

function fromFiles(name: string, spec: Parameters<typeof aMigration>[1] = {}) {
  return aMigration(name, { from: 'files', select: { all: true }, sourcePolicy: 'Backup', ...spec });
}

describe('a directory of token files', () => {
  describeMoving();
  describeMapping();
});

function describeMoving(): void {
  it('goes to OpenBao, each file kept as a hidden backup once its value is proven', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    await tenant.apply(fromFiles('boot'));
    await tenant.untilReady('boot', { reason: 'Completed' });

    expect(await kvData(tenant, pathOf(tenant, 'github'))).toEqual({ value: 'gh-token' });
    expect(await kvData(tenant, pathOf(tenant, 'gitlab'))).toEqual({ value: 'gl-token' });
    expect(filesIn(folder)).toEqual({
      '.github.migrated.bak': 'gh-token\n',
      '.gitlab.migrated.bak': 'gl-token\n',
    });
    expect((await rowsByName(tenant, 'boot'))['github']).toMatchObject({
      key: 'value',
      state: 'Removed',
      backup: '.github.migrated.bak',
      destination: { path: pathOf(tenant, 'github'), version: '1' },
    });
  });

  it('is not read a second time: a rotated value stays, and no backup is imported again', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    await tenant.apply(fromFiles('boot'));
    await tenant.untilReady('boot', { reason: 'Completed' });
    await kvPut(tenant, pathOf(tenant, 'github'), { value: 'rotated' });
    const before = stage().changesOf(tenant);

    await requestRun(tenant, 'boot');
    await tenant.apply(fromFiles('again'));
    await tenant.untilReady('again', { reason: 'NothingSelected' });
    await tenant.apply(fromFiles('by-name', { select: { names: ['.github.migrated.bak'] } }));
    await tenant.untilReady('by-name', { status: 'False' });

    expect(await statesOf(tenant, 'by-name')).toEqual({ '.github.migrated.bak': 'Failed NameRefused' });
    expect(await kvData(tenant, pathOf(tenant, 'github'))).toEqual({ value: 'rotated' });
    expect(stage().changesOf(tenant)).toEqual(before);
    expect(Object.keys(filesIn(folder))).toHaveLength(2);
  });

  it('is not brought back over a rotated value by a later boot that finds the old file again', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    await tenant.apply(fromFiles('boot'));
    await tenant.untilReady('boot', { reason: 'Completed' });
    await kvPut(tenant, pathOf(tenant, 'github'), { value: 'rotated' });
    plantFiles(folder, { github: 'gh-token\n' });
    await tenant.apply(fromFiles('next-boot'));
    await tenant.untilReady('next-boot', { status: 'False', reason: 'ConflictsFound' });
    expect(await kvData(tenant, pathOf(tenant, 'github'))).toEqual({ value: 'rotated' });
    expect(filesIn(folder)).toMatchObject({ github: 'gh-token\n' });
  });

  it('keeps a file that is written to while it moves', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    {
      using gate = holdWrites(stage(), tenant);
      await tenant.apply(fromFiles('boot'));
      await gate.arrival;
      plantFiles(folder, { github: 'rotated by hand\n' });
    }
    await tenant.untilReady('boot', { status: 'False', reason: 'ConflictsFound' });
    expect(filesIn(folder)).toEqual({ github: 'rotated by hand\n', '.gitlab.migrated.bak': 'gl-token\n' });
  });

  it('never overwrites a backup of something else: the file stays and its row says why', async () => {
    const { tenant, folder } = await aTenantWithFiles({ github: 'new\n', '.github.migrated.bak': 'newer\n' });
    await tenant.apply(fromFiles('boot'));
    await eventually('the row says why the file stays', async () => {
      return (await statesOf(tenant, 'boot'))['github'] === 'Verified BackupExists';
    });
    expect(filesIn(folder)).toEqual({ github: 'new\n', '.github.migrated.bak': 'newer\n' });
  });

  it('removes a backup after its time to live', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    await tenant.apply(fromFiles('boot', { backupTTLSeconds: 2 }));
    await tenant.untilReady('boot', { reason: 'Completed' });
    await eventually('the backups are gone', () => Object.keys(filesIn(folder)).length === 0);
    expect(await kvData(tenant, pathOf(tenant, 'github'))).toEqual({ value: 'gh-token' });
  });
}

function describeMapping(): void {
  it('puts one instance where an override says, and the others where all go', async () => {
    const { tenant } = await aTenantWithFiles();
    const path = '{namespace}/{name}';
    const overrides = [{ name: 'gitlab', path: `${tenant.namespace}/instances/gitlab-2` }];
    await tenant.apply(fromFiles('boot', { mapping: { path, overrides } }));
    await tenant.untilReady('boot', { reason: 'Completed' });
    expect(await kvData(tenant, `${tenant.namespace}/instances/gitlab-2`)).toEqual({ value: 'gl-token' });
    expect(await kvMetadata(tenant, pathOf(tenant, 'gitlab'))).toBeUndefined();
    expect(await kvData(tenant, pathOf(tenant, 'github'))).toEqual({ value: 'gh-token' });
  });

  it('leaves a file whose destination holds something else, and moves the others', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    await kvPut(tenant, pathOf(tenant, 'github'), { value: 'theirs' });
    await tenant.apply(fromFiles('boot'));
    await tenant.untilReady('boot', { status: 'False', reason: 'ConflictsFound' });
    expect(await statesOf(tenant, 'boot')).toEqual({
      github: 'Conflict DestinationDiffers',
      gitlab: 'Removed',
    });
    expect(filesIn(folder)).toEqual({ github: 'gh-token\n', '.gitlab.migrated.bak': 'gl-token\n' });
  });

  it('has every reading and change of a value in the audit log, and never a value', async () => {
    const { tenant } = await aTenantWithFiles();
    await tenant.apply(fromFiles('boot'));
    await tenant.untilReady('boot', { reason: 'Completed' });
    const lines = stage()
      .operator.logs()
      .split('\n')
      .filter((line) => line.includes('"stream":"audit"') && line.includes(tenant.namespace));
    const about = (operation: string, backend: string) =>
      lines.filter(
        (line) => line.includes(`"operation":"${operation}"`) && line.includes(`"name":"${backend}"`),
      );
    expect(about('read', 'files').length).toBeGreaterThanOrEqual(4); // Each file before and after its copy.
    expect(about('backup', 'files')).toHaveLength(2);
    expect(about('write', 'bao')).toHaveLength(2);
    expect(lines.join('\n')).not.toMatch(/gh-token|gl-token/);
  });

  it('comes back from OpenBao and from Kubernetes byte for byte', async () => {
    const { tenant, folder } = await aTenantWithFiles({});
    await kvPut(tenant, pathOf(tenant, 'github'), { value: 'gh' });
    await tenant.apply(aSecret('login', { user: 'app', password: new Uint8Array([0, 255, 10]) }));
    await tenant.apply(aMigration('from-bao', { from: 'bao', to: 'files', select: { all: true } }));
    await tenant.apply(aMigration('from-kubernetes', { to: 'files', select: { names: ['login'] } }));
    await tenant.untilReady('from-bao', { reason: 'Completed' });
    await tenant.untilReady('from-kubernetes', { reason: 'Completed' });
    expect(filesIn(folder)).toEqual({ github: 'gh\n' });
    expect(filesIn(join(folder, 'login'))).toEqual({ user: 'app\n', password: '\0\uFFFD\n\n' });
    await tenant.apply(aMigration('round', { from: 'files', to: 'bao', select: { names: ['login'] } }));
    await tenant.untilReady('round', { reason: 'Completed' });
    await tenant.apply(aMigration('compare', { to: 'bao', select: { names: ['login'] } }));
    await tenant.untilReady('compare', { reason: 'Completed' });
    expect((await kvMetadata(tenant, pathOf(tenant, 'login')))?.current_version).toBe(1);
  });
}

describe('a backend of type directory', () => {
  it('is not Ready while everybody on the machine has rights on its folder, and says what to do', async () => {
    stage().allowErrors(/FOLDER_EXPOSED/);
    const { tenant, folder } = await aTenantWithFiles();
    await untilBackend(async () => tenant.backend('files'), 'Available');
    chmodSync(folder, 0o755);
    await tenant.mergePatch('SecretBackend', 'files', { spec: { directory: { trailingNewline: 'Keep' } } });
    const refused = await untilBackend(async () => tenant.backend('files'), 'FolderExposed');
    expect(refused.message).toContain(tenant.namespace);
    expect(refused.message).toContain('chmod o-rwx');
    await tenant.mergePatch('SecretBackend', 'files', { spec: { directory: { allowWorldReadable: true } } });
    await untilBackend(async () => tenant.backend('files'), 'Available');
  });

  it('is not Ready without its folder', async () => {
    stage().allowErrors(/FOLDER_MISSING/);
    const { tenant, folder } = await aTenantWithFiles();
    await tenant.apply(aDirectoryBackend({ path: 'later' }, 'later'));
    const waiting = await untilBackend(async () => tenant.backend('later'), 'FolderMissing');
    expect(waiting.message).toContain(`${tenant.namespace}/later`);
    mkdirSync(join(folder, 'later'), { mode: 0o700 });
    await tenant.mergePatch('SecretBackend', 'later', { spec: { directory: { trailingNewline: 'Keep' } } });
    await untilBackend(async () => tenant.backend('later'), 'Available');
  });

  it('gives files new names in place, with the bytes that they had', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    const prefixes = [{ from: 'gith', to: 'user-', stripPrefix: false }];
    const mapping = { path: '{namespace}/{name}', prefixes };
    await tenant.apply(fromFiles('renaming', { to: 'files', sourcePolicy: 'Delete', mapping }));
    await tenant.untilReady('renaming', { reason: 'Completed' });
    expect(filesIn(folder)).toEqual({ 'user-github': 'gh-token\n', gitlab: 'gl-token\n' });
    expect(await statesOf(tenant, 'renaming')).toEqual({ github: 'Removed', gitlab: 'Skipped NoRule' });
  });

  it('refuses what a directory cannot do before anything is touched', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    await tenant.apply(fromFiles('projecting', { sourcePolicy: 'Project' }));
    await tenant.apply(aMigration('overwriting', { to: 'files', conflictPolicy: 'Overwrite' }));
    await tenant.untilReady('projecting', { status: 'False', reason: 'CapabilityMissing' });
    await tenant.untilReady('overwriting', { status: 'False', reason: 'CapabilityMissing' });
    expect(filesIn(folder)).toEqual(TOKENS);
    expect(stage().changesOf(tenant)).toEqual([]);
  });

  it('can be shared: each namespace that is allowed has its own folder', async () => {
    const { cluster } = stage();
    const directory = { trailingNewline: 'Strip' };
    const [red, blue] = [
      await aTenantWithFiles({ token: 'red\n' }),
      await aTenantWithFiles({ token: 'blue\n' }),
    ];
    const allowedNamespaces = [red.tenant.namespace];
    await applyClusterBackend(cluster, 'files', {
      spec: { type: 'directory', directory, allowedNamespaces },
    });
    await untilBackend(async () => clusterBackend(cluster, 'files'), 'Available');
    const source = { backendRef: { kind: 'ClusterSecretBackend', name: 'files' } };
    for (const { tenant } of [red, blue]) {
      const { spec, ...migration } = fromFiles('boot');
      await tenant.apply({ ...migration, spec: { ...spec, source } });
    }
    await red.tenant.untilReady('boot', { reason: 'Completed' });
    await blue.tenant.untilReady('boot', { status: 'False', reason: 'BackendForbidden' });
    expect(await kvData(red.tenant, pathOf(red.tenant, 'token'))).toEqual({ value: 'red' });
    expect(filesIn(blue.folder)).toEqual({ token: 'blue\n' });

    // A volume that is mounted again is another folder; the backend as a whole has not changed.
    renameSync(red.folder, `${red.folder}-before`);
    plantFiles(tokenFolderOf(cluster, red.tenant.namespace), { later: 'red again\n' });
    const { spec, ...migration } = fromFiles('again');
    await red.tenant.apply({ ...migration, spec: { ...spec, source } });
    await red.tenant.untilReady('again', { reason: 'Completed' });
  });

  it('reports a file that is no document and moves the others', async () => {
    const { tenant, folder } = await aTenantWithFiles();
    mkdirSync(join(folder, 'nested', 'deep'), { recursive: true });
    writeFileSync(join(folder, 'large'), Buffer.alloc(1_048_578));
    await tenant.apply(fromFiles('boot'));
    await tenant.untilReady('boot', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'boot')).toEqual({
      github: 'Removed',
      gitlab: 'Removed',
      large: 'Failed NotRepresentable',
      nested: 'Failed NotRepresentable',
    });
  });
});

it('a directory is not moved into a folder of its own, which would be a document of it', async () => {
  const { tenant, folder } = await aTenantWithFiles();
  mkdirSync(join(folder, 'new'), { mode: 0o700 });
  await tenant.apply(aDirectoryBackend({ path: 'new' }, 'inside'));
  await tenant.apply(fromFiles('nested', { to: 'inside', sourcePolicy: 'Delete' }));
  const migration = await tenant.untilReady('nested', { status: 'False', reason: 'NestedEnds' });
  expect(conditionOf(migration, 'Ready')?.message).toContain('contains the folder of the destination (new)');
  expect(filesIn(folder)).toMatchObject(TOKENS);
  await tenant.mergePatch('SecretMigration', 'nested', {
    spec: { select: { all: true, exclude: { names: ['new'] } } },
  });
  await tenant.untilReady('nested', { reason: 'Completed' });
  expect(filesIn(join(folder, 'new'))).toEqual(TOKENS);
});
